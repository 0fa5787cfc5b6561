//! A port that is known before what lies behind it, and that may ill-treat what passes through it.
//!
//! A receiver that must know the webhook's secret when it starts cannot have a port before the webhook is registered,
//! and a webhook cannot be registered without a URL. And no server can be told to answer late, to answer nonsense, to
//! fall silent without closing, or to break off in the middle of a frame.

mod cuts;

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use self::cuts::{Cuts, Direction};

/// Most bytes that are carried at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A relay; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: watch::Sender<Option<SocketAddr>>,
    passage: watch::Sender<Passage>,
    silences: watch::Sender<u64>,
    drops: watch::Sender<u64>,
    cuts: Arc<Cuts>,
    _server: AbortOnDropHandle<()>,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// Requests pass, and answers so much later.
    Late(Duration),
    /// Whatever is asked of a new connection, the relay itself answers this, every time.
    Answered(&'static [u8]),
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct Rules {
    target: watch::Receiver<Option<SocketAddr>>,
    passage: watch::Receiver<Passage>,
    silences: watch::Receiver<u64>,
    drops: watch::Receiver<u64>,
    cuts: Arc<Cuts>,
}

impl Relay {
    /// Opens a port whose connections wait until the relay is pointed somewhere.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("open a port")?;
        let address = listener.local_addr()?;
        let (target, passage) = (watch::Sender::new(None), watch::Sender::new(Passage::Open));
        let (silences, drops) = (watch::Sender::new(0), watch::Sender::new(0));
        let cuts = Arc::new(Cuts::default());
        let rules = Rules {
            target: target.subscribe(),
            passage: passage.subscribe(),
            silences: silences.subscribe(),
            drops: drops.subscribe(),
            cuts: Arc::clone(&cuts),
        };
        let server = AbortOnDropHandle::new(tokio::spawn(accept(listener, rules)));
        Ok(Self { address, target, passage, silences, drops, cuts, _server: server })
    }

    /// Opens a port in front of a server.
    ///
    /// * `url`: the server's, with an address and a port.
    /// * returns the relay, and the same URL with the relay's address in it.
    ///
    /// # Errors
    /// When no port is free, or the URL names no address.
    pub async fn before(url: &str) -> Result<(Self, String)> {
        let mut url = Url::parse(url).context("parse the server's URL")?;
        let host = url.host_str().context("the URL has a host")?.parse().context("the host is an address")?;
        let port = url.port().context("the URL has a port")?;
        let relay = Self::open().await?;
        relay.point(SocketAddr::new(host, port));
        url.set_port(Some(relay.address.port())).map_err(|()| anyhow!("the URL cannot have a port"))?;
        Ok((relay, url.into()))
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
        self.target.send_replace(Some(target));
    }

    /// Decides what becomes of the bytes from now on.
    ///
    /// Connections that the relay answered by itself are closed.
    pub fn treat(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }

    /// Falls silent on every connection there is, for good, and closes none; later ones are carried as usual.
    pub fn silence(&self) {
        self.silences.send_modify(|silences| *silences += 1);
    }

    /// Cuts the next connections off, each after some bytes in one direction, and lets all later ones be.
    ///
    /// * `seed`: decides where each is cut.
    /// * `count`: how many are.
    pub fn cut(&self, seed: u64, count: usize) {
        self.cuts.plan(seed, count);
    }

    /// Cuts off every connection there is, wherever it stands.
    pub fn cut_now(&self) {
        self.drops.send_modify(|drops| *drops += 1);
    }

    /// How many connections have been cut off so far.
    #[must_use]
    pub fn cut_off(&self) -> usize {
        self.cuts.made()
    }
}

async fn accept(listener: TcpListener, rules: Rules) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(carry(stream, rules.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection; either side may end it as it likes.
async fn carry(stream: TcpStream, mut rules: Rules) {
    rules.silences.mark_unchanged();
    rules.drops.mark_unchanged();
    let passage = *rules.passage.borrow_and_update();
    if let Passage::Answered(answer) = passage {
        tokio::select! {
            () = respond(stream, answer) => return,
            _ = rules.passage.changed() => return,
        }
    }
    let Ok(Some(address)) = rules.target.wait_for(Option::is_some).await.map(|target| *target) else {
        return;
    };
    let Ok(onward) = TcpStream::connect(address).await else { return };
    let (from_client, to_client) = stream.into_split();
    let (from_server, to_server) = onward.into_split();
    let cut = rules.cuts.draw();
    let bytes_of = |direction| cut.filter(|cut| cut.direction == direction).map(|cut| cut.after_bytes);
    let asking =
        Passing { passage: rules.passage.clone(), left: bytes_of(Direction::Asked), is_answer: false };
    let answering = Passing { passage: rules.passage, left: bytes_of(Direction::Answered), is_answer: true };
    let carrying =
        async { tokio::try_join!(asking.run(from_client, to_server), answering.run(from_server, to_client)) };
    tokio::pin!(carrying);
    let ended = tokio::select! {
        ended = &mut carrying => ended,
        // The halves stay open, and nobody reads them.
        _ = rules.silences.changed() => pending().await,
        _ = rules.drops.changed() => Err(Broken::Cut),
    };
    if let Err(Broken::Cut) = ended {
        rules.cuts.note();
    }
}

/// Answers everything with the same.
async fn respond(mut stream: TcpStream, answer: &[u8]) {
    let mut asked = vec![0; CHUNK_BYTES];
    while let Ok(1..) = stream.read(&mut asked).await {
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// One direction of one connection.
struct Passing {
    passage: watch::Receiver<Passage>,
    /// How many bytes pass before the connection is cut off; `None` when it is not.
    left: Option<usize>,
    is_answer: bool,
}

/// Why a connection is dropped with both its directions.
enum Broken {
    Cut,
    ByOneSide,
}

impl Passing {
    /// Carries bytes until their sender has no more.
    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Result<(), Broken> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = from.read(&mut chunk).await.map_err(|_| Broken::ByOneSide)?;
            if read == 0 {
                return to.shutdown().await.map_err(|_| Broken::ByOneSide);
            }
            let passage = *self.passage.borrow();
            if let Passage::Late(delay) = passage
                && self.is_answer
            {
                // waits: lateness is what the relay is asked for; nothing is awaited by it.
                tokio::time::sleep(delay).await;
            }
            let passing = self.left.map_or(read, |left| left.min(read));
            to.write_all(&chunk[..passing]).await.map_err(|_| Broken::ByOneSide)?;
            if let Some(left) = &mut self.left {
                *left -= passing;
                if *left == 0 {
                    return Err(Broken::Cut);
                }
            }
        }
    }
}
