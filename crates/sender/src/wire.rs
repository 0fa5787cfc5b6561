//! A TCP connection that is asked before it is believed idle, and that carries no more than an answer can need.

use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::has_budget_remaining;

#[cfg(test)]
pub(crate) mod tests;

/// Greatest number of bytes that an endpoint may send between two writes of ours, TLS included. An answer of the
/// greatest size, with all that is read ahead of it, needs half; an endless run of interim answers needs any number.
const ANSWER_WIRE_BYTES_MAX: usize = 256 * 1024;

/// A connection to an endpoint, below TLS.
pub(crate) struct Wire {
    socket: TcpStream,
    /// Bytes read since something was last written.
    read_bytes: usize,
    /// Whether nothing is asked of the endpoint as far as is seen here: nothing was written, or it began to answer.
    is_quiet: bool,
}

/// What the kernel has of an endpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    Nothing,
    Bytes,
    /// Nothing more will come.
    End,
}

/// The endpoint goes on and on.
#[derive(Debug, thiserror::Error)]
#[error("more than {ANSWER_WIRE_BYTES_MAX} bytes were sent at once")]
struct Endless;

impl Wire {
    pub(crate) const fn new(socket: TcpStream) -> Self {
        Self { socket, read_bytes: 0, is_quiet: true }
    }

    #[cfg(test)]
    pub(crate) fn peer(&self) -> std::net::IpAddr {
        self.socket.peer_addr().expect("a peer").ip()
    }

    /// Asks the kernel what has arrived, whatever the runtime has heard of.
    ///
    /// The runtime hears of a close, or of bytes nobody asked for, only when it polls its driver, and a busy one does
    /// that late. A request that is begun meanwhile is lost on a dead connection, although it could still move to
    /// another, or takes for its own an answer that was there before it.
    pub(crate) fn arrived(&self) -> Arrived {
        match SockRef::from(&self.socket).peek(&mut [MaybeUninit::uninit()]) {
            Ok(0) => Arrived::End,
            Ok(_) => Arrived::Bytes,
            Err(error) if is_passing(&error) => Arrived::Nothing,
            Err(_) => Arrived::End,
        }
    }

    /// Reads what the kernel has.
    fn read_arrived(&self, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.arrived() == Arrived::Nothing {
            return Poll::Pending;
        }
        // The buffer is made ready for reading only now, because as a rule there is nothing.
        match (&*SockRef::from(&self.socket)).read(buffer.initialize_unfilled()) {
            Ok(bytes) => {
                buffer.advance(bytes);
                Poll::Ready(Ok(()))
            }
            // The runtime was asked first, so whoever waits is woken.
            Err(error) if is_passing(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    const fn note_write(&mut self) {
        self.read_bytes = 0;
        self.is_quiet = false;
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let filled_before = buffer.filled().len();
        let polled = match Pin::new(&mut wire.socket).poll_read(context, buffer) {
            // Pending for want of budget means: let others run.
            Poll::Pending if wire.is_quiet && has_budget_remaining() => wire.read_arrived(buffer),
            polled => polled,
        };
        let bytes = buffer.filled().len() - filled_before;
        if 0 < bytes {
            wire.is_quiet = true;
            wire.read_bytes += bytes;
        }
        if ANSWER_WIRE_BYTES_MAX < wire.read_bytes {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Endless)));
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.note_write();
        Pin::new(&mut wire.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.note_write();
        Pin::new(&mut wire.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
