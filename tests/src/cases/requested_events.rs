//! Events that are published over HTTP: the same checks and the same promise as on the broker.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result, ensure};
use bellhop_store::PUBLISHED_KEPT;
use serde_json::{Value, json};

use crate::appointment::{APPOINTMENT, COLLAPSED, ORGANISATION, SCHEDULED, oversized};
use crate::caller::{ApiProcess, Caller};
use crate::context::{Context, Site};
use crate::patience::PATIENCE;
use crate::receiver::Answer;
use crate::relay::Relay;

const FRESH: &str = "bellhop.test.events.0";

/// Number text, order and escapes of what was posted reach the endpoint, like what was published.
pub async fn an_event_that_is_posted_is_delivered_like_one_that_was_published(
    context: Context,
) -> Result<()> {
    let site = context.site().await?;
    let receiver = context.receiver().await?;
    let endpoint = receiver.endpoint("hook", Answer::status(200));
    let webhook = site.operator.add_webhook(&endpoint.url).await?;
    let _worker = site.worker().await?;
    let (_api, developer) = developer(&site).await?;

    let accepted = developer.post("/v1/events", event("\"id\":\"evt-posted_1\",")).await?.of(202)?;
    ensure!(accepted.body == json!({ "id": "evt-posted_1", "repeated": false }), "{}", accepted.text);
    let named = developer.post("/v1/events", event("")).await?.of(202)?;
    let whole = format!(
        "\"mode\":\"test\",\"organisationId\":\"{ORGANISATION}\",\"occurredAt\":\"2024-02-06T17:20:59Z\","
    );
    developer.post("/v1/events", event(&whole)).await?.of(202)?;

    let requests = endpoint.await_requests(3).await?;
    for request in &requests {
        request.verify(&webhook.secret)?;
        ensure!(request.body == COLLAPSED && request.header("webhook-event") == SCHEDULED);
    }
    let ids: Vec<&str> = requests.iter().map(|request| request.webhook_id()).collect();
    let made = named.body["id"].as_str().context("an id")?;
    ensure!(
        ids.contains(&"evt-posted_1") && ids.contains(&made) && made.starts_with("evt_"),
        "{ids:?} {made}"
    );
    Ok(())
}

/// Nobody consumes, so that what was published can be counted: after each other, and at once.
pub async fn the_same_event_again_is_accepted_and_published_once(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (api, developer) = developer(&site).await?;
    let amqp = site.amqp().await?;
    let first = event("\"id\":\"evt-1\",");
    developer.post("/v1/events", first.clone()).await?.of(202)?;
    let again = developer.post("/v1/events", first.clone()).await?.of(202)?;
    ensure!(again.body == json!({ "id": "evt-1", "repeated": true }), "{}", again.text);
    // A platform that repeats itself does so by what it means, not by its bytes.
    let value: Value = serde_json::from_str(&first)?;
    let rewritten = serde_json::to_string_pretty(&value)?;
    ensure!(rewritten != first, "nothing was rewritten");
    let again = developer.post("/v1/events", rewritten).await?.of(202)?;
    ensure!(again.body["repeated"] == true, "{}", again.text);
    let taken = developer.post("/v1/events", first.replace("Zoë", "Zoe")).await?.of(409)?;
    ensure!(taken.text.contains("another-event"), "{}", taken.text);
    ensure!(amqp.take(FRESH, 1).await?.len() == 1);

    let second = event("\"id\":\"evt-2\",");
    let both = tokio::try_join!(
        developer.post("/v1/events", second.clone()),
        developer.post("/v1/events", second.clone()),
        developer.post("/v1/events", second.clone()),
    );
    let (one, two, three) = both?;
    let mut repeated = 0;
    for answer in [one, two, three] {
        let answer = answer.of(202)?;
        repeated += usize::from(answer.body["repeated"] == true);
    }
    ensure!(repeated == 2, "{repeated} of three were told that it was published before");
    let settled = developer.post("/v1/events", second).await?.of(202)?;
    ensure!(settled.body["repeated"] == true, "{}", settled.text);
    ensure!(amqp.drain(FRESH).await?.len() == 1, "published once");

    // It is known for a day, by Redis's own clock, and then forgotten.
    let mut redis = redis::Client::open(site.place.redis_url())?.get_multiplexed_async_connection().await?;
    let prefix = &site.place.environment()["BELLHOP_REDIS_KEY_PREFIX"];
    let known = format!("{prefix}:published:test:{ORGANISATION}:evt-1");
    let seconds: u64 = redis::cmd("TTL").arg(&known).query_async(&mut redis).await?;
    let day = PUBLISHED_KEPT.as_secs();
    ensure!((day - PATIENCE.as_secs()..=day).contains(&seconds), "it is forgotten after {seconds} s");
    let is_forgotten: u64 = redis::cmd("PEXPIRE").arg(&known).arg(0).query_async(&mut redis).await?;
    ensure!(is_forgotten == 1, "nothing is known under {known}");
    let anew = developer.post("/v1/events", first.clone()).await?.of(202)?;
    ensure!(anew.body["repeated"] == false && amqp.drain(FRESH).await?.len() == 1, "{}", anew.text);

    // The same id of the other mode is another event.
    let administrator = api.caller(&site, "live", "administrator").await?;
    let live = administrator.post("/v1/events", event("\"id\":\"evt-1\",")).await?.of(202)?;
    ensure!(live.body["repeated"] == false, "{}", live.text);
    Ok(())
}

