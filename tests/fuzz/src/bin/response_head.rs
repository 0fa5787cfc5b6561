//! Whatever an endpoint answers, the exchange ends, with a typed outcome and a bounded excerpt.
#![no_main]

use std::time::Duration;

use bellhop_model::limits::{
    ANSWER_EXCERPT_BYTES_MAX, ANSWER_HEADER_NAME_BYTES_MAX, ANSWER_HEADER_VALUE_BYTES_MAX,
    ANSWER_HEADERS_MAX, RETRY_AFTER_MAX,
};
use bellhop_model::{Answer, EndpointUrl, Failure, Mode, Outcome};
use bellhop_sender::{Exchange, Request, exchange_over};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Builder;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(10);

fuzz_target!(|answer: &[u8]| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    judge(runtime.block_on(exchanged(answer.to_vec())));
});

/// What comes of an answer after which the endpoint closes.
async fn exchanged(answer: Vec<u8>) -> Exchange {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let _ = theirs.read(&mut [0; 4096]).await;
        let _ = theirs.write_all(&answer).await;
    });
    let url = EndpointUrl::parse("https://example.org/", Mode::Live).expect("a URL");
    let request = Request::new(&url, Mode::Live, Vec::new(), Bytes::from_static(b"{}")).expect("https");
    timeout(DEADLINE, exchange_over(ours, request)).await.expect("the exchange ends with the connection")
}

fn judge(exchange: Exchange) {
    match exchange.outcome {
        Outcome::Answered(Answer { status, retry_after }) => {
            assert!((200..=999).contains(&status), "{status}");
            assert!(retry_after.is_none_or(|wait| wait <= RETRY_AFTER_MAX), "{retry_after:?}");
            assert!(retry_after.is_none() || matches!(status, 429 | 503), "{status}");
        }
        Outcome::Failed(failure) => {
            assert!(matches!(failure, Failure::Interrupted | Failure::Protocol), "{failure:?}");
        }
    }
    let excerpt = exchange.answer;
    assert!(excerpt.headers.len() <= ANSWER_HEADERS_MAX && excerpt.body.len() <= ANSWER_EXCERPT_BYTES_MAX);
    assert!(!excerpt.body.contains(char::is_control));
    for header in &excerpt.headers {
        assert!(header.name.len() <= ANSWER_HEADER_NAME_BYTES_MAX, "{header:?}");
        assert!(header.value.len() <= ANSWER_HEADER_VALUE_BYTES_MAX, "{header:?}");
        assert!(!header.value.contains(char::is_control), "{header:?}");
    }
}
