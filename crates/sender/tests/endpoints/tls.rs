//! Certificates that are accepted, those that are not, and ports that speak something else.

use std::sync::Arc;

use bellhop_model::{Failure, Outcome};
use bellhop_sender::{Sender, SenderOptions, read_certificates};
use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, WantsVerifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::endpoint::{Endpoint, answer_all, impatient_sender, options, outcome, read_request, sender};

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
pub(crate) const TLS: Outcome = Outcome::Failed(Failure::Tls);

/// A certificate authority of our own, and endpoints with certificates from it.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A sender that trusts this authority besides the public ones.
    pub(crate) fn sender(&self) -> Sender {
        let extra_roots = read_certificates(self.0.pem().as_bytes()).expect("a root");
        Sender::new(SenderOptions { extra_roots, ..options() }).expect("a sender")
    }

    /// An endpoint with a valid certificate for `name`.
    pub(crate) async fn endpoint(&self, name: &str, answer: &'static [u8]) -> Endpoint {
        serve_tls(self.configuration(&params(name)), answer).await
    }

    pub(crate) fn configuration(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        server()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)
            .expect("a configuration")
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).expect("a name")
}

pub(crate) fn server() -> rustls::ConfigBuilder<ServerConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions")
}

pub(crate) async fn serve_tls(configuration: ServerConfig, answer: &'static [u8]) -> Endpoint {
    let acceptor = TlsAcceptor::from(Arc::new(configuration));
    Endpoint::serve(move |socket| {
        let accepting = acceptor.accept(socket);
        async move {
            if let Ok(stream) = accepting.await {
                answer_all(stream, Bytes::from_static(answer)).await;
            }
        }
    })
    .await
}

pub(crate) fn url(host: &str, endpoint: &Endpoint) -> String {
    format!("https://{host}:{}/", endpoint.port)
}

#[tokio::test]
async fn a_certificate_of_an_extra_root_is_accepted_for_its_name_only() {
    let authority = Authority::new();
    let sender = authority.sender();
    let named = authority.endpoint("localhost", OK).await;
    assert!(outcome(&sender, &url("localhost", &named)).await.is_success());
    assert!(outcome(&sender, &url("localhost.", &named)).await.is_success());
    assert_eq!(outcome(&sender, &url("127.0.0.1", &named)).await, TLS);
    let numbered = authority.endpoint("127.0.0.1", OK).await;
    assert!(outcome(&sender, &url("127.0.0.1", &numbered)).await.is_success());
    assert_eq!(outcome(&sender, &url("localhost", &numbered)).await, TLS);
}

