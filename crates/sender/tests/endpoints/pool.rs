//! Which connections are kept, and what becomes of one that died meanwhile.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::mpsc::{Receiver, channel};

use bellhop_model::{EndpointUrl, Failure, Mode, Outcome};
use bellhop_sender::{Request, Sender, SenderOptions};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// Each endpoint is a host of its own to the pool.
#[tokio::test]
async fn a_sender_keeps_no_more_connections_than_it_may_at_whatever_hosts() {
    for (kept, opened) in [(0, [3, 3]), (1, [1, 3]), (2, [1, 1])] {
        let endpoints = [Endpoint::answering(OK).await, Endpoint::answering(OK).await];
        let sender =
            Sender::new(SenderOptions { kept_connections_max: kept, ..options() }).expect("a sender");
        for _ in 0..3 {
            for endpoint in &endpoints {
                assert!(outcome(&sender, &endpoint.url()).await.is_success());
            }
        }
        assert_eq!(endpoints.each_ref().map(Endpoint::connections), opened, "{kept} kept");
    }
}

#[tokio::test]
async fn a_kept_connection_that_ends_lets_another_be_kept() {
    let sender = Sender::new(SenderOptions { kept_connections_max: 1, ..options() }).expect("a sender");
    let ending =
        Endpoint::answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    for connections in 1..=3 {
        assert!(outcome(&sender, &ending.url()).await.is_success());
        assert_eq!(ending.connections(), connections);
    }
    let staying = Endpoint::answering(OK).await;
    for _ in 0..20 {
        assert!(outcome(&sender, &staying.url()).await.is_success());
    }
    assert!(staying.connections() < 20, "the place of the one that ended is free");
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

/// An endpoint in a thread, on blocking sockets: what the test does to a socket is in the kernel at once, while the
/// sender's runtime has not heard of it. It answers one request on each connection and hands the connection over.
fn endpoint_that_hands_over() -> (String, Receiver<StdStream>) {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let (hand, handed) = channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut request = Vec::new();
            while !request.ends_with(PAYLOAD) {
                let mut bytes = [0; 1024];
                let count = socket.read(&mut bytes).expect("a client");
                request.extend_from_slice(&bytes[..count]);
            }
            socket.write_all(OK).expect("a client");
            if hand.send(socket).is_err() {
                return;
            }
        }
    });
    (url, handed)
}

#[tokio::test]
async fn a_kept_connection_that_ends_at_the_last_moment_costs_no_attempt() {
    let (url, connections) = endpoint_that_hands_over();
    let sender = sender();
    for _ in 0..20 {
        assert_eq!(outcome(&sender, &url).await.status(), Some(200));
        let kept = connections.recv().expect("a connection");
        kept.shutdown(Shutdown::Both).expect("a socket");
    }
}

#[tokio::test]
async fn an_answer_to_nothing_is_not_taken_for_the_next_request() {
    let (url, connections) = endpoint_that_hands_over();
    let sender = sender();
    for _ in 0..20 {
        let exchange = post(&sender, &url).await;
        assert_eq!((exchange.outcome.status(), exchange.answer.body.as_str()), (Some(200), "ok"));
        let mut kept = connections.recv().expect("a connection");
        kept.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\nstale").expect("a client");
    }
}

#[tokio::test]
async fn bytes_beyond_an_answer_end_its_connection() {
    let heads =
        ["200 OK\r\ncontent-length: 0", "200 OK\r\ncontent-length: 2", "204 No Content", "304 Not Modified"];
    for head in heads {
        let stale = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        let body = if head.ends_with('2') { "ok" } else { "" };
        let endpoint = Endpoint::answering(format!("HTTP/1.1 {head}\r\n\r\n{body}{stale}")).await;
        let sender = sender();
        for connections in 1..=3 {
            let status = outcome(&sender, &endpoint.url()).await.status();
            assert_ne!(status, Some(202), "{head}");
            assert!(status.is_some() && endpoint.connections() == connections, "{head}");
        }
    }
}

#[tokio::test]
async fn answers_that_may_have_no_body_have_none() {
    for status in [204, 304] {
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 4\r\n\r\nbody");
        let endpoint = Endpoint::answering(answer).await;
        let sender = sender();
        for connections in 1..=3 {
            let exchange = post(&sender, &endpoint.url()).await;
            assert_eq!((exchange.outcome.status(), exchange.answer.body.as_str()), (Some(status), ""));
            assert_eq!(endpoint.connections(), connections, "what follows is not looked at");
        }
    }
}

#[tokio::test]
async fn an_answer_before_the_request_is_no_answer() {
    let endpoint = Endpoint::serve(|mut socket| async move {
        let _ = socket.write_all(OK).await;
        while socket.read(&mut [0; 1024]).await.is_ok_and(|bytes| 0 < bytes) {}
    })
    .await;
    for _ in 0..5 {
        assert_eq!(outcome(&sender(), &endpoint.url()).await, Outcome::Failed(Failure::Protocol));
    }
    assert_eq!(endpoint.connections(), 5, "and nothing is repeated");
}

#[tokio::test]
async fn old_http_keeps_its_connection_only_when_it_says_so() {
    for (header, connections) in [("connection: keep-alive\r\n", 1), ("", 3), ("connection: close\r\n", 3)] {
        let answer = format!("HTTP/1.0 200 OK\r\n{header}content-length: 2\r\n\r\nok");
        let endpoint = Endpoint::answering(answer).await;
        let sender = sender();
        for _ in 0..3 {
            assert!(outcome(&sender, &endpoint.url()).await.is_success());
        }
        assert_eq!(endpoint.connections(), connections, "{header}");
    }
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
