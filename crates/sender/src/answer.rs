//! What is read of an endpoint's answer: status, `Retry-After`, and the first bytes of the body.

use bellhop_model::limits::{ANSWER_BYTES_MAX, ANSWER_EXCERPT_BYTES_MAX, RETRY_AFTER_MAX};
use bellhop_model::{Answer, Failure, parse_retry_after};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper::http::response::Parts;
use time::OffsetDateTime;

use crate::classify::failure_of;

/// Bytes of the body that are kept: as many as an excerpt shows, and the rest of a character that begins there.
const KEPT_BYTES_MAX: usize = ANSWER_EXCERPT_BYTES_MAX + 3;

/// Reads the head of an answer.
///
/// * `now`: what a date in `Retry-After` is measured against.
///
/// # Errors
/// [`Failure::Protocol`] when the status is not final: nobody asked to switch protocols.
pub(crate) fn read_head(head: &Parts, now: OffsetDateTime) -> Result<Answer, Failure> {
    let status = head.status;
    if status.is_informational() {
        return Err(Failure::Protocol);
    }
    let may_ask = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = head.headers.get(RETRY_AFTER).filter(|_| may_ask);
    let retry_after = asked.and_then(|value| parse_retry_after(value.as_bytes(), now, RETRY_AFTER_MAX).ok());
    Ok(Answer { status: status.as_u16(), retry_after })
}

/// Reads the body, up to [`ANSWER_BYTES_MAX`], and keeps its beginning in `kept`. An answer that we cut there is as good
/// as a whole one; the connection ends with `body`, because what is left in it is not waited for.
///
/// # Errors
/// The failure when the body breaks off before: the endpoint then did not finish its answer, whatever its status said.
/// `kept` holds what came until then.
pub(crate) async fn read_body(mut body: Incoming, kept: &mut Vec<u8>) -> Result<(), Failure> {
    let mut read_bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failure_of(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = KEPT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        read_bytes += data.len();
        if ANSWER_BYTES_MAX <= read_bytes {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::Response;

    use super::*;

    fn head(status: u16, retry_after: &str) -> Result<Answer, Failure> {
        let response = Response::builder().status(status).header(RETRY_AFTER, retry_after).body(());
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).expect("Sun, 06 Nov 1994 08:49:37 GMT");
        let (head, ()) = response.expect("a response").into_parts();
        read_head(&head, now)
    }

    #[test]
    fn only_429_and_503_may_ask_for_a_wait() {
        let cases = [
            (200, "5", None),
            (302, "5", None),
            (500, "5", None),
            (429, "5", Some(5)),
            (503, "5", Some(5)),
            (503, "Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            (429, "99999999", Some(3600)),
            (429, "soon", None),
        ];
        for (status, value, seconds) in cases {
            let answer = Answer { status, retry_after: seconds.map(Duration::from_secs) };
            assert_eq!(head(status, value), Ok(answer), "{status} {value}");
        }
    }

    #[test]
    fn a_status_that_is_not_final_is_no_answer() {
        assert_eq!(head(101, "5"), Err(Failure::Protocol));
    }
}
