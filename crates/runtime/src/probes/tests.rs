//! The probes over real sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::metrics::Build;

const ANY_PORT: ProbeConfig =
    ProbeConfig { listen: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0) };

/// A server that answers, and what it answers from.
struct Serving {
    address: SocketAddr,
    health: Health,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn serve() -> Serving {
    let server = ProbeServer::bind(ANY_PORT).await.unwrap();
    let address = server.address();
    let health = Health::new();
    let metrics = Metrics::new(Build { process: "worker", version: "1.2.3", commit: "abc" });
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.serve(health.clone(), metrics, stop.clone()));
    Serving { address, health, stop, task }
}

impl Serving {
    /// Sends bytes and reads until the server closes: head and body.
    async fn exchange(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn request(&self, method: &str, path: &str) -> (String, String) {
        self.exchange(&format!("{method} {path} HTTP/1.1\r\nhost: probes\r\n\r\n")).await
    }
}

#[tokio::test]
async fn every_path_and_method_has_its_status() {
    let serving = serve().await;
    let cases = [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("POST", "/livez", 405),
        ("GET", "/readyz", 200),
        ("GET", "/readyz?verbose", 200),
        ("DELETE", "/readyz", 405),
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("PUT", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("POST", "/elsewhere", 404),
    ];
    for (method, path, status) in cases {
        let (head, body) = serving.request(method, path).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {head}");
        assert_eq!(head.contains("allow: GET, HEAD"), status == 405, "{method} {path}: {head}");
        assert_eq!(body.is_empty(), method == "HEAD", "{method} {path}: {body}");
        assert!(head.contains("connection: close"), "{method} {path}: {head}");
    }
}

#[tokio::test]
async fn readiness_lists_the_conditions() {
    let serving = serve().await;
    let broker = serving.health.condition("broker");
    broker.set_not_ready("connection lost");
    let (head, body) = serving.request("GET", "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(body, "not ready\nbroker: not ready: connection lost\n");
    assert!(serving.request("GET", "/livez").await.0.starts_with("HTTP/1.1 200 "), "alive though not ready");

    broker.set_ready();
    let (head, body) = serving.request("GET", "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(body, "ready\nbroker: ready\n");
}

#[tokio::test]
async fn metrics_are_in_prometheus_text_format() {
    let (head, body) = serve().await.request("GET", "/metrics").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\nbellhop_build_info{"), "{body}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let holder = ProbeServer::bind(ANY_PORT).await.unwrap();
    let error = ProbeServer::bind(ProbeConfig { listen: holder.address() }).await.unwrap_err();
    assert!(matches!(error, ProbeError::Taken { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&holder.address().to_string()) && text.contains("BELLHOP_PROBES_LISTEN"), "{text}");
}

#[tokio::test]
async fn an_address_of_another_host_is_refused() {
    // 192.0.2.0/24 is reserved for documentation and no host's own.
    let listen = "192.0.2.1:0".parse().unwrap();
    let error = ProbeServer::bind(ProbeConfig { listen }).await.unwrap_err();
    assert!(matches!(error, ProbeError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let headers: String = (0..=HEADERS_MAX).map(|index| format!("x-{index}: y\r\n")).collect();
    let (head, _) = serve().await.exchange(&format!("GET /livez HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let serving = serve().await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}

/// The clock is paused: waiting for the deadline of the idle connection would show as time that passed.
#[tokio::test(start_paused = true)]
async fn a_stopped_server_lets_idle_connections_go() {
    let serving = serve().await;
    let mut idle = TcpStream::connect(serving.address).await.unwrap();
    // An answer to a later connection proves that the idle one was accepted.
    serving.request("GET", "/livez").await;

    let start = tokio::time::Instant::now();
    serving.stop.cancel();
    serving.task.await.unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(start.elapsed() < HEAD_TIMEOUT, "the server waited for the idle connection");
}

/// With the clock paused, time passes only while every task waits, so the deadline is all that can free the
/// slots.
#[tokio::test(start_paused = true)]
async fn silent_connections_do_not_hold_their_slots_for_ever() {
    let serving = serve().await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(serving.address).await.unwrap());
    }
    let start = tokio::time::Instant::now();
    let (head, _) = serving.request("GET", "/livez").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(HEAD_TIMEOUT <= start.elapsed(), "the slots were not taken");
}
