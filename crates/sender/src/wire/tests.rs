//! What the kernel knows and the runtime has not heard of yet.

use std::io::Write;
use std::net::{Shutdown, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A connection, and its other end: a socket of the standard library, whose calls take effect in the kernel at once,
/// without the runtime having its turn.
pub(crate) async fn connection() -> (Wire, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let connecting = TcpStream::connect(listener.local_addr().expect("an address")).await;
    let (peer, _) = listener.accept().expect("a connection");
    (Wire::new(connecting.expect("a connection")), peer)
}

/// Polls once, without letting the runtime poll its driver before.
fn look(wire: &mut Wire) -> Poll<io::Result<usize>> {
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut bytes = [0; 64];
    let mut buffer = ReadBuf::new(&mut bytes);
    Pin::new(wire).poll_read(&mut context, &mut buffer).map_ok(|()| buffer.filled().len())
}

/// Sends a request and takes its answer; after that the runtime believes that there is nothing to read.
async fn exchange(wire: &mut Wire, peer: &mut std::net::TcpStream) {
    wire.write_all(b"request").await.expect("a peer");
    peer.write_all(b"answer").expect("a client");
    let mut answer = [0; 64];
    assert_eq!(wire.read(&mut answer).await.expect("an answer"), 6);
    assert!(look(wire).is_pending() && wire.arrived() == Arrived::Nothing);
}

#[tokio::test]
async fn a_close_is_seen_before_the_runtime_hears_of_it() {
    let (mut wire, mut peer) = connection().await;
    exchange(&mut wire, &mut peer).await;
    peer.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(wire.arrived(), Arrived::End);
    assert!(matches!(look(&mut wire), Poll::Ready(Ok(0))));
}

#[tokio::test]
async fn bytes_nobody_asked_for_are_seen_before_the_runtime_hears_of_them() {
    let (mut wire, mut peer) = connection().await;
    exchange(&mut wire, &mut peer).await;
    peer.write_all(b"stale").expect("a client");
    assert_eq!(wire.arrived(), Arrived::Bytes);
    assert!(matches!(look(&mut wire), Poll::Ready(Ok(5))));
    assert!(look(&mut wire).is_pending(), "they were taken");
}

#[tokio::test]
async fn whoever_waits_for_an_answer_is_woken_as_ever() {
    let (mut wire, mut peer) = connection().await;
    for _ in 0..3 {
        exchange(&mut wire, &mut peer).await;
    }
    let mut bytes = [0; 64];
    let (read, ()) =
        tokio::join!(wire.read(&mut bytes), async { peer.write_all(b"later").expect("a client") });
    assert_eq!(read.expect("bytes"), 5);
}

#[tokio::test]
async fn an_endless_answer_ends() {
    let (mut wire, mut peer) = connection().await;
    let flood = std::thread::spawn(move || while peer.write_all(&[b'x'; 4096]).is_ok() {});
    wire.write_all(b"request").await.expect("a peer");
    let mut total = 0;
    let error = loop {
        assert!(total <= ANSWER_WIRE_BYTES_MAX, "it goes on");
        match wire.read(&mut [0; 4096]).await {
            Ok(bytes) => total += bytes,
            Err(error) => break error,
        }
    };
    assert!(error.kind() == io::ErrorKind::InvalidData && total <= ANSWER_WIRE_BYTES_MAX, "{total}: {error}");
    drop(wire);
    flood.join().expect("the flood ends with the connection");
}
