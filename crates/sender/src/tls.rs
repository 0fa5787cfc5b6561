//! TLS 1.2 and 1.3 towards endpoints: public certificate authorities, and those that the operator adds.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// Not PEM.
    #[error("the certificates are not in PEM form")]
    Malformed(#[source] pem::Error),
    /// PEM, but without a certificate in it.
    #[error("the PEM text holds no certificate")]
    Empty,
}

/// Reads certificates, for [`SenderOptions::extra_roots`](crate::SenderOptions::extra_roots).
///
/// * `text`: PEM; sections other than `CERTIFICATE` are passed over.
///
/// # Errors
/// [`CertificatesError`] when it is not PEM or holds no certificate.
pub fn read_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(CertificatesError::Malformed)?;
    if certificates.is_empty() { Err(CertificatesError::Empty) } else { Ok(certificates) }
}

/// The configuration of every handshake. The provider is named, so no process-wide one need be installed.
///
/// A certificate must name the host in its subject alternative names, and be signed with RSA of 2048 bits or more, ECDSA
/// or Ed25519. Whether it was revoked is not asked: neither lists nor OCSP. Both are one more server to call before each
/// connection, chosen by whom we are about to distrust, and short lives of certificates take their place.
///
/// No ALPN is offered: without it every server speaks HTTP/1.1. One bad HTTP/2 connection would couple all deliveries
/// to a host.
pub(crate) fn client_config(extra_roots: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in extra_roots {
        roots.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_from_pem_and_nothing_else() {
        let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).expect("a certificate");
        let text = format!("{}{}{}", made.cert.pem(), made.signing_key.serialize_pem(), made.cert.pem());
        assert_eq!(read_certificates(text.as_bytes()).expect("two").len(), 2);
        assert!(matches!(read_certificates(b""), Err(CertificatesError::Empty)));
        assert!(matches!(read_certificates(b"no PEM"), Err(CertificatesError::Empty)));
        let torn = "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
        assert!(matches!(read_certificates(torn.as_bytes()), Err(CertificatesError::Malformed(_))));
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        assert!(client_config(&[CertificateDer::from(vec![1, 2, 3])]).is_err());
        assert!(client_config(&[]).is_ok());
    }
}