/// Every wrong part is named, and nothing is published.
pub async fn what_is_wrong_with_an_event_is_told_by_field(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (_api, developer) = developer(&site).await?;
    let appointment: Value = serde_json::from_str(APPOINTMENT)?;
    let other = json!({ "id": "apt_1", "organisationId": "org_other" });
    let flat = json!({ "id": "apt_1", "organisationId": ORGANISATION, "patient": "p_1" });
    let cases = [
        (json!({ "id": "a.b" }), "id"),
        (json!({ "type": "appointment" }), "type"),
        (json!({ "mode": "live" }), "mode"),
        (json!({ "organisationId": "org_other" }), "organisationId"),
        (json!({ "occurredAt": "yesterday" }), "occurredAt"),
        (json!({ "occurredAt": "9999-12-31T23:59:59-01:00" }), "occurredAt"),
        (json!({ "data": other }), "data.organisationId"),
        (json!({ "data": flat }), "data"),
        (json!({ "data": 7 }), "data"),
        (json!({ "testEvent": true }), "testEvent"),
    ];
    for (change, field) in cases {
        let mut event = json!({ "type": SCHEDULED, "data": appointment });
        for (name, value) in change.as_object().context("members")? {
            event[name] = value.clone();
        }
        developer.post("/v1/events", event.to_string()).await?.of(422)?.names(field)?;
    }
    let missing = developer.post("/v1/events", json!({ "type": SCHEDULED }).to_string()).await?.of(422)?;
    ensure!(missing.text.contains("data"), "{}", missing.text);
    let note = "n".repeat(70 * 1024);
    let large = json!({ "type": SCHEDULED, "data": { "organisationId": ORGANISATION, "note": note } });
    developer.post("/v1/events", large.to_string()).await?.of(413)?;
    let huge = format!(r#"{{"type":"{SCHEDULED}","data":{}}}"#, oversized());
    developer.post("/v1/events", huge).await?.of(413)?;
    site.amqp().await?.ensure_empty([FRESH, "bellhop.live.events.0"]).await
}

/// A live event is a fact to whoever receives it.
pub async fn live_events_are_published_by_administrators_alone(context: Context) -> Result<()> {
    let site = context.site().await?;
    let api = ApiProcess::start(&site).await?;
    for (mode, role, status) in [
        ("test", "developer", 202),
        ("test", "administrator", 202),
        ("live", "administrator", 202),
        ("live", "developer", 403),
    ] {
        let caller = api.caller(&site, mode, role).await?;
        let answer = caller.post("/v1/events", event("")).await?;
        ensure!(answer.status == status, "{role} in {mode} mode: {}", answer.text);
    }
    Ok(())
}

/// It starts and serves without one; the event that was refused is taken when the broker is there, with the same id.
pub async fn without_a_broker_only_publishing_waits_and_says_until_when(context: Context) -> Result<()> {
    let site = context.site().await?;
    let relay = Relay::open().await?;
    let mut url = url::Url::parse(&site.place.amqp_url())?;
    let broker = (url.host_str().context("a host")?.to_owned(), url.port().context("a port")?);
    url.set_host(Some("127.0.0.1"))?;
    url.set_port(Some(relay.address().port())).ok().context("a port")?;
    let program = site.operator.program().clone().with("BELLHOP_AMQP_URL", url.as_str());
    let program = program.with("BELLHOP_API_PUBLISH_TIMEOUT", "500ms");
    let api = ApiProcess::start_as(&site, &program).await?;
    let developer = api.caller(&site, "test", "developer").await?;

    developer.get("/v1/event-types").await?.of(200)?;
    let refused = developer.post("/v1/events", event("\"id\":\"evt-1\",")).await?.of(503)?;
    ensure!(refused.retry_after.is_some() && refused.text.contains("with the same id"), "{}", refused.text);

    let address = tokio::net::lookup_host(broker).await?.next().context("the broker's address")?;
    relay.point(address);
    let accepted = crate::patience::eventually("the event to be accepted", async || {
        let answer = developer.post("/v1/events", event("\"id\":\"evt-1\",")).await?;
        ensure!(answer.status == 202, "{}", answer.text);
        Ok(Some(answer))
    });
    ensure!(accepted.await?.body["repeated"] == false, "it was taken for published although it was not");
    Ok(())
}

/// Remembering is a courtesy; publishing is the promise.
pub async fn without_redis_events_are_published_all_the_same(context: Context) -> Result<()> {
    let site = context.site().await?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let program = site.operator.program().clone().with("BELLHOP_REDIS_URL", &format!("redis://{free}/0"));
    let api = ApiProcess::start_as(&site, &program).await?;
    let developer = api.caller(&site, "test", "developer").await?;
    for _ in 0..2 {
        let answer = developer.post("/v1/events", event("\"id\":\"evt-1\",")).await?.of(202)?;
        ensure!(answer.body["repeated"] == false, "{}", answer.text);
    }
    ensure!(site.amqp().await?.drain(FRESH).await?.len() == 2);
    Ok(())
}

/// A request's body, with the appointment byte for byte.
///
/// * `members`: each followed by a comma.
fn event(members: &str) -> String {
    format!(r#"{{{members}"type":"{SCHEDULED}","data":{APPOINTMENT}}}"#)
}

async fn developer(site: &Site) -> Result<(ApiProcess, Caller)> {
    let api = ApiProcess::start(site).await?;
    let caller = api.caller(site, "test", "developer").await?;
    Ok((api, caller))
}
