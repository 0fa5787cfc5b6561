//! A connection to an endpoint, plain or encrypted, as the HTTP client sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::client::TlsStream;

use crate::wire::{Arrived, Wire};

/// A connection that begins no request once the endpoint has ended it, or said something unasked.
///
/// hyper looks for both before it takes a request from its queue. Between that and the first write there is time enough
/// for a busy machine, and what happens meanwhile is known to the kernel: it is asked once more, at the last moment.
pub(crate) struct Stream {
    layer: Layer,
    asked: Asked,
    /// The right to be kept for a next request.
    kept: Option<OwnedSemaphorePermit>,
}

enum Layer {
    Plain(Wire),
    Encrypted(Box<TlsStream<Wire>>),
}

/// How much was asked of the endpoint since it last said something.
#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    /// The socket took a part and wants no more at present. The endpoint may answer, and close its half, meanwhile.
    Part,
    Something,
}

/// Why a request was not begun. Nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritten {
    #[error("the endpoint ended the connection before the request was begun")]
    Ended,
    #[error("the endpoint talked before the request was begun")]
    Unsolicited,
}

impl Stream {
    pub(crate) const fn plain(wire: Wire) -> Self {
        Self { layer: Layer::Plain(wire), asked: Asked::Nothing, kept: None }
    }

    pub(crate) fn encrypted(stream: TlsStream<Wire>) -> Self {
        Self { layer: Layer::Encrypted(Box::new(stream)), asked: Asked::Nothing, kept: None }
    }

    /// * `right`: to be kept for a next request; without it the connection is closed after its first.
    pub(crate) fn kept_by(self, right: Option<OwnedSemaphorePermit>) -> Self {
        Self { kept: right, ..self }
    }

    #[cfg(test)]
    pub(crate) fn peer(&self) -> std::net::IpAddr {
        self.wire().peer()
    }

    fn wire(&self) -> &Wire {
        match &self.layer {
            Layer::Plain(wire) => wire,
            Layer::Encrypted(tls) => tls.get_ref().0,
        }
    }

    /// # Errors
    /// [`Unwritten`] when it is known, at the last moment, that no answer to what is written can come.
    fn begin_write(&mut self) -> io::Result<()> {
        if !matches!(self.asked, Asked::Nothing) {
            return Ok(());
        }
        let refused = match (self.wire().arrived(), &self.layer) {
            (Arrived::End, _) => Some(Unwritten::Ended),
            (Arrived::Bytes, Layer::Plain(_)) => Some(Unwritten::Unsolicited),
            // Encrypted bytes may be a ticket for the next handshake; reading tells.
            (Arrived::Bytes, Layer::Encrypted(_)) | (Arrived::Nothing, _) => None,
        };
        if let Some(reason) = refused {
            return Err(io::Error::new(io::ErrorKind::NotConnected, reason));
        }
        Ok(())
    }

    fn note_write(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.asked = if written.is_pending() { Asked::Part } else { Asked::Something };
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let room_before = buffer.remaining();
        let polled = match &mut stream.layer {
            Layer::Plain(wire) => Pin::new(wire).poll_read(context, buffer),
            Layer::Encrypted(tls) => {
                // Hand-written servers drop the socket without the goodbye of TLS. What has a length is not cut short by
                // that unnoticed, and of a body without one nothing depends.
                let read = Pin::new(tls).poll_read(context, buffer);
                read.map(|result| result.or_else(end_without_goodbye))
            }
        };
        if buffer.remaining() < room_before {
            stream.asked = match stream.asked {
                Asked::Part => Asked::Part,
                Asked::Nothing | Asked::Something => Asked::Nothing,
            };
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.begin_write()?;
        let written = match &mut stream.layer {
            Layer::Plain(wire) => Pin::new(wire).poll_write(context, bytes),
            Layer::Encrypted(tls) => Pin::new(tls).poll_write(context, bytes),
        };
        stream.note_write(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.begin_write()?;
        let written = match &mut stream.layer {
            Layer::Plain(wire) => Pin::new(wire).poll_write_vectored(context, slices),
            Layer::Encrypted(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        };
        stream.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.layer {
            Layer::Plain(wire) => wire.is_write_vectored(),
            Layer::Encrypted(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(wire) => Pin::new(wire).poll_flush(context),
            Layer::Encrypted(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(wire) => Pin::new(wire).poll_shutdown(context),
            Layer::Encrypted(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        // Nothing that the client would copy into every response.
        let connected = Connected::new();
        if self.kept.is_none() {
            connected.poison();
        }
        connected
    }
}

fn end_without_goodbye(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::wire::tests::connection;

    fn reason(error: &io::Error) -> Option<Unwritten> {
        error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
    }

    #[tokio::test]
    async fn no_request_is_begun_on_a_connection_that_ended_or_talks_unasked() {
        // Before the first request and between two, noticed by reading or not.
        let speech: fn(&mut std::net::TcpStream) = |peer| peer.write_all(b"stale").expect("a client");
        let farewell: fn(&mut std::net::TcpStream) = |peer| peer.shutdown(Shutdown::Write).expect("a socket");
        for (act, expected) in [(speech, Unwritten::Unsolicited), (farewell, Unwritten::Ended)] {
            for exchanges in 0..2 {
                let (wire, mut peer) = connection().await;
                let mut stream = Stream::plain(wire);
                for _ in 0..exchanges {
                    stream.write_all(b"request").await.expect("a peer");
                    peer.write_all(b"answer").expect("a client");
                    stream.read_exact(&mut [0; 6]).await.expect("an answer");
                }
                act(&mut peer);
                let error = stream.write(b"request").await.expect_err("refused");
                assert_eq!(reason(&error), Some(expected), "after {exchanges}");
            }
        }
        let (wire, peer) = connection().await;
        let mut stream = Stream::plain(wire);
        drop(peer);
        assert_eq!(stream.read(&mut [0; 6]).await.expect("an end"), 0);
        let error = stream.write_vectored(&[IoSlice::new(b"request")]).await.expect_err("refused");
        assert_eq!(reason(&error), Some(Unwritten::Ended));
    }

    #[tokio::test]
    async fn a_request_that_was_begun_is_written_to_its_end() {
        // An endpoint may answer, and close its half, before it has read everything.
        let (wire, mut peer) = connection().await;
        let mut stream = Stream::plain(wire);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut write = |stream: &mut Stream| Pin::new(stream).poll_write(&mut context, &[b'x'; 65536]);
        let mut written = 0;
        while let Poll::Ready(result) = write(&mut stream) {
            written += result.expect("a peer");
        }
        peer.write_all(b"early").expect("a client");
        stream.read_exact(&mut [0; 5]).await.expect("an answer");
        peer.shutdown(Shutdown::Write).expect("a socket");
        io::Read::read_exact(&mut peer, &mut vec![0; written]).expect("a client");
        assert!(stream.write_all(b"rest").await.is_ok());
    }
}
