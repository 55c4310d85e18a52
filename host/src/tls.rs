//! The host's certificate.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Files in PEM form.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that clients know.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What accepts TLS connections, for HTTP/2 and HTTP/1.1. The error is a sentence.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let cert = |e| format!("{}: it holds no certificate in PEM form: {e}", files.cert.display());
    let chain = CertificateDer::pem_file_iter(&files.cert).map_err(cert)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| format!("{}: it holds no private key in PEM form: {e}", files.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| format!("{}: the certificate cannot be used: {e}", files.cert.display()))?;
    config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
    Ok(TlsAcceptor::from(Arc::new(config)))
}
