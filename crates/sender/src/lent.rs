//! One exchange on a connection that somebody else has opened: what an attempt writes and reads, without what leads there.
//!
//! It is how tests and fuzzers lie on the wire without a socket.

use bellhop_model::{Answer, Failure};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Exchange;
use crate::classify::failure_of;
use crate::client::{ANSWER_BUFFER_BYTES_MAX, Progress};
use crate::request::Request;

/// Posts a request on a connection and reads the answer by the bounds of every attempt.
///
/// Nothing is resolved, judged, dialled or encrypted, there is no deadline, and the connection ends with the exchange; so
/// this is not a way to send a webhook. It must be called within a Tokio runtime.
pub async fn exchange_over<C>(connection: C, request: Request<'_>) -> Exchange
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut progress = Progress::begin();
    let attempt = attempt(connection, &request, &mut progress).await;
    progress.conclude(attempt, None)
}

/// The settings of HTTP are those of the pools in `client`.
async fn attempt<C>(connection: C, request: &Request<'_>, progress: &mut Progress) -> Result<Answer, Failure>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let assembled = request.assemble().map_err(|_| Failure::Dns)?;
    let (mut sending, connection) = http1::Builder::new()
        .max_buf_size(ANSWER_BUFFER_BYTES_MAX)
        .title_case_headers(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(connection))
        .await
        .map_err(|error| failure_of(&error))?;
    let driving = tokio::spawn(connection);
    let answer = match sending.send_request(assembled).await {
        Ok(response) => progress.read(response).await,
        Err(error) => Err(failure_of(&error)),
    };
    driving.abort();
    answer
}

#[cfg(test)]
mod tests {
    use bellhop_model::{EndpointUrl, Mode, Outcome};
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_as_an_attempt_reads_it() {
        let cases = [
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok(204)),
            ("HTTP/1.1 200 OK\r\n x\r\ncontent-length: 2\r\n\r\nok", Ok(200)),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Err(Failure::Protocol)),
            ("HTTP/1.1 2000 OK\r\n\r\n", Err(Failure::Protocol)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", Err(Failure::Interrupted)),
            ("", Err(Failure::Interrupted)),
        ];
        for (answer, expected) in cases {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let endpoint = tokio::spawn(async move {
                let _ = theirs.read(&mut [0; 4096]).await;
                theirs.write_all(answer.as_bytes()).await.expect("a client");
            });
            let url = EndpointUrl::parse("https://example.org/", Mode::Live).expect("a URL");
            let request =
                Request::new(&url, Mode::Live, Vec::new(), Bytes::from_static(b"{}")).expect("https");
            let told = match exchange_over(ours, request).await.outcome {
                Outcome::Answered(answer) => Ok(answer.status),
                Outcome::Failed(failure) => Err(failure),
            };
            endpoint.await.expect("an endpoint");
            assert_eq!(told, expected, "{answer:?}");
        }
    }
}
