//! Endpoints that take nothing, or give it drop by drop, and one that is on IPv6 alone.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bellhop_model::limits::EVENT_BYTES_MAX;
use bellhop_model::{Failure, Outcome};
use bellhop_sender::{Sender, SenderOptions, read_certificates};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, duplex, split};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

use crate::endpoint::{Endpoint, PAYLOAD, answer_all, impatient_sender, options, outcome, post_body};
use crate::tls::{Authority, OK, TLS, params, url};

/// More than all buffers on the way hold, so that a part of it is never taken.
const NEVER_TAKEN_BYTES: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn an_endpoint_that_never_reads_is_timed_out() {
    for bytes in [EVENT_BYTES_MAX, NEVER_TAKEN_BYTES] {
        let socket = TcpSocket::new_v4().expect("a socket");
        // The window of a connection is as small as the kernel lets it be.
        socket.set_recv_buffer_size(1).expect("a buffer");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let endpoint = Endpoint::serve_on(socket.listen(8).expect("a listener"), |socket| async move {
            let _held = socket;
            pending::<()>().await;
        });
        let body = Bytes::from([vec![b' '; bytes].as_slice(), PAYLOAD].concat());
        let sent = post_body(&impatient_sender(), &endpoint.url(), body).await;
        assert_eq!(sent.outcome, Outcome::Failed(Failure::TimedOut), "{bytes} bytes");
        assert_eq!(endpoint.connections(), 1, "it is not sent again");
    }
}

#[tokio::test]
async fn an_endpoint_on_ipv6_alone_gets_its_request() {
    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let endpoint = Endpoint::serve_on(listener, |socket| answer_all(socket, Bytes::from_static(OK)));
    let sender = Sender::new(options()).expect("a sender");
    let url = format!("http://[::1]:{}/hook", endpoint.port);
    assert_eq!(outcome(&sender, &url).await.status(), Some(200));
}

#[tokio::test]
async fn a_handshake_that_drips_is_a_failure_of_tls_when_its_step_is_over() {
    let authority = Authority::new();
    let acceptor = TlsAcceptor::from(Arc::new(authority.configuration(&params("localhost"))));
    let endpoint = Endpoint::serve(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            let (inner, outer) = duplex(64 * 1024);
            let serving = async { acceptor.accept(inner).await.map(drop) };
            let (mut from_client, mut to_client) = socket.into_split();
            let (mut from_server, mut to_server) = split(outer);
            let dripping = async {
                let mut pace = interval(Duration::from_millis(10));
                while let Ok(byte) = from_server.read_u8().await {
                    pace.tick().await;
                    if to_client.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            };
            let _ = tokio::join!(serving, copy(&mut from_client, &mut to_server), dripping);
        }
    })
    .await;
    // A thousand bytes and more, a hundred a second: the whole deadline would be long enough for the beginning only.
    let extra_roots = read_certificates(authority.pem().as_bytes()).expect("a root");
    let step_timeout = Duration::from_millis(300);
    let quick = Sender::new(SenderOptions { step_timeout, extra_roots, ..options() }).expect("a sender");
    assert_eq!(outcome(&quick, &url("localhost", &endpoint)).await, TLS);
}
