//! Endpoints that never stop: they are ended by a bound on bytes or by the deadline, whichever comes first.

use std::future::pending;
use std::time::Duration;

use bellhop_model::{Failure, Outcome};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::endpoint::{Endpoint, impatient_sender, outcome, post, read_request, sender};

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// More than the buffers of a connection hold on its way, so whoever could write as much was read from without end.
const FLOOD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a flood begins with and what it goes on with.
type Flood = (String, &'static str);

/// Endless heads, chunk lines and trailers, which no answer can need.
fn floods_that_are_no_answer() -> Vec<Flood> {
    vec![
        (String::new(), "\r\n"),
        (String::new(), "x"),
        (String::new(), "HTTP/1.1 100 Continue\r\n\r\n"),
        (String::new(), "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
        ("HTTP/1.1 200 ".to_owned(), "O"),
        (OK.to_owned(), "x-more: yes\r\n"),
        (format!("{OK}x: "), "x"),
        (format!("{OK}x"), "x"),
        (CHUNKED.to_owned(), "0"),
        (CHUNKED.to_owned(), "1;a=b\r\nx\r\n"),
        (format!("{CHUNKED}1"), " "),
        (format!("{CHUNKED}1;"), "x"),
        (format!("{CHUNKED}0\r\n"), "x-more: yes\r\n"),
        (format!("{CHUNKED}0\r\nx: "), "x"),
    ]
}

/// Endless bodies, of which the beginning is enough.
fn floods_of_body() -> Vec<Flood> {
    vec![
        (format!("{OK}\r\n"), "x"),
        (format!("{OK}content-length: 18446744073709551613\r\n\r\n"), "x"),
        (CHUNKED.to_owned(), "5\r\nhello\r\n"),
        (CHUNKED.to_owned(), "1\r\nx\r\n"),
    ]
}

/// An endpoint that floods, and how many bytes of it were taken on each connection when it was over.
async fn flooding((start, more): Flood) -> (Endpoint, mpsc::UnboundedReceiver<usize>) {
    let (over, taken) = mpsc::unbounded_channel();
    let endpoint = Endpoint::serve(move |mut socket| {
        let (over, start) = (over.clone(), start.clone());
        async move {
            read_request(&mut socket).await;
            over.send(flood(socket, &start, more).await).expect("a reader");
        }
    })
    .await;
    (endpoint, taken)
}

/// Writes until the client closes, or the bound shows that it takes everything.
async fn flood(mut socket: TcpStream, start: &str, more: &str) -> usize {
    let more = more.repeat(4096);
    let mut taken = 0;
    let mut text = start;
    while taken < FLOOD_BYTES_MAX && socket.write_all(text.as_bytes()).await.is_ok() {
        taken += text.len();
        text = &more;
        // Writing into a loopback connection may never have to wait, and the sender wants its turn.
        tokio::task::yield_now().await;
    }
    taken
}

#[tokio::test]
async fn an_endless_head_or_framing_is_a_failure_of_protocol_long_before_the_deadline() {
    for flood in floods_that_are_no_answer() {
        let shown = format!("{flood:?}");
        let (endpoint, mut taken) = flooding(flood).await;
        assert_eq!(outcome(&sender(), &endpoint.url()).await, Outcome::Failed(Failure::Protocol), "{shown}");
        let taken = taken.recv().await.expect("the flood is over");
        assert!(taken < FLOOD_BYTES_MAX, "{shown}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_status_counts() {
    for flood in floods_of_body() {
        let shown = format!("{flood:?}");
        let (endpoint, mut taken) = flooding(flood).await;
        let exchange = post(&sender(), &endpoint.url()).await;
        assert_eq!(exchange.outcome.status(), Some(200), "{shown}");
        assert!(exchange.answer.is_body_cut, "{shown}");
        let taken = taken.recv().await.expect("the flood is over");
        assert!(taken < FLOOD_BYTES_MAX, "{shown}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_put_the_deadline_off() {
    // Whatever is dripped, the one deadline runs from the call.
    let mut drips = JoinSet::new();
    for flood in floods_that_are_no_answer().into_iter().chain(floods_of_body()) {
        drips.spawn(async move {
            let shown = format!("{flood:?}");
            let endpoint = dripping(flood).await;
            let sent = outcome(&impatient_sender(), &endpoint.url()).await;
            // A letter is no beginning of a status line, and that is seen at the first.
            let expected = if shown == r#"("", "x")"# { Failure::Protocol } else { Failure::TimedOut };
            assert_eq!(sent, Outcome::Failed(expected), "{shown}");
        });
    }
    while let Some(dripped) = drips.join_next().await {
        dripped.expect("the deadline held");
    }
}

async fn dripping((start, more): Flood) -> Endpoint {
    Endpoint::serve(move |mut socket| {
        let start = start.clone();
        async move {
            read_request(&mut socket).await;
            let _ = socket.write_all(start.as_bytes()).await;
            let mut pace = interval(Duration::from_millis(10));
            for byte in more.as_bytes().iter().cycle() {
                pace.tick().await;
                if socket.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn whoever_stops_half_way_is_timed_out() {
    let silent = Endpoint::serve(|socket| async move {
        let _held = socket;
        pending::<()>().await;
    })
    .await;
    assert_eq!(outcome(&impatient_sender(), &silent.url()).await, Outcome::Failed(Failure::TimedOut));
    for answer in [
        "",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n",
    ] {
        let endpoint = Endpoint::answering(answer).await;
        let sent = outcome(&impatient_sender(), &endpoint.url()).await;
        assert_eq!(sent, Outcome::Failed(Failure::TimedOut), "{answer}");
    }
}
