//! TLS: the host's certificate, which is reloaded for new connections when its files change.

use crate::config::TlsFiles;
use crate::util::locks::lock;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;

/// How often the files are checked.
const LOOK: Duration = Duration::from_secs(5);

/// Read the certificate and its key. The error is a user-facing message.
fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let cert = |e| format!("{}: it holds no certificate in PEM form: {e}", files.cert.display());
    let chain = CertificateDer::pem_file_iter(&files.cert).map_err(cert)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| format!("{}: it holds no private key in PEM form: {e}", files.key.display()))?;
    let pair = CertifiedKey::from_der(chain, key, provider);
    pair.map_err(|e| format!("{}: the certificate cannot be used: {e}", files.cert.display()))
}

fn modified(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    [&files.cert, &files.key].map(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(lock(&self.0).clone())
    }
}

/// The acceptor of TLS connections, for HTTP/2 and HTTP/1.1. The error is a user-facing message.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let provider = Arc::new(ring::default_provider());
    let seen = modified(files);
    let current = Arc::new(Current(Mutex::new(Arc::new(read(files, &provider)?))));
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS cannot be set up: {e}"))?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
    let (files, weak) = (files.clone(), Arc::downgrade(&current));
    let renewing = move || {
        let mut seen = seen;
        while let Some(current) = weak.upgrade() {
            let now = modified(&files);
            if now != seen {
                seen = now;
                renew(&current, &files, &provider);
            }
            drop(current);
            std::thread::sleep(LOOK);
        }
    };
    let thread = std::thread::Builder::new().name("certificate".into());
    thread.spawn(renewing).map_err(|e| format!("the certificate cannot be watched: {e}"))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// One of the two files is written first: until they match, the old pair stays in use.
fn renew(current: &Current, files: &TlsFiles, provider: &CryptoProvider) {
    match read(files, provider) {
        Ok(pair) => {
            *lock(&current.0) = Arc::new(pair);
            tracing::info!("{}: the certificate has changed, and is used from now on", files.cert.display());
        }
        Err(why) => tracing::error!("the certificate has changed, and the old one is used on: {why}"),
    }
}
