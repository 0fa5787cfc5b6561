//! A port that is known before what lies behind it: bytes go to wherever it is pointed, once it is.
//!
//! A receiver that must know the webhook's secret when it starts cannot have a port before the webhook is registered,
//! and a webhook cannot be registered without a URL.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// A relay; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    _server: AbortOnDropHandle<()>,
}

impl Relay {
    /// Opens a port whose connections wait until the relay is pointed somewhere.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a port")?;
        let address = listener.local_addr()?;
        let target = watch::Sender::new(None);
        let server = tokio::spawn(accept(listener, target.subscribe()));
        Ok(Self { address, target, _server: AbortOnDropHandle::new(server) })
    }

    /// The URL that leads through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/webhooks", self.address)
    }

    /// Points it somewhere, for connections that wait and for later ones.
    pub fn point(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }
}

async fn accept(listener: TcpListener, target: watch::Receiver<Option<SocketAddr>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(carry(stream, target.clone()));
    }
}

/// Carries one connection; either side may end it as it likes.
async fn carry(mut stream: TcpStream, mut target: watch::Receiver<Option<SocketAddr>>) {
    let Ok(Some(address)) = target.wait_for(Option::is_some).await.map(|target| *target) else { return };
    if let Ok(mut onward) = TcpStream::connect(address).await {
        let _ = copy_bidirectional(&mut stream, &mut onward).await;
    }
}
