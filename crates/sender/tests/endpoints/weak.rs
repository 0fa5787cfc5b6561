//! Certificates that were good enough once.
//!
//! Those in `weak/` were made with OpenSSL, because no library here makes keys as short: an authority with an RSA key of
//! each length, and a certificate for `localhost` from each, all with the same key. They end a hundred years later.

use bellhop_sender::{Sender, SenderOptions, read_certificates};
use rcgen::{CertificateParams, DnType};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::endpoint::{options, outcome};
use crate::tls::{Authority, OK, TLS, serve_tls, server, url};

const KEY: &[u8] = include_bytes!("weak/endpoint.key.pem");

#[tokio::test]
async fn a_name_in_the_subject_alone_is_no_name() {
    let authority = Authority::new();
    let mut nameless = CertificateParams::new(Vec::new()).expect("no names");
    nameless.distinguished_name.push(DnType::CommonName, "localhost");
    let endpoint = serve_tls(authority.configuration(&nameless), OK).await;
    assert_eq!(outcome(&authority.sender(), &url("localhost", &endpoint)).await, TLS);
}

#[tokio::test]
async fn a_signature_with_a_short_key_is_worth_nothing() {
    let short: [&[u8]; 2] =
        [include_bytes!("weak/authority-1024.pem"), include_bytes!("weak/endpoint-1024.pem")];
    let long: [&[u8]; 2] =
        [include_bytes!("weak/authority-2048.pem"), include_bytes!("weak/endpoint-2048.pem")];
    for ([authority, certificate], is_accepted) in [(short, false), (long, true)] {
        let chain = read_certificates(certificate).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
        let configuration =
            server().with_no_client_auth().with_single_cert(chain, key).expect("a configuration");
        let endpoint = serve_tls(configuration, OK).await;
        let extra_roots = read_certificates(authority).expect("a root");
        let sender = Sender::new(SenderOptions { extra_roots, ..options() }).expect("a sender");
        let sent = outcome(&sender, &url("localhost", &endpoint)).await;
        assert_eq!(sent.is_success(), is_accepted, "{sent:?}");
        assert!(is_accepted || sent == TLS, "{sent:?}");
    }
}