#[tokio::test]
async fn an_authority_that_nobody_declared_is_refused() {
    let endpoint = Authority::new().endpoint("localhost", OK).await;
    assert_eq!(outcome(&sender(), &url("localhost", &endpoint)).await, TLS);
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_refused() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let configuration = server()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)
        .expect("a configuration");
    let endpoint = serve_tls(configuration, OK).await;
    assert_eq!(outcome(&Authority::new().sender(), &url("localhost", &endpoint)).await, TLS);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    for (from, until) in [(2020, 2021), (4020, 4021)] {
        let mut untimely = params("localhost");
        untimely.not_before = date_time_ymd(from, 1, 1);
        untimely.not_after = date_time_ymd(until, 1, 1);
        let endpoint = serve_tls(authority.configuration(&untimely), OK).await;
        assert_eq!(outcome(&authority.sender(), &url("localhost", &endpoint)).await, TLS, "from {from}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    for name in ["example.org", "*.localhost", "localhost.example.org", "xn--localhost-9za"] {
        let endpoint = authority.endpoint(name, OK).await;
        assert_eq!(outcome(&authority.sender(), &url("localhost", &endpoint)).await, TLS, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_for_something_else_is_refused() {
    let authority = Authority::new();
    let mut of_a_client = params("localhost");
    of_a_client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut of_an_authority = params("localhost");
    of_an_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for params in [of_a_client, of_an_authority] {
        let endpoint = serve_tls(authority.configuration(&params), OK).await;
        assert_eq!(outcome(&authority.sender(), &url("localhost", &endpoint)).await, TLS, "{params:?}");
    }
}

#[tokio::test]
async fn a_chain_leads_to_a_root_through_authorities_alone() {
    // What lies between the certificate and the root: an authority, an authority that is not told of, no authority.
    let root = Authority::new();
    for (is_authority, is_told, is_accepted) in
        [(true, true, true), (true, false, false), (false, true, false)]
    {
        let mut between = CertificateParams::new(Vec::new()).expect("no names");
        between.is_ca =
            if is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        let between_key = KeyPair::generate().expect("a key");
        let between = CertifiedIssuer::signed_by(between, between_key, &root.0).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let certificate = params("localhost").signed_by(&key, &between).expect("a certificate");
        let mut chain = vec![certificate.into()];
        if is_told {
            chain.push(between.der().clone());
        }
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let configuration =
            server().with_no_client_auth().with_single_cert(chain, key).expect("a configuration");
        let endpoint = serve_tls(configuration, OK).await;
        let sent = outcome(&root.sender(), &url("localhost", &endpoint)).await;
        assert_eq!(sent.is_success(), is_accepted, "{sent:?}");
        assert!(is_accepted || sent == TLS, "{sent:?}");
    }
}

#[tokio::test]
async fn old_tls_is_refused() {
    // A server hello by which TLS 1.0 is agreed to, the alert by which an old server refuses what is newer, the hello of
    // SSL 2, and one that promises sixteen megabytes.
    let hello = [&[0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let alert = vec![0x15, 3, 1, 0, 2, 2, 70];
    let ancient = vec![0x80, 0x0b, 4, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0];
    let endless = vec![0x16, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff];
    for answer in [hello, alert, ancient, endless] {
        let shown = format!("{answer:x?}");
        let endpoint = Endpoint::serve(move |mut socket| {
            let answer = answer.clone();
            async move {
                let _ = socket.read(&mut [0; 1024]).await;
                while socket.write_all(&answer).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
        assert_eq!(outcome(&sender(), &url("localhost", &endpoint)).await, TLS, "{shown}");
    }
}

#[tokio::test]
async fn an_answer_is_whole_whether_tls_said_goodbye_or_not() {
    // Hand-written servers drop the socket. Nothing depends on a body that lasts until the end; a length is kept.
    let authority = Authority::new();
    let answers = [
        ("HTTP/1.0 200 OK\r\n\r\nok", Some(200)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Some(200)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", None),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", None),
        ("HTTP/1.1 200 OK\r\ncontent-le", None),
    ];
    for (answer, status) in answers {
        for says_goodbye in [true, false] {
            let acceptor = TlsAcceptor::from(Arc::new(authority.configuration(&params("localhost"))));
            let endpoint = Endpoint::serve(move |socket| {
                let accepting = acceptor.accept(socket);
                async move {
                    let mut stream = accepting.await.expect("a client");
                    read_request(&mut stream).await;
                    stream.write_all(answer.as_bytes()).await.expect("a client");
                    stream.flush().await.expect("a client");
                    if says_goodbye {
                        stream.shutdown().await.expect("a client");
                    }
                }
            })
            .await;
            let sent = outcome(&authority.sender(), &url("localhost", &endpoint)).await;
            assert_eq!(sent.status(), status, "{answer} {says_goodbye}");
            assert!(status.is_some() || sent == Outcome::Failed(Failure::Interrupted), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_wants_a_certificate_of_ours_is_a_failure_of_tls() {
    // With TLS 1.3 the refusal arrives after the handshake, where the answer should be.
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a verifier");
    let key = KeyPair::generate().expect("a key");
    let certificate = params("localhost").signed_by(&key, &authority.0).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let configuration = server()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.into()], key)
        .expect("a configuration");
    let endpoint = serve_tls(configuration, OK).await;
    assert_eq!(outcome(&authority.sender(), &url("localhost", &endpoint)).await, TLS);
}

#[tokio::test]
async fn a_stalling_handshake_is_a_failure_of_tls() {
    let endpoint = Endpoint::serve(|socket| async move {
        let _held = socket;
        std::future::pending::<()>().await;
    })
    .await;
    let step_timeout = std::time::Duration::from_millis(100);
    let quick = Sender::new(SenderOptions { step_timeout, ..options() }).expect("a sender");
    assert_eq!(outcome(&quick, &url("localhost", &endpoint)).await, TLS);
    let Outcome::Failed(failure) = outcome(&impatient_sender(), &url("localhost", &endpoint)).await else {
        panic!("an answer from nobody")
    };
    assert!(matches!(failure, Failure::Tls | Failure::TimedOut), "{failure:?}");
}

#[tokio::test]
async fn ports_that_speak_the_other_protocol_are_told_apart() {
    let authority = Authority::new();
    let plain = Endpoint::serve(|mut socket| async move {
        // A plain server finds the handshake malformed, and says so in plain text.
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    assert_eq!(outcome(&sender(), &url("localhost", &plain)).await, TLS);
    let encrypted = authority.endpoint("localhost", OK).await;
    assert_eq!(outcome(&sender(), &encrypted.url()).await, Outcome::Failed(Failure::Protocol));
}
