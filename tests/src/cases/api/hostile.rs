//! What strangers send: refused, told why, and no burden to the others.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Role};
use bytes::Bytes;
use hyper::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ground::{Ground, webhook};
use crate::api::Call;
use crate::appointment::ORGANISATION;
use crate::context::Context;
use crate::patience::within;

/// Bodies, media types, paths, methods and headers that no client of good will sends.
pub async fn hostile_requests_are_refused_and_told_why(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let send = |body: Bytes, media_type: &str| -> Call {
        let call = ground.api.call(Method::POST, "/v1/webhooks").by(&ground.key);
        call.header("content-type", media_type).bytes(body)
    };
    let deep = [b"{\"url\":".as_slice(), &b"[".repeat(50_000), &b"]".repeat(50_000), b"}"].concat();
    let json = "application/json";
    let cases: [(Bytes, &str, u16); 13] = [
        (Bytes::new(), json, 400),
        (Bytes::from_static(b"{"), json, 400),
        (Bytes::from_static(b"{\"url\":\"https://example.org/\",\"events\":[\"a.b\"]}{}"), json, 400),
        (Bytes::from_static(b"\xff\xfe"), json, 400),
        (Bytes::from_static(b"{\"url\":\"\xc3\x28\"}"), json, 400),
        (Bytes::from_static(b"[]"), json, 422),
        (Bytes::from_static(b"{\"url\":\"a\",\"url\":\"b\"}"), json, 422),
        (Bytes::from_static(b"{\"url\":1e999999}"), json, 400),
        (deep.into(), json, 422),
        (vec![b' '; 128 * 1024 + 1].into(), json, 413),
        (Bytes::from_static(b"url=https://example.org"), "application/x-www-form-urlencoded", 415),
        (Bytes::from_static(b"{}"), "text/plain", 415),
        (Bytes::from_static(b"<x/>"), "application/xml", 415),
    ];
    for (body, media_type, status) in cases {
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        send(body, media_type).expect(status).await.with_context(|| start)?;
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/webhooks/",
        "/v1/webhooks/wh_1/x",
        "/v2/webhooks",
        "/v1/webhooks/%00",
        "/v1/webhooks/..%2f..%2fetc",
        "/v1/webhooks/wh_'--",
        "/v1/keys/wh_1/x",
        "/V1/WEBHOOKS",
    ] {
        ground.api.get(&ground.key, path).expect(404).await?;
    }
    for method in [Method::PUT, Method::TRACE, Method::OPTIONS, Method::from_bytes(b"BREW")?] {
        let refused = ground.api.call(method, "/v1/webhooks").by(&ground.key).expect(405).await?;
        ensure!(refused.header("allow").contains("POST"), "{refused:?}");
    }
    let named =
        ground.api.get(&ground.key, "/v1/webhooks").header("x-request-id", "mine-1").expect(200).await?;
    ensure!(named.header("x-request-id") == "mine-1");
    let renamed =
        ground.api.get(&ground.key, "/v1/webhooks").header("x-request-id", "a\"b").expect(200).await?;
    ensure!(renamed.header("x-request-id").starts_with("req_"), "{renamed:?}");
    // A body in pieces, without a length, is bounded all the same.
    let head = format!(
        "POST /v1/webhooks HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        ground.key
    );
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let answer = exchange(address(&ground)?, &[head, chunk.repeat(3)].concat()).await?;
    ensure!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    ensure!(ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await?.is_empty());
    Ok(())
}

/// It never gets as far as to be a request, so nothing that answers carry is in the answer.
pub async fn a_head_that_cannot_be_read_is_refused_barely(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let field = format!("x-long: {}\r\n", "n".repeat(1024));
    for (head, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET /v1/webhooks HTTP/7.0\r\nhost: a\r\n\r\n".to_owned(), 400),
        (format!("GET /v1/webhooks HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(64)), 431),
        (format!("GET /v1/webhooks HTTP/1.1\r\nhost: a\r\n{}\r\n", field.repeat(17)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "n".repeat(17 * 1024)), 431),
    ] {
        let answer = exchange(address(&ground)?, &head).await?;
        let is_bare = answer.contains("content-length: 0") && answer.contains("connection: close");
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && is_bare, "{status}: {answer}");
    }
    Ok(())
}

/// A key's budget is its own, and so is an address's.
pub async fn who_asks_too_often_waits_and_the_others_do_not(context: Context) -> Result<()> {
    let settings = [
        ("BELLHOP_API_KEY_REQUESTS_PER_SECOND", "1"),
        ("BELLHOP_API_KEY_REQUESTS_BURST", "5"),
        ("BELLHOP_API_ADDRESS_REQUESTS_PER_SECOND", "1"),
        ("BELLHOP_API_ADDRESS_REQUESTS_BURST", "20"),
        ("BELLHOP_API_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let ground = Ground::prepare_with(&context, &settings).await?;
    let other = ground.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let ask = async |key: &str, address: &str| {
        let call = ground.api.get(key, "/v1/webhooks").header("x-forwarded-for", address);
        anyhow::Ok(call.send().await?)
    };
    let mut served = 0;
    let refused = loop {
        let answer = ask(&ground.key, "192.0.2.1").await?;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        ensure!(served < 50, "a key is never refused");
    };
    ensure!(refused.status == 429 && 5 <= served, "{refused:?} after {served}");
    ensure!(1 <= refused.header("retry-after").parse::<u32>()?, "{refused:?}");
    ensure!(ask(&other, "192.0.2.1").await?.status == 200, "another key of the same address");

    // Guessing keys costs the address, and no other.
    let mut guessed = 0;
    while ask("test_guess", "192.0.2.2").await?.status == 401 {
        guessed += 1;
        ensure!(guessed < 100, "an address is never refused");
    }
    ensure!(20 <= guessed, "{guessed}");
    ensure!(ask(&other, "192.0.2.2").await?.status == 429 && ask(&other, "192.0.2.3").await?.status == 200);
    Ok(())
}

/// Somebody sends half a request and no more. Their connection ends in time, and others are served meanwhile.
pub async fn a_caller_who_is_slow_costs_the_others_nothing(context: Context) -> Result<()> {
    let ground = Ground::prepare_with(
        &context,
        &[("BELLHOP_API_REQUEST_TIMEOUT", "1s"), ("BELLHOP_API_PUBLISH_TIMEOUT", "500ms")],
    )
    .await?;
    let request = format!(
        "POST /v1/webhooks HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{",
        ground.key
    );
    let slow = tokio::spawn(exchange_owned(address(&ground)?, request));
    ground.create("https://example.org/a").await?;
    let answer = within("an answer to the slow one", slow).await???;
    ensure!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("took too long"), "{answer}");
    ensure!(answer.contains("application/problem+json") && answer.contains("connection: close"), "{answer}");
    ground
        .api
        .post(&ground.key, "/v1/webhooks", &webhook("https://example.org/b"))
        .expect(201)
        .await
        .map(drop)
}

fn address(ground: &Ground) -> Result<SocketAddr> {
    let url = ground.api.url();
    let port = url.port().context("a port")?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn exchange_owned(address: SocketAddr, request: String) -> Result<String> {
    exchange(address, &request).await
}

/// Sends bytes, and gives the first that come back.
async fn exchange(address: SocketAddr, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // The server may refuse before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 4096];
    let read = within("an answer", stream.read(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}
