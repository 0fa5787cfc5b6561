//! What counts as a failed attempt, besides an answer that says so.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, ensure};
use bellhop_model::{End, EndState};

use crate::account::take_ends;
use crate::context::{Context, Site};
use crate::receiver::Answer;

/// Deadlines short enough for a test.
const TIMEOUTS: [(&str, &str); 2] =
    [("BELLHOP_SENDER_REQUEST_TIMEOUT", "1s"), ("BELLHOP_SENDER_STEP_TIMEOUT", "1s")];

/// A redirect could lead a signed payload to somebody else.
pub async fn a_redirect_is_a_failure_and_is_not_followed(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let elsewhere = receiver.endpoint("elsewhere", Answer::status(200));
    let redirect = Answer::status(307).with_header("location", &elsewhere.url);
    let endpoint = receiver.endpoint_in_turn("hook", vec![redirect, Answer::status(200)]);
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    let requests = endpoint.await_requests(2).await?;
    ensure!(requests[1].attempt() == 2, "{requests:?}");
    site.ensure_nothing_owed(worker).await?;
    ensure!(elsewhere.requests().is_empty(), "the redirect was followed");
    Ok(())
}

/// The deadline covers an endpoint that takes the request and then says nothing.
pub async fn an_endpoint_that_never_answers_costs_an_attempt(context: Context) -> Result<()> {
    let site = context.site_with(&TIMEOUTS).await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint_in_turn("hook", vec![Answer::never(), Answer::status(200)]);
    site.operator.add_webhook(&endpoint.url).await?;
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    let requests = endpoint.await_requests(2).await?;
    ensure!(requests[1].attempt() == 2, "{requests:?}");
    site.ensure_nothing_owed(worker).await
}

/// Nothing listens there, three times.
pub async fn an_endpoint_nobody_listens_at_exhausts_its_attempts(context: Context) -> Result<()> {
    let site = context.site().await?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    site.operator.add_webhook(&format!("http://{free}/hook")).await?;

    let end = publish_and_await_end(&site).await?;

    ensure!(end.reason.state() == EndState::Exhausted && end.outcome == "connect", "{end:?}");
    Ok(())
}

/// The endpoint speaks TLS with a certificate that nobody vouches for.
pub async fn an_endpoint_nobody_vouches_for_is_sent_nothing(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (receiver, _trust) = context.secure_receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    site.operator.add_webhook(&endpoint.url).await?;

    let end = publish_and_await_end(&site).await?;

    ensure!(end.reason.state() == EndState::Exhausted && end.outcome == "tls", "{end:?}");
    ensure!(endpoint.requests().is_empty(), "{:?}", endpoint.requests());
    Ok(())
}

/// A worker without an allow-list: this machine's own addresses are forbidden, and an endpoint there sees no connection,
/// whether it was registered by its address or by a name that leads to it.
pub async fn a_forbidden_address_is_never_connected_to(context: Context) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let by_name = format!("http://localhost:{}/hook", receiver.address().port());
    for url in [&endpoint.url, &by_name] {
        site.operator.add_webhook(url).await?;
    }
    let strict = site.operator.program().clone().without("BELLHOP_SENDER_ALLOW_CIDRS");
    let worker = site.launch_worker_as(&strict).await?;
    worker.await_ready().await?;

    site.operator.publish_appointment().await?;

    let ends = take_ends(&site.amqp().await?, 2).await?;
    ensure!(ends.iter().all(|end| end.outcome == "forbidden_address"), "{ends:?}");
    site.ensure_nothing_owed(worker).await?;
    ensure!(receiver.connections() == 0, "{} connections were opened", receiver.connections());
    Ok(())
}

/// Whoever runs a worker or an API with an allow-list is told which networks it opens; without one nothing is said.
pub async fn networks_that_strangers_may_reach_are_told_loudly(context: Context) -> Result<()> {
    const WARNING: &str = "lets webhooks reach networks that are otherwise forbidden";
    let site = context.site().await?;
    let lenient = site.worker().await?;
    let line = lenient.logs().await_line(WARNING).await?;
    ensure!(line.contains("WARN") && line.contains("127.0.0.0/8"), "{line}");
    let line = site.api().await?.process.logs().await_line(WARNING).await?;
    ensure!(line.contains("WARN") && line.contains("127.0.0.0/8"), "{line}");
    let strict = site.operator.program().clone().without("BELLHOP_SENDER_ALLOW_CIDRS");
    let worker = site.launch_worker_as(&strict).await?;
    worker.await_ready().await?;
    let api = site.api_as(&strict).await?.process;
    for quiet in [&worker, &api] {
        ensure!(!quiet.logs().lines().iter().any(|line| line.contains(WARNING)), "{}", quiet.logs().tail());
    }
    Ok(())
}

async fn publish_and_await_end(site: &Site) -> Result<End> {
    let worker = site.worker().await?;
    site.operator.publish_appointment().await?;
    let mut ends = take_ends(&site.amqp().await?, 1).await?;
    site.ensure_nothing_owed(worker).await?;
    Ok(ends.remove(0))
}
