//! Endpoints that hang, break off, or speak something else.

use bellhop_model::{Failure, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::endpoint::{Endpoint, impatient_sender, outcome, post, read_request, sender};

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}

/// Reads the request, writes `start`, then `more` for as long as the client takes it.
async fn flood(mut socket: TcpStream, start: &'static [u8], more: &'static [u8]) {
    read_request(&mut socket).await;
    if socket.write_all(start).await.is_ok() {
        while socket.write_all(more).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn whoever_never_ends_is_timed_out() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    // No request, no answer, an endless run of interim answers, and a head, or a body, that stops half-way.
    let silent = Endpoint::serve(|socket| async move {
        let _held = socket;
        std::future::pending::<()>().await;
    })
    .await;
    let interim = Endpoint::serve(|socket| flood(socket, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")).await;
    let half_a_head = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-le").await;
    let half_a_body = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    let half_a_chunk = Endpoint::answering([CHUNKED, b"9\r\nhalf"].concat()).await;
    for endpoint in [silent, interim, half_a_head, half_a_body, half_a_chunk] {
        assert_eq!(outcome(&impatient_sender(), &endpoint.url()).await, failed(Failure::TimedOut));
    }
}

#[tokio::test]
async fn a_dripping_body_does_not_put_the_deadline_off() {
    let endpoint = Endpoint::serve(|mut socket| async move {
        read_request(&mut socket).await;
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        let mut text: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n";
        while socket.write_all(text).await.is_ok() {
            pace.tick().await;
            text = b"x";
        }
    })
    .await;
    let exchange = post(&impatient_sender(), &endpoint.url()).await;
    assert_eq!(exchange.outcome, failed(Failure::TimedOut));
    assert!(!exchange.answer.body.is_empty(), "what came until then is kept");
}

#[tokio::test]
async fn a_request_given_up_closes_its_connection() {
    let (closed, mut endings) = mpsc::unbounded_channel();
    let endpoint = Endpoint::serve(move |mut socket| {
        let closed = closed.clone();
        async move {
            read_request(&mut socket).await;
            let ending = socket.read(&mut [0]).await.map_err(|error| error.kind());
            closed.send(ending).expect("a reader");
        }
    })
    .await;
    assert_eq!(outcome(&impatient_sender(), &endpoint.url()).await, failed(Failure::TimedOut));
    assert_eq!(endings.recv().await, Some(Ok(0)));
}

#[tokio::test]
async fn an_answer_broken_off_is_interrupted() {
    let answers = [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\n\
         transfer-encoding: chunked\r\n\r\n9\r\nhalf",
    ];
    for answer in answers {
        let endpoint = Endpoint::answering_once(answer).await;
        let exchange = post(&sender(), &endpoint.url()).await;
        assert_eq!(exchange.outcome, failed(Failure::Interrupted), "{answer}");
        assert_eq!(exchange.answer.body, if answer.ends_with("half") { "half" } else { "" });
    }
}

#[tokio::test]
async fn a_reset_is_interrupted_and_the_request_not_repeated() {
    let endpoint = Endpoint::serve(|mut socket| async move {
        read_request(&mut socket).await;
        socket.set_zero_linger().expect("a socket");
    })
    .await;
    assert_eq!(outcome(&sender(), &endpoint.url()).await, failed(Failure::Interrupted));
    assert_eq!(endpoint.connections(), 1);
}

#[tokio::test]
async fn what_is_not_http_is_a_failure_of_protocol() {
    let header_bomb = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    let answers = [
        "garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        &header_bomb,
        &many_headers,
    ];
    for answer in answers {
        let endpoint = Endpoint::answering_once(answer).await;
        let shown = answer.get(..40).unwrap_or(answer);
        assert_eq!(outcome(&sender(), &endpoint.url()).await, failed(Failure::Protocol), "{shown}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_failure_of_connecting() {
    let endpoint = Endpoint::answering("").await;
    let url = endpoint.url();
    drop(endpoint);
    tokio::task::yield_now().await;
    assert_eq!(outcome(&sender(), &url).await, failed(Failure::Connect));
}
