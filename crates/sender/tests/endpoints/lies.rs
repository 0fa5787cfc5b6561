//! Answers that are no HTTP, or whose parts contradict each other. What is lenient here is so on purpose: hand-written
//! servers answer like that, and their status is clear.

use bellhop_model::{Failure, Outcome};
use bellhop_sender::Exchange;

use crate::endpoint::{Endpoint, post, sender};

/// What comes of an answer after which the endpoint closes: the status and the body, or the failure.
async fn made_of(answer: &str) -> Result<(u16, String), Failure> {
    let endpoint = Endpoint::answering_once(answer).await;
    let Exchange { outcome, answer, .. } = post(&sender(), &endpoint.url()).await;
    match outcome {
        Outcome::Answered(told) => Ok((told.status, answer.body)),
        Outcome::Failed(failure) => Err(failure),
    }
}

#[tokio::test]
async fn a_status_line_is_exact_but_for_its_reason() {
    for line in [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 abc OK",
        "HTTP/1.1 -200 OK",
        "HTTP/1.1 000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/0.9 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/3.0 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "SSH-2.0-OpenSSH_9.2",
        "<html>",
        "\u{15}\u{3}\u{1}\0\u{2}\u{2}F",
    ] {
        let answer = format!("{line}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(made_of(&answer).await, Err(Failure::Protocol), "{line:?}");
    }
    for (line, status) in [
        ("HTTP/1.1 200", 200),
        ("HTTP/1.1 200 ", 200),
        ("HTTP/1.0 404 Nix da", 404),
        ("\r\nHTTP/1.1 200 OK", 200),
        ("HTTP/1.1 600 Beyond", 600),
        ("HTTP/1.1 999 Refused", 999),
    ] {
        let answer = format!("{line}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(made_of(&answer).await, Ok((status, String::new())), "{line:?}");
    }
}

#[tokio::test]
async fn headers_that_are_none_are_passed_over_unless_they_hide_something() {
    for header in ["x: a\0b", "x\0: a", "x: a\rb"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{header}\r\ncontent-length: 2\r\n\r\nok");
        assert_eq!(made_of(&answer).await, Err(Failure::Protocol), "{header:?}");
    }
    for header in
        ["no colon", ": empty", "x : spaced", " folded", "x: a\r\n folded", "spaced name: x", "x: \u{e9}"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{header}\r\ncontent-length: 2\r\n\r\nok");
        assert_eq!(made_of(&answer).await, Ok((200, "ok".to_owned())), "{header:?}");
    }
}

#[tokio::test]
async fn a_head_is_bounded_in_headers_and_bytes() {
    for head in [format!("x: {}\r\n", "x".repeat(64 * 1024)), "x: y\r\n".repeat(101)] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: 0\r\n\r\n");
        assert_eq!(made_of(&answer).await, Err(Failure::Protocol), "{} bytes", head.len());
    }
    for head in [format!("x: {}\r\n", "x".repeat(16 * 1024)), "x: y\r\n".repeat(99)] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: 0\r\n\r\n");
        assert_eq!(made_of(&answer).await, Ok((200, String::new())), "{} bytes", head.len());
    }
}

#[tokio::test]
async fn a_length_is_one_number_that_is_kept() {
    for length in [
        "-1",
        "+2",
        "0x2",
        "two",
        "",
        "2.0",
        "2, 3",
        "2\r\ncontent-length: 3",
        "18446744073709551616",
        "99999999999999999999",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nok!");
        assert_eq!(made_of(&answer).await, Err(Failure::Protocol), "{length:?}");
    }
    for length in ["2", "2, 2", "2\r\ncontent-length: 2"] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nok");
        assert_eq!(made_of(&answer).await, Ok((200, "ok".to_owned())), "{length:?}");
    }
    for length in ["3", "18446744073709551613"] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nok");
        assert_eq!(made_of(&answer).await, Err(Failure::Interrupted), "{length:?}");
    }
}

#[tokio::test]
async fn chunks_are_as_long_as_they_say() {
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    for body in [
        "-1\r\nok\r\n0\r\n\r\n",
        "0x2\r\nok\r\n0\r\n\r\n",
        "zz\r\n",
        "FFFFFFFFFFFFFFFFF\r\nok\r\n0\r\n\r\n",
        "2\r\nokno\r\n0\r\n\r\n",
        "2\nok\n0\n\n",
        "\r\n",
        "2;a\nb\r\nok\r\n0\r\n\r\n",
        "0\r\nno trailer\r\n\r\n",
    ] {
        assert_eq!(made_of(&chunked(body)).await, Err(Failure::Protocol), "{body:?}");
    }
    for body in ["", "2", "2\r\n", "2\r\no", "2\r\nok\r\n", "2\r\nok\r\n0\r\n", "2\r\nok\r\n0\r\nx: y\r\n"] {
        assert_eq!(made_of(&chunked(body)).await, Err(Failure::Interrupted), "{body:?}");
    }
    for body in ["2\r\nok\r\n0\r\n\r\n", "2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n", "0002\r\nok\r\n0\r\n\r\n"] {
        assert_eq!(made_of(&chunked(body)).await, Ok((200, "ok".to_owned())), "{body:?}");
    }
}

#[tokio::test]
async fn of_two_framings_chunks_count_and_old_http_has_none() {
    let answer = |version: &str, headers: &str| {
        format!("HTTP/{version} 200 OK\r\n{headers}\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    };
    for headers in [
        "content-length: 1\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 1",
        "transfer-encoding: gzip, chunked",
    ] {
        assert_eq!(made_of(&answer("1.1", headers)).await, Ok((200, "ok".to_owned())), "{headers}");
    }
    assert_eq!(made_of(&answer("1.0", "transfer-encoding: chunked")).await, Err(Failure::Protocol));
    // Not chunked at last, so it lasts until the end.
    let until_the_end = made_of(&answer("1.1", "transfer-encoding: chunked, gzip")).await;
    assert_eq!(until_the_end, Ok((200, "2  ok  0    ".to_owned())));
}

#[tokio::test]
async fn nobody_asked_to_switch_protocols() {
    for headers in ["connection: upgrade\r\nupgrade: websocket\r\n", ""] {
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
        assert_eq!(made_of(&answer).await, Err(Failure::Protocol), "{headers}");
    }
}
