//! The process: it ends in order, and says so when what it needs is away.

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ground::{Ground, OPERATOR, key, webhook};
use crate::appointment::ORGANISATION;
use crate::context::Context;
use crate::patience::{eventually, within};
use crate::stack::Service;

/// A request that has begun is answered, a connection that waits is closed, and then the process ends.
pub async fn a_drain_finishes_the_requests_under_way(context: Context) -> Result<()> {
    let ground = Ground::prepare(&context).await?;
    let port = ground.api.url().port().context("a port")?;
    let (mut begun, mut idle) =
        (TcpStream::connect(("127.0.0.1", port)).await?, TcpStream::connect(("127.0.0.1", port)).await?);
    let body = webhook("https://example.org/a").to_string();
    let head = format!(
        "POST /v1/webhooks HTTP/1.1\r\nhost: a\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        ground.key,
        body.len()
    );
    begun.write_all(head.as_bytes()).await?;
    ground.api.process.await_figure("bellhop_api_connections", 2).await?;
    // The head is read once the key was recognised; its use is then on record.
    eventually("the request to be under way", async || {
        let keys = ground.organisation()?.keys(None, 1).await?;
        Ok(keys[0].last_used_at.map(drop))
    })
    .await?;
    ground.api.process.terminate().await?;
    ground.api.process.logs().await_line("draining").await?;
    ensure!(within("the idle one to be closed", idle.read(&mut [0])).await?.is_ok_and(|read| read == 0));
    begun.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    within("the answer", begun.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    ensure!(ground.api.process.ended().await?.success());
    Ok(())
}

/// Callers are told that it is not their fault, and served again as soon as PostgreSQL is back.
pub async fn without_postgres_callers_are_told_to_come_again(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let settings = [("BELLHOP_API_OPERATOR_CREDENTIAL", OPERATOR)];
    let site = context.site_on_with(&stack, &settings).await?;
    let api = site.api().await?;
    let key =
        key(&site.store()?, bellhop_model::Mode::Test, ORGANISATION, bellhop_model::Role::Developer).await?;
    api.get(&key, "/v1/webhooks").expect(200).await?;
    stack.stop(Service::Postgres).await?;
    let refused = api.get(&key, "/v1/webhooks").expect(503).await?;
    ensure!(!refused.header("retry-after").is_empty() && !refused.text.contains("postgres"), "{refused:?}");
    stack.revive(Service::Postgres).await?;
    eventually("an answer", async || {
        Ok((api.get(&key, "/v1/webhooks").send().await?.status == 200).then_some(()))
    })
    .await
}
