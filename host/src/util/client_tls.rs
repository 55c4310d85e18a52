//! Settings of TLS clients: whose certificates they accept.

use crate::util::locks::lock;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

/// Whose certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The connection is encrypted, to whomever.
    Anybody,
    /// Those that the system trusts.
    System,
    /// Those that these vouch for, in PEM.
    Of(Vec<u8>),
    /// Both.
    SystemAnd(Vec<u8>),
}

/// Settings for clients that trust these. `names`: also the name in the certificate has to be that of the server. The error is a
/// sentence.
pub fn config(trust: &Trust, names: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let roots = match trust {
        Trust::Anybody => None,
        Trust::System => Some(system()?),
        Trust::Of(pem) => Some(cached(pem, false)?),
        Trust::SystemAnd(pem) => Some(cached(pem, true)?),
    };
    let chain = match roots {
        Some(roots) if names => return Ok(builder.with_root_certificates(roots).with_no_client_auth()),
        Some(roots) => {
            let chain = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
            Some(chain.build().map_err(|error| format!("the certificates are of no use: {error}"))?)
        }
        None => None,
    };
    let verifier = Arc::new(AnyName { provider, chain });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The certificates of the system, which are read once: that takes milliseconds.
fn system() -> Result<Arc<RootCertStore>, String> {
    static ROOTS: OnceLock<Result<Arc<RootCertStore>, String>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let (found, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if found == 0 {
            Err("the system's certificates cannot be read: there are none".to_owned())
        } else {
            Ok(Arc::new(roots))
        }
    });
    roots.clone()
}

/// Certificates in PEM, with those of the system. A bundle of a hundred takes milliseconds to read, and each connection has one.
fn cached(pem: &[u8], with_system: bool) -> Result<Arc<RootCertStore>, String> {
    static READ: Mutex<VecDeque<Read>> = Mutex::new(VecDeque::new());
    let hash = blake3::hash(pem);
    let known =
        lock(&READ).iter().find(|read| (read.0, read.1) == (hash, with_system)).map(|read| read.2.clone());
    if let Some(known) = known {
        return Ok(known);
    }
    let base = if with_system { (*system()?).clone() } else { RootCertStore::empty() };
    let roots = Arc::new(with(base, pem)?);
    let mut read = lock(&READ);
    if read.len() >= MOST_READ {
        read.pop_front();
    }
    read.push_back((hash, with_system, roots.clone()));
    Ok(roots)
}

/// Of which text, whether with those of the system, and what was read.
type Read = (blake3::Hash, bool, Arc<RootCertStore>);

/// Bundles that are kept.
const MOST_READ: usize = 16;

fn with(mut roots: RootCertStore, pem: &[u8]) -> Result<RootCertStore, String> {
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "the certificates are not PEM".to_owned())?;
        roots.add(certificate).map_err(|error| format!("a certificate is of no use: {error}"))?;
    }
    Ok(roots)
}

/// Accepts whatever name is in a certificate: of those that somebody trusted vouches for, or of any.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    /// Checks who vouches for it. None: nobody has to.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, others, name, ocsp, now) {
            // It is checked last.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
