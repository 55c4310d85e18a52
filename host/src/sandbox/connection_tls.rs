//! TLS on a connection of a guest: the host has the keys and the certificates.

use crate::sandbox::connection_problem::{Kind, TcpProblem};
use crate::util::client_tls::{self, Trust};
use bytes::{Buf, Bytes};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ProtocolVersion};
use serde::Deserialize;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

/// Longest options, in bytes: they may contain certificates.
pub const MOST_OPTIONS: usize = 512 * 1024;
/// Most protocols.
const MOST_PROTOCOLS: usize = 16;
/// For servers that have no name. It is not sent.
const NAMELESS: &str = "nameless.invalid";

/// What a guest knows of a connection that is ready.
#[derive(Debug, Clone, Default)]
pub struct Ready {
    pub peer: String,
    pub local: String,
    /// The version of TLS, or nothing.
    pub tls: String,
    pub protocol: String,
    pub certificate: Vec<u8>,
}

/// A stream with or without TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What the guest wants of TLS.
#[derive(Debug, Clone, Deserialize)]
pub struct TlsOptions {
    #[serde(default)]
    server_name: String,
    verify: bool,
    check_name: bool,
    /// Trust those that the host trusts.
    #[serde(default = "yes")]
    roots: bool,
    /// And these, in PEM.
    #[serde(default)]
    ca: Option<String>,
    #[serde(default)]
    alpn: Vec<String>,
}

fn yes() -> bool {
    true
}

impl TlsOptions {
    pub fn parse(json: &str) -> Result<Self, TcpProblem> {
        let wrong = |why: String| TcpProblem::new(Kind::Tls, why);
        if json.len() > MOST_OPTIONS {
            return Err(wrong(format!("the options of TLS have more than {MOST_OPTIONS} bytes")));
        }
        let options: Self = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        if options.alpn.len() > MOST_PROTOCOLS {
            return Err(wrong(format!("there are more than {MOST_PROTOCOLS} protocols")));
        }
        Ok(options)
    }

    fn trust(&self) -> Trust {
        let ca = || self.ca.clone().unwrap_or_default().into_bytes();
        match (self.verify, self.roots, &self.ca) {
            (false, ..) => Trust::Anybody,
            (true, true, None) => Trust::System,
            (true, true, Some(_)) => Trust::SystemAnd(ca()),
            (true, false, _) => Trust::Of(ca()),
        }
    }
}

/// Do the handshake. `read`: what was already read from the server.
pub async fn handshake(
    stream: Box<dyn Duplex>,
    read: Bytes,
    options: &TlsOptions,
) -> Result<(Box<dyn Duplex>, Ready), TcpProblem> {
    let wrong = |why: String| TcpProblem::new(Kind::Tls, why);
    let mut config = client_tls::config(&options.trust(), options.check_name).map_err(wrong)?;
    config.alpn_protocols = options.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = match &*options.server_name {
        "" => {
            config.enable_sni = false;
            NAMELESS
        }
        name => name,
    };
    let name = ServerName::try_from(name.to_owned());
    let name = name.map_err(|_| wrong(format!("{:?} is no name of a server", options.server_name)))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, Prefixed { read, stream });
    let encrypted = connecting.await.map_err(|error| explained(&error))?;
    let (_, session) = encrypted.get_ref();
    let tls = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let protocol = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let first = session.peer_certificates().and_then(|chain| chain.first());
    let about = Ready {
        tls: tls.to_owned(),
        protocol: protocol.unwrap_or_default(),
        certificate: first.map(|certificate| certificate.to_vec()).unwrap_or_default(),
        ..Ready::default()
    };
    Ok((Box::new(encrypted), about))
}

fn explained(error: &io::Error) -> TcpProblem {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            TcpProblem::new(Kind::Certificate, "the certificate of the server is by nobody who is trusted")
        }
        Some(rustls::Error::InvalidCertificate(why)) => TcpProblem::new(
            Kind::Certificate,
            format!("the certificate of the server is not accepted: {why}"),
        ),
        Some(other) => TcpProblem::new(Kind::Tls, other.to_string()),
        None => TcpProblem::of(error),
    }
}

/// A stream of which something was read before.
struct Prefixed {
    read: Bytes,
    stream: Box<dyn Duplex>,
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let size = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..size]);
        self.read.advance(size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
