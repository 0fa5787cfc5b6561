//! Which connections are kept, and what becomes of one that died meanwhile.

use bellhop_model::{EndpointUrl, Mode};
use bellhop_sender::{Request, Sender, SenderOptions};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::endpoint::{Endpoint, PAYLOAD, options, outcome, post, read_request, sender};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_next_request_rides_on_the_same_connection() {
    let endpoint = Endpoint::answering(OK).await;
    let sender = sender();
    for _ in 0..5 {
        assert!(post(&sender.clone(), &endpoint.url()).await.outcome.is_success());
    }
    assert_eq!(endpoint.connections(), 1);
}

#[tokio::test]
async fn a_sender_told_to_keep_none_connects_each_time() {
    let endpoint = Endpoint::answering(OK).await;
    let sender =
        Sender::new(SenderOptions { idle_connections_per_host_max: 0, ..options() }).expect("a sender");
    for _ in 0..3 {
        assert!(outcome(&sender, &endpoint.url()).await.is_success());
    }
    assert_eq!(endpoint.connections(), 3);
}

#[tokio::test]
async fn a_connection_whose_answer_was_cut_is_not_used_again() {
    let endpoint = Endpoint::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{}",
        "x".repeat(1_000_000)
    ))
    .await;
    let sender = sender();
    for _ in 0..2 {
        assert!(outcome(&sender, &endpoint.url()).await.is_success());
    }
    assert_eq!(endpoint.connections(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_no_attempt() {
    let (closed, mut endings) = mpsc::unbounded_channel();
    let endpoint = Endpoint::serve(move |mut socket| {
        let closed = closed.clone();
        async move {
            read_request(&mut socket).await;
            socket.write_all(OK).await.expect("a client");
            drop(socket);
            closed.send(()).expect("a reader");
        }
    })
    .await;
    let sender = sender();
    for _ in 0..20 {
        assert!(outcome(&sender, &endpoint.url()).await.is_success());
        endings.recv().await.expect("the connection closed");
        // The close is in the kernel; yielding lets the runtime hear of it.
        tokio::task::yield_now().await;
    }
    assert_eq!(endpoint.connections(), 20);
}

#[tokio::test]
async fn many_at_once_each_get_their_answer() {
    let endpoint = Endpoint::answering(OK).await;
    let sender = sender();
    let url = endpoint.url();
    let sends: Vec<_> = (0..64)
        .map(|_| {
            let (sender, url) = (sender.clone(), url.clone());
            tokio::spawn(async move { post(&sender, &url).await })
        })
        .collect();
    for send in sends {
        let exchange = send.await.expect("no panic");
        assert!(exchange.outcome.is_success(), "{exchange:?}");
        assert_eq!(exchange.answer.body, "ok");
    }
}

#[tokio::test]
async fn live_and_test_share_no_connection() {
    let authority = crate::tls::Authority::new();
    let endpoint = authority.endpoint("localhost", OK).await;
    let sender = authority.sender();
    let url =
        EndpointUrl::parse(&format!("https://localhost:{}/", endpoint.port), Mode::Live).expect("a URL");
    for mode in [Mode::Live, Mode::Test, Mode::Live, Mode::Test] {
        let request = Request::new(&url, mode, Vec::new(), Bytes::from_static(PAYLOAD)).expect("https");
        assert!(sender.send(request).await.outcome.is_success(), "{mode}");
    }
    assert_eq!(endpoint.connections(), 2);
}
