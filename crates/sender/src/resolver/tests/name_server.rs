//! A name server on loopback that follows a script, on UDP and TCP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType, rdata};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use crate::resolver::SystemResolver;

/// Greatest size of a message on UDP that is sent here.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// One query, as a script sees it.
pub(crate) struct Asked {
    pub(crate) query: Message,
    /// How many queries for this type came before.
    pub(crate) before: usize,
    pub(crate) is_tcp: bool,
}

/// A server on 127.0.0.1; it ends with the value.
pub(crate) struct NameServer {
    port: u16,
    asked: Arc<Count>,
    serving: [JoinHandle<()>; 2],
}

/// How often was asked for IPv4 addresses, and for anything else.
#[derive(Default)]
struct Count([AtomicUsize; 2]);

type Script = Arc<dyn Fn(Asked) -> Vec<Vec<u8>> + Send + Sync>;

impl NameServer {
    /// Answers each query with the messages that the script makes of it: none, one, or several.
    pub(crate) async fn serve(script: impl Fn(Asked) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        let (datagrams, listener) = bind_both().await;
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::<Count>::default();
        let script: Script = Arc::new(script);
        let serving = [
            tokio::spawn(serve_datagrams(datagrams, Arc::clone(&script), Arc::clone(&asked))),
            tokio::spawn(serve_connections(listener, script, Arc::clone(&asked))),
        ];
        Self { port, asked, serving }
    }

    /// Tells the same addresses of every name, each to whom asks for its family.
    pub(crate) async fn telling(addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect(text)).collect();
        Self::serve(move |asked| vec![asked.answer(&addresses)]).await
    }

    /// How many queries came so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// A resolver that asks this server and nobody else.
    pub(crate) fn resolver(&self, step_timeout: Duration) -> SystemResolver {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = self.port;
            connection
        });
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, connections.into());
        let config = ResolverConfig::from_name_servers(vec![server]);
        SystemResolver::new(Hosts::default(), config, ResolverOpts::default(), step_timeout)
            .expect("a resolver")
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

impl Asked {
    pub(crate) fn record_type(&self) -> RecordType {
        self.query.queries[0].query_type()
    }

    pub(crate) fn is_v4(&self) -> bool {
        self.record_type() == RecordType::A
    }

    pub(crate) fn name(&self) -> &Name {
        self.query.queries[0].name()
    }

    /// The answer that tells those of the addresses that are of the family asked for. They may not be kept.
    pub(crate) fn answer(&self, addresses: &[IpAddr]) -> Vec<u8> {
        let data = addresses.iter().map(|address| match address {
            IpAddr::V4(address) => RData::A(rdata::A(*address)),
            IpAddr::V6(address) => RData::AAAA(rdata::AAAA(*address)),
        });
        self.records(data.filter(|data| data.record_type() == self.record_type()))
    }

    /// The answer that calls the name an alias.
    pub(crate) fn alias(&self, target: &str) -> Vec<u8> {
        let target = Name::from_ascii(target).expect(target);
        self.records([RData::CNAME(rdata::CNAME(target))])
    }

    pub(crate) fn code(&self, code: ResponseCode) -> Vec<u8> {
        let mut message = self.response();
        message.metadata.response_code = code;
        message.to_vec().expect("a message")
    }

    /// The answer that is too long to be told here.
    pub(crate) fn truncated(&self) -> Vec<u8> {
        let mut message = self.response();
        message.metadata.truncation = true;
        message.to_vec().expect("a message")
    }

    fn records(&self, data: impl IntoIterator<Item = RData>) -> Vec<u8> {
        let mut message = self.response();
        message.add_answers(data.into_iter().map(|data| Record::from_rdata(self.name().clone(), 0, data)));
        message.to_vec().expect("a message")
    }

    fn response(&self) -> Message {
        let mut message = self.query.clone().into_response();
        message.edns = None;
        message
    }
}

/// A port that is free on both.
async fn bind_both() -> (UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        if let Ok(datagrams) = UdpSocket::bind(listener.local_addr().expect("an address")).await {
            return (datagrams, listener);
        }
    }
}

async fn serve_datagrams(socket: UdpSocket, script: Script, asked: Arc<Count>) {
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    while let Ok((length, client)) = socket.recv_from(&mut bytes).await {
        for answer in answers(&bytes[..length], &script, &asked, false) {
            reply(&socket, client, &answer).await;
        }
    }
}

async fn reply(socket: &UdpSocket, client: SocketAddr, answer: &[u8]) {
    // Whoever asked may have gone.
    let _ = socket.send_to(answer, client).await;
}

async fn serve_connections(listener: TcpListener, script: Script, asked: Arc<Count>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(serve_connection(socket, Arc::clone(&script), Arc::clone(&asked)));
    }
}

/// On TCP each message has its length before it.
async fn serve_connection(mut socket: TcpStream, script: Script, asked: Arc<Count>) {
    while let Ok(length) = socket.read_u16().await {
        let mut query = vec![0; length.into()];
        if socket.read_exact(&mut query).await.is_err() {
            return;
        }
        for answer in answers(&query, &script, &asked, true) {
            let length = u16::try_from(answer.len()).expect("a message");
            if socket.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await.is_err() {
                return;
            }
        }
    }
}

fn answers(bytes: &[u8], script: &Script, asked: &Count, is_tcp: bool) -> Vec<Vec<u8>> {
    let query = Message::from_vec(bytes).expect("a query");
    let mut asking = Asked { query, before: 0, is_tcp };
    asking.before = asked.0[usize::from(!asking.is_v4())].fetch_add(1, Ordering::Relaxed);
    script(asking)
}
