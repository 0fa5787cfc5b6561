//! Answers of any bytes, and good ones with something changed, over a connection that is no socket.

use std::time::Duration;

use bellhop_model::limits::{
    ANSWER_EXCERPT_BYTES_MAX, ANSWER_HEADER_NAME_BYTES_MAX, ANSWER_HEADER_VALUE_BYTES_MAX,
    ANSWER_HEADERS_MAX, RETRY_AFTER_MAX,
};
use bellhop_model::{Answer, EndpointUrl, Failure, Mode, Outcome};
use bellhop_sender::{Exchange, Request, exchange_over};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// What a test is given up after: an exchange over memory needs a thousandth of it.
const DEADLINE: Duration = Duration::from_secs(30);

const GOOD: [&str; 6] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: 7\r\n\r\nok",
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 503 Busy\r\nretry-after: Sun, 06 Nov 2094 08:49:37 GMT\r\ncontent-length: 4\r\n\r\nlate",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    "HTTP/1.0 410 Gone\r\nspaced name: x\r\nserver: x\r\n folded\r\n\r\nuntil the end",
];

/// What is put in place of something: what has a meaning in a head, and what has none.
const PIECES: [&str; 22] = [
    "",
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "-",
    "0",
    "1",
    "9",
    "99999999999999999999",
    "HTTP/1.1 ",
    "101",
    "retry-after: ",
    "content-length: ",
    "transfer-encoding: chunked\r\n",
    "\u{e9}",
    "x-more: yes\r\n",
];

/// One change: where it begins, how many bytes it takes away, what it puts there, and how often.
type Change = (Index, usize, &'static str, usize);

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let times = prop_oneof![8 => Just(1usize), 1 => 2..200usize];
    let change = (any::<Index>(), 0..6usize, select(&PIECES[..]), times);
    (select(&GOOD[..]), vec(change, 0..4)).prop_map(|(good, changes)| {
        let mut bytes = good.as_bytes().to_vec();
        changes.iter().for_each(|change| mutate(&mut bytes, change));
        bytes
    })
}

fn mutate(bytes: &mut Vec<u8>, (at, removed, piece, times): &Change) {
    let start = at.index(bytes.len() + 1);
    let end = bytes.len().min(start + removed);
    drop(bytes.splice(start..end, piece.repeat(*times).into_bytes()));
}

/// What comes of an answer after which the endpoint closes.
fn exchanged(answer: Vec<u8>) -> Exchange {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let _ = theirs.read(&mut [0; 4096]).await;
            let _ = theirs.write_all(&answer).await;
        });
        let url = EndpointUrl::parse("https://example.org/", Mode::Live).expect("a URL");
        let request = Request::new(&url, Mode::Live, Vec::new(), Bytes::from_static(b"{}")).expect("https");
        timeout(DEADLINE, exchange_over(ours, request)).await.expect("it ends with the connection")
    })
}

fn judge(exchange: Exchange) -> Result<(), TestCaseError> {
    match exchange.outcome {
        Outcome::Answered(Answer { status, retry_after }) => {
            prop_assert!((200..=999).contains(&status), "{status}");
            prop_assert!(retry_after.is_none_or(|wait| wait <= RETRY_AFTER_MAX), "{retry_after:?}");
            prop_assert!(retry_after.is_none() || matches!(status, 429 | 503), "{status}");
        }
        Outcome::Failed(failure) => {
            prop_assert!(matches!(failure, Failure::Interrupted | Failure::Protocol), "{failure:?}");
        }
    }
    let excerpt = exchange.answer;
    prop_assert!(excerpt.headers.len() <= ANSWER_HEADERS_MAX);
    prop_assert!(excerpt.body.len() <= ANSWER_EXCERPT_BYTES_MAX);
    prop_assert!(!excerpt.body.contains(char::is_control));
    for header in &excerpt.headers {
        prop_assert!(header.name.len() <= ANSWER_HEADER_NAME_BYTES_MAX, "{header:?}");
        prop_assert!(header.value.len() <= ANSWER_HEADER_VALUE_BYTES_MAX, "{header:?}");
        prop_assert!(!header.value.contains(char::is_control), "{header:?}");
        prop_assert!(!header.name.contains("cookie"), "{header:?}");
    }
    Ok(())
}

#[test]
fn the_answers_that_are_changed_are_good() {
    let statuses = GOOD.map(|good| exchanged(good.into()).outcome.status());
    assert_eq!(statuses, [200, 429, 503, 200, 204, 410].map(Some));
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_typed_outcome_within_bounds(bytes in vec(any::<u8>(), 0..2048)) {
        judge(exchanged(bytes))?;
    }

    #[test]
    fn any_bytes_after_a_status_line_end_in_a_typed_outcome_within_bounds(bytes in vec(any::<u8>(), 0..2048)) {
        judge(exchanged([b"HTTP/1.1 429 x\r\n", &bytes[..]].concat()))?;
    }

    #[test]
    fn a_good_answer_with_something_changed_ends_in_a_typed_outcome_within_bounds(answer in mutated()) {
        judge(exchanged(answer))?;
    }
}
