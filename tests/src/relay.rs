//! A port that is known before what lies behind it: bytes go to wherever it is pointed, once it is.
//!
//! A receiver that must know the webhook's secret when it starts cannot have a port before the webhook is registered,
//! and a webhook cannot be registered without a URL. And what a relay carries it can cut, at any byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// A connection that is to be cut carries less than two to the power of one of these, drawn at random: sometimes not
/// the first frame, sometimes a few hundred messages.
const CUT_EXPONENTS: std::ops::RangeInclusive<u32> = 8..=18;

/// Bytes carried at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// A relay; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    controls: Controls,
    _server: AbortOnDropHandle<()>,
}

/// What every connection looks at.
#[derive(Debug, Clone)]
struct Controls {
    target: watch::Sender<Option<SocketAddr>>,
    is_cutting: watch::Sender<bool>,
    cuts: Arc<AtomicUsize>,
}

impl Relay {
    /// Opens a port whose connections wait until the relay is pointed somewhere.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a port")?;
        let address = listener.local_addr()?;
        let controls = Controls {
            target: watch::Sender::new(None),
            is_cutting: watch::Sender::new(false),
            cuts: Arc::default(),
        };
        let server = tokio::spawn(accept(listener, controls.clone()));
        Ok(Self { address, controls, _server: AbortOnDropHandle::new(server) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that leads through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/webhooks", self.address)
    }

    /// Points it somewhere, for connections that wait and for later ones.
    pub fn point(&self, target: SocketAddr) {
        self.controls.target.send_replace(Some(target));
    }

    /// Cuts every connection after a random number of bytes from now, and those that come after a random number of
    /// theirs, until [`Relay::heal`].
    pub fn cut(&self) {
        self.controls.is_cutting.send_replace(true);
    }

    /// Carries everything again.
    pub fn heal(&self) {
        self.controls.is_cutting.send_replace(false);
    }

    /// How many connections were cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.controls.cuts.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, controls: Controls) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(carry(stream, controls.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection; either side may end it as it likes.
async fn carry(stream: TcpStream, controls: Controls) {
    let mut target = controls.target.subscribe();
    let Ok(Some(address)) = target.wait_for(Option::is_some).await.map(|target| *target) else { return };
    let Ok(onward) = TcpStream::connect(address).await else { return };
    // Frames are small, and waiting for more of them would be the relay's own delay.
    let _ = (stream.set_nodelay(true), onward.set_nodelay(true));
    let ((near_read, near_write), (far_read, far_write)) = (stream.into_split(), onward.into_split());
    let there = pump(near_read, far_write, &controls.is_cutting);
    let back = pump(far_read, near_write, &controls.is_cutting);
    tokio::pin!(there, back);
    // An end in one direction is passed on, and the other direction goes on; a cut ends both at once.
    let carried = tokio::select! {
        carried = &mut there => if carried == Carried::ToTheEnd { back.await } else { carried },
        carried = &mut back => if carried == Carried::ToTheEnd { there.await } else { carried },
    };
    if carried == Carried::UntilCut {
        controls.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Carried {
    ToTheEnd,
    UntilCut,
}

/// Carries one direction.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    is_cutting: &watch::Sender<bool>,
) -> Carried {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = None;
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        left = if *is_cutting.borrow() { Some(left.unwrap_or_else(bytes_until_cut)) } else { None };
        let passed = left.map_or(count, |left| count.min(left));
        if to.write_all(&chunk[..passed]).await.is_err() {
            break;
        }
        if passed < count {
            return Carried::UntilCut;
        }
        left = left.map(|left| left - passed);
    }
    let _ = to.shutdown().await;
    Carried::ToTheEnd
}

fn bytes_until_cut() -> usize {
    let mut random = rand::rng();
    let bound = 1_usize << random.random_range(CUT_EXPONENTS);
    random.random_range(0..bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patience::within;

    /// More than any connection carries that is to be cut.
    const PLENTY_BYTES: usize = 2 << *CUT_EXPONENTS.end();

    /// Sends bytes through the relay until it is cut or everything is sent.
    ///
    /// * returns how many bytes came out behind it.
    async fn send_plenty(relay: &Relay, listener: &TcpListener) -> Result<usize> {
        let mut stream = TcpStream::connect(relay.address()).await?;
        let (mut behind, _) = listener.accept().await?;
        let sending = async {
            let _ = stream.write_all(&vec![0; PLENTY_BYTES]).await;
            let _ = stream.shutdown().await;
        };
        let mut received = Vec::new();
        let receiving = async {
            // A cut may show as an error; what came before it is there all the same.
            let _ = behind.read_to_end(&mut received).await;
        };
        within("everything to be carried", async { tokio::join!(sending, receiving) }).await?;
        Ok(received.len())
    }

    #[tokio::test]
    async fn a_cutting_relay_cuts_every_connection_and_a_healed_one_carries_everything() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let relay = Relay::open().await?;
        relay.point(listener.local_addr()?);
        relay.cut();
        for cuts in 1..=20 {
            assert!(send_plenty(&relay, &listener).await? < PLENTY_BYTES);
            assert_eq!(relay.cuts(), cuts, "a cut is counted when both ends have gone");
        }
        relay.heal();
        assert_eq!(send_plenty(&relay, &listener).await?, PLENTY_BYTES);
        assert_eq!(relay.cuts(), 20);
        Ok(())
    }
}
