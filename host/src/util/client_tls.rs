//! Settings of TLS clients: whose certificates they accept.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};

/// Whose certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The connection is encrypted, to whomever.
    Anybody,
    /// Those that the system trusts.
    System,
    /// Those that these vouch for, in PEM.
    Of(Vec<u8>),
}

/// Settings for clients that trust these. The error is a sentence.
pub fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    match trust {
        Trust::Anybody => {
            let verifier = Arc::new(AnyCertificate(provider));
            Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
        }
        Trust::System => {
            // They are read once: that takes milliseconds.
            static ROOTS: OnceLock<Result<Arc<RootCertStore>, String>> = OnceLock::new();
            let roots = ROOTS.get_or_init(|| {
                let mut roots = RootCertStore::empty();
                let (found, _) =
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if found == 0 {
                    Err("the system has no certificates".to_owned())
                } else {
                    Ok(Arc::new(roots))
                }
            });
            Ok(builder.with_root_certificates(roots.clone()?).with_no_client_auth())
        }
        Trust::Of(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| "the certificates are not PEM".to_owned())?;
                roots.add(certificate).map_err(|error| format!("a certificate is of no use: {error}"))?;
            }
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        }
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
