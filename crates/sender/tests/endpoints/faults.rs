//! Endpoints that break off, hang up, or are not there.

use bellhop_model::{Failure, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::endpoint::{Endpoint, impatient_sender, outcome, post, read_request, sender};

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
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
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let endpoint = Endpoint::serve(move |mut socket| async move {
            read_request(&mut socket).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            socket.set_zero_linger().expect("a socket");
        })
        .await;
        assert_eq!(outcome(&sender(), &endpoint.url()).await, failed(Failure::Interrupted), "{answer}");
        assert_eq!(endpoint.connections(), 1);
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_up_at_once_has_no_answer() {
    // Whether the request was on its way by then is a matter of luck; that it is not repeated is not.
    for is_reset in [false, true] {
        let endpoint = Endpoint::serve(move |socket| async move {
            if is_reset {
                socket.set_zero_linger().expect("a socket");
            }
        })
        .await;
        let sent = outcome(&sender(), &endpoint.url()).await;
        assert!([Failure::Connect, Failure::Interrupted].map(failed).contains(&sent), "{sent:?}");
        assert_eq!(endpoint.connections(), 1);
    }
}

#[tokio::test]
async fn an_endpoint_that_closes_its_half_may_have_answered() {
    let answers = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Some(200)),
        ("HTTP/1.1 200 OK\r\n\r\nok", Some(200)),
        ("", None),
    ];
    for (answer, status) in answers {
        let endpoint = Endpoint::serve(move |mut socket| async move {
            read_request(&mut socket).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
            let _ = socket.read(&mut [0]).await;
        })
        .await;
        let sent = outcome(&sender(), &endpoint.url()).await;
        assert_eq!(sent.status(), status, "{answer}");
        assert!(status.is_some() || sent == failed(Failure::Interrupted), "{sent:?}");
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
