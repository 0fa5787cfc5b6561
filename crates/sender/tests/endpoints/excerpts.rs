//! What is kept of an answer, and what an attempt's time was spent on.

use bellhop_sender::Phases;

use crate::endpoint::{Endpoint, impatient_sender, post, sender};

#[tokio::test]
async fn headers_and_body_are_kept_for_success_and_failure_alike() {
    for status in ["200 OK", "500 Internal Server Error"] {
        let endpoint = Endpoint::answering(format!(
            "HTTP/1.1 {status}\r\nX-Request-Id: 7\r\nSet-Cookie: session=1\r\ncontent-length: 5\r\n\r\nno\x00\r\n"
        ))
        .await;
        let exchange = post(&sender(), &endpoint.url()).await;
        let names: Vec<_> = exchange.answer.headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["x-request-id", "content-length"], "{status}");
        assert_eq!(
            (exchange.answer.headers[0].value.as_str(), exchange.answer.body.as_str()),
            ("7", "no\u{fffd}  ")
        );
        assert!(!exchange.answer.is_body_cut);
        let shown = format!("{exchange:?}");
        assert!(!shown.contains("x-request-id") && !shown.contains("no\u{fffd}"), "{shown}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_decompressed() {
    // Whoever decompresses strangers' data invites bombs. That we do not ask for it is tried in `answers`.
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 13\r\n\r\n".to_vec();
    answer.extend([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff, b'x', b'y', b'z']);
    let endpoint = Endpoint::answering(answer).await;
    let exchange = post(&sender(), &endpoint.url()).await;
    assert!(exchange.outcome.is_success() && exchange.answer.body.ends_with("xyz"), "{exchange:?}");
}

#[tokio::test]
async fn an_attempt_tells_when_it_was_connected_and_when_the_head_came() {
    let endpoint = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let sender = sender();
    let fresh = post(&sender, &endpoint.url()).await;
    let [connected, head] = [fresh.phases.connected, fresh.phases.head].map(|at| at.expect("reached"));
    assert!(connected <= head && head <= fresh.duration, "{fresh:?}");
    let reused = post(&sender, &endpoint.url()).await;
    assert_eq!(reused.phases.connected, None, "the connection was there already");
    assert!(reused.phases.head.is_some_and(|head| head <= reused.duration), "{reused:?}");
}

#[tokio::test]
async fn an_attempt_given_up_tells_how_far_it_came() {
    let silent = Endpoint::answering("").await;
    let exchange = post(&impatient_sender(), &silent.url()).await;
    assert!(exchange.phases.connected.is_some_and(|at| at < exchange.duration), "{exchange:?}");
    assert_eq!(exchange.phases.head, None);

    let halting = Endpoint::answering("HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 9\r\n\r\nhalf").await;
    let exchange = post(&impatient_sender(), &halting.url()).await;
    assert!(exchange.phases.head.is_some_and(|at| at < exchange.duration), "{exchange:?}");
    assert_eq!((exchange.answer.headers.len(), exchange.answer.body.as_str()), (2, "half"));

    let url = silent.url();
    drop(silent);
    tokio::task::yield_now().await;
    assert_eq!(post(&sender(), &url).await.phases, Phases::default(), "nobody was there");
}

#[tokio::test]
async fn the_handshake_is_part_of_connecting() {
    // TCP alone is no connection yet: this endpoint accepts and never answers the handshake.
    let silent = Endpoint::answering("").await;
    let exchange = post(&impatient_sender(), &format!("https://127.0.0.1:{}/", silent.port)).await;
    assert_eq!((exchange.phases, silent.connections()), (Phases::default(), 1));
}
