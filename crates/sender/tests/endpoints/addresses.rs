//! Whom the sender refuses to call.

use bellhop_model::{Failure, Outcome};
use bellhop_sender::{Phases, Sender, SenderOptions};

use crate::endpoint::{Endpoint, outcome, post, sender};

const REFUSED: Outcome = Outcome::Failed(Failure::ForbiddenAddress);

#[tokio::test]
async fn loopback_is_refused_in_every_notation_unless_it_is_allowed() {
    let endpoint = Endpoint::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let strict = Sender::new(SenderOptions::default()).expect("a sender");
    let hosts = ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST."];
    for host in hosts {
        let url = format!("http://{host}:{}/", endpoint.port);
        let refused = post(&strict, &url).await;
        assert_eq!((refused.outcome, refused.phases), (REFUSED, Phases::default()), "{host}");
        assert_eq!(outcome(&sender(), &url).await.status(), Some(204), "{host}");
    }
    for host in ["[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "[64:ff9b::7f00:1]"] {
        let url = format!("http://{host}:{}/", endpoint.port);
        assert_eq!(outcome(&strict, &url).await, REFUSED, "{host}");
    }
    assert_eq!(endpoint.connections(), hosts.len());
}

#[tokio::test]
async fn a_redirect_into_the_network_is_an_answer() {
    let target = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
    let endpoint = Endpoint::answering(redirect).await;
    assert_eq!(outcome(&sender(), &endpoint.url()).await.status(), Some(307));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_host_that_cannot_exist_is_a_failure_of_dns() {
    let url = "https://does-not-exist.invalid/";
    assert_eq!(outcome(&sender(), url).await, Outcome::Failed(Failure::Dns));
}
