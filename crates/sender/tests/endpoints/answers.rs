//! What the endpoint sees, and what is made of its answers.

use std::time::{Duration, SystemTime};

use bellhop_model::limits::{ANSWER_EXCERPT_BYTES_MAX, EVENT_BYTES_MAX};
use bellhop_model::{Answer, Outcome};
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::endpoint::{Endpoint, PAYLOAD, outcome, post, post_body, read_request, sender};

fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
    Outcome::Answered(Answer { status, retry_after: retry_after.map(Duration::from_secs) })
}

#[tokio::test]
async fn the_endpoint_gets_a_plain_post_with_our_headers_and_the_callers() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let endpoint = Endpoint::serve(move |mut socket| {
        let seen = seen.clone();
        async move {
            seen.send(read_request(&mut socket).await.expect("a request")).expect("a reader");
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("a client");
        }
    })
    .await;
    assert_eq!(outcome(&sender(), &endpoint.url()).await, answered(204, None));
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "POST /hook?token=secret HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
         User-Agent: Bellhop/{version}\r\nWebhook-Id: evt_1\r\nContent-Length: 23\r\n\r\n\
         {{\"data\":{{\"id\":\"apt_1\"}}}}",
        endpoint.port
    );
    assert_eq!(requests.recv().await, Some(expected));
}

#[tokio::test]
async fn a_payload_of_the_greatest_size_arrives_whole() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let endpoint = Endpoint::serve(move |mut socket| {
        let seen = seen.clone();
        async move {
            let request = read_request(&mut socket).await.expect("a request");
            seen.send(request.split_once("\r\n\r\n").expect("a body").1.len()).expect("a reader");
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("a client");
        }
    })
    .await;
    let body = [" ".repeat(EVENT_BYTES_MAX).as_bytes(), PAYLOAD].concat();
    let bytes = body.len();
    assert!(post_body(&sender(), &endpoint.url(), body.into()).await.outcome.is_success());
    assert_eq!(requests.recv().await, Some(bytes));
}

#[tokio::test]
async fn the_status_decides_and_only_some_may_ask_for_a_wait() {
    let cases = [
        ("200 OK", "content-length: 2\r\n\r\nok", answered(200, None)),
        ("200 OK", "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", answered(200, None)),
        ("204 No Content", "\r\n", answered(204, None)),
        (
            "302 Found",
            "location: /elsewhere\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n",
            answered(302, None),
        ),
        ("410 Gone", "content-length: 0\r\n\r\n", answered(410, None)),
        ("429 Too Many Requests", "retry-after: 7\r\ncontent-length: 0\r\n\r\n", answered(429, Some(7))),
        (
            "503 Service Unavailable",
            "retry-after: Sunday, 06-Nov-94 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n",
            answered(503, Some(0)),
        ),
        (
            "503 Service Unavailable",
            "retry-after: Sun Nov  6 08:49:37 1994\r\ncontent-length: 0\r\n\r\n",
            answered(503, Some(0)),
        ),
        ("429 Too Many Requests", "retry-after: soon\r\ncontent-length: 0\r\n\r\n", answered(429, None)),
        ("500 Internal Server Error", "retry-after: 7\r\ncontent-length: 0\r\n\r\n", answered(500, None)),
        ("599 Own", "content-length: 0\r\n\r\n", answered(599, None)),
        ("200 OK", "spaced name: x\r\nb\u{e9}: x\r\ncontent-length: 0\r\n\r\n", answered(200, None)),
    ];
    for (status, rest, expected) in cases {
        let endpoint = Endpoint::answering(format!("HTTP/1.1 {status}\r\n{rest}")).await;
        assert_eq!(outcome(&sender(), &endpoint.url()).await, expected, "{status} {rest}");
    }
}

#[tokio::test]
async fn a_date_to_retry_after_is_measured_against_the_wall_clock() {
    let in_two_minutes = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(120));
    let form = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = in_two_minutes.format(form).expect("a date");
    let answer =
        format!("HTTP/1.1 503 Service Unavailable\r\nretry-after: {date}\r\ncontent-length: 0\r\n\r\n");
    let endpoint = Endpoint::answering(answer).await;
    let Outcome::Answered(answer) = outcome(&sender(), &endpoint.url()).await else { panic!("no answer") };
    let wait = answer.retry_after.expect("a wait").as_secs();
    assert!((60..=120).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_large_body_is_cut_and_the_status_counts() {
    let body = "x".repeat(1024 * 1024);
    for head in ["content-length: 1048576\r\n\r\n", "\r\n", "transfer-encoding: chunked\r\n\r\n100000\r\n"] {
        let endpoint = Endpoint::answering_once(format!("HTTP/1.1 200 OK\r\n{head}{body}")).await;
        let exchange = post(&sender(), &endpoint.url()).await;
        assert_eq!(exchange.outcome, answered(200, None));
        assert_eq!(exchange.answer.body, body[..ANSWER_EXCERPT_BYTES_MAX]);
        assert!(exchange.answer.is_body_cut);
    }
}

#[tokio::test]
async fn early_hints_are_passed_over_and_old_http_is_understood() {
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ] {
        let endpoint = Endpoint::answering_once(answer).await;
        assert_eq!(outcome(&sender(), &endpoint.url()).await, answered(200, None), "{answer}");
    }
}
