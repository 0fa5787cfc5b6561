//! A certificate of our own, for endpoints that speak TLS.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// What a receiver needs to speak TLS, and what a client needs to believe it.
pub struct Identity {
    /// Turns connections into TLS connections.
    pub acceptor: TlsAcceptor,
    /// The certificate in PEM, which is its own authority.
    pub authority: String,
}

/// Makes a certificate for 127.0.0.1 and `localhost`.
///
/// # Errors
/// When the libraries refuse to.
pub fn make_identity() -> Result<Identity> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).context("make a certificate")?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), authority: made.cert.pem() })
}
