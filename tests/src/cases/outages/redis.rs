//! Redis is emptied, stopped, slow, or answers nonsense: it is a copy, and what it does not know is not nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Attempt, CopyToken, Mode, Series};
use bellhop_store::{ClaimedAttempt, SealingKeys, ServerUrl, Store, StoreOptions};
use redis::aio::MultiplexedConnection;

use super::{DEFERRED, FORGETFUL, SHORT_WAITS};
use crate::account::load;
use crate::appointment::ORGANISATION;
use crate::context::{Context, Site};
use crate::load::Load;
use crate::place::Place;
use crate::relay::{Passage, Relay};
use crate::stack::{Service, Stack};

const EVENTS: usize = 200;

/// Some delivery's id.
const DELIVERY: &str = "dlv_0123456789abcdef0123456789abcdef";

/// Longest wait for Redis, so long that a busy machine alone does not exceed it.
const PATIENCE_SETTING: (&str, &str) = ("BELLHOP_REDIS_TIMEOUT", "500ms");

const CLAIMS_GRANTED: &str = r#"bellhop_claims_total{mode="test",result="granted"}"#;
const CLAIMS_UNKNOWN: &str = r#"bellhop_claims_total{mode="test",result="unknown"}"#;

/// What no Redis says: no RESP at all; RESP, but not of the type asked for; and an answer that is not there.
const NONSENSE: [&[u8]; 5] = [b"\x00\xff bytes \r\n\x80", b"+OK\r\n", b":0\r\n", b"*0\r\n", b"$0\r\n\r\n"];

/// Copies and claims are gone at one instant, three times.
pub async fn a_redis_flushed_under_load_costs_nothing(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis]).await?;
    let site = context.site_on_with(&stack, &[FORGETFUL]).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;
    let mut redis = site.place.redis().await?;

    load.publish(&site).await?;
    for quarter in 1..=3 {
        load.await_share((quarter, 4)).await?;
        redis::cmd("FLUSHALL").exec_async(&mut redis).await?;
    }

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// It is gone for half of the load, and used again when it is back.
pub async fn a_redis_that_stops_and_returns_under_load_costs_nothing(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Redis]).await?;
    let site = context.site_on_with(&stack, &[FORGETFUL]).await?;
    let load = Load::prepare(&context, &site, EVENTS).await?;
    let worker = site.worker().await?;

    load.publish(&site).await?;
    load.await_share((1, 4)).await?;
    stack.stop(Service::Redis).await?;
    load.await_share((3, 4)).await?;
    stack.revive(Service::Redis).await?;
    load.await_end().await?;
    ensure!(0 < worker.figure(CLAIMS_UNKNOWN).await?, "every attempt was claimed: Redis was never away");

    let granted = worker.figure(CLAIMS_GRANTED).await?;
    site.operator.publish_appointment().await?;
    load.receiver.await_taken(load.deliveries() + 3).await?;
    ensure!(granted < worker.figure(CLAIMS_GRANTED).await?, "Redis is back, and nothing is claimed");
    load.ensure_settled(&site, worker, 0).await
}

/// Late, but in time: claims are made, and waiting for them loses nothing.
pub async fn a_redis_that_answers_late_but_in_time_is_used(context: Context) -> Result<()> {
    every_answer_is_late(&context, Duration::from_millis(50), CLAIMS_GRANTED).await
}

/// Later than anybody waits: done without.
pub async fn a_redis_that_answers_too_late_is_done_without(context: Context) -> Result<()> {
    every_answer_is_late(&context, Duration::from_millis(750), CLAIMS_UNKNOWN).await
}

/// * `claims`: what must have become of some.
async fn every_answer_is_late(context: &Context, late: Duration, claims: &str) -> Result<()> {
    let (site, load, relay, redis_url) = site_behind_relay(context).await?;
    relay.treat(Passage::Late(late));
    let worker = site.worker_with("BELLHOP_REDIS_URL", &redis_url).await?;

    load.publish(&site).await?;
    load.await_end().await?;
    ensure!(0 < worker.figure(claims).await?, "no claim ended as `{claims}`");
    load.ensure_settled(&site, worker, 0).await
}

/// One nonsense after the other while PostgreSQL knows better, and Redis itself at the end.
pub async fn a_redis_that_answers_nonsense_is_done_without(context: Context) -> Result<()> {
    let (site, load, relay, redis_url) = site_behind_relay(&context).await?;
    let worker = site.worker_with("BELLHOP_REDIS_URL", &redis_url).await?;

    load.publish(&site).await?;
    for (number, nonsense) in NONSENSE.into_iter().enumerate() {
        load.await_share((number + 1, NONSENSE.len() + 3)).await?;
        relay.treat(Passage::Answered(nonsense));
        // On a busy machine every connection that claims need is there before the first nonsense, and none would ever
        // be opened again.
        relay.cut_now();
    }
    load.await_share((NONSENSE.len() + 1, NONSENSE.len() + 3)).await?;
    worker.await_figure(CLAIMS_UNKNOWN, 1).await?;
    relay.treat(Passage::Open);

    load.await_end().await?;
    load.ensure_settled(&site, worker, 0).await
}

/// A claim that is another's ends a delivery here. What never was a claim is nobody's.
pub async fn nonsense_is_nobodys_claim(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (copy, delivery) = (CopyToken::from_random(&[7; 16]), DELIVERY.parse()?);
    let attempt = ClaimedAttempt {
        mode: Mode::Test,
        delivery: &delivery,
        series: Series::FIRST,
        attempt: Attempt::try_from(2)?,
    };
    for nonsense in NONSENSE {
        let (relay, redis_url) = Relay::before(&site.place.redis_url()).await?;
        relay.treat(Passage::Answered(nonsense));
        let claimed = store_of(&site.place, redis_url)?.claim(attempt, &copy).await;
        ensure!(claimed.is_err(), "{nonsense:?} is taken for {claimed:?}");
    }
    Ok(())
}

/// A fresh worker, PostgreSQL gone, and a Redis that answers nonsense: who wants the events cannot be told, so they
/// wait; nobody concludes from any nonsense that there is nobody.
pub async fn nobody_is_taken_for_unwanting_on_the_word_of_nonsense(context: Context) -> Result<()> {
    let (stack, site, trial) = site_without_truth(&context).await?;
    let (relay, redis_url) = Relay::before(&site.place.redis_url()).await?;
    relay.treat(Passage::Answered(NONSENSE[0]));
    stack.stop(Service::Postgres).await?;
    let worker = site.worker_with("BELLHOP_REDIS_URL", &redis_url).await?;

    let amqp = site.amqp().await?;
    let events = load(EVENTS);
    let parts = events.chunks(EVENTS.div_ceil(NONSENSE.len()));
    let mut published = 0;
    for (part, nonsense) in parts.zip(NONSENSE) {
        relay.treat(Passage::Answered(nonsense));
        amqp.publish_all(part).await?;
        published += part.len();
        worker.await_figure(DEFERRED, u64::try_from(published)?).await?;
    }
    ensure!(trial.receiver.requests().is_empty(), "a worker knows what it cannot know");

    stack.revive(Service::Postgres).await?;
    trial.await_end().await?;
    trial.ensure_settled(&site, worker, 0).await
}

/// The same, with copies under the real keys that are not what we put there: bytes that nobody sealed, a flipped bit,
/// nothing, another type; and empty ones that we did seal, for another organisation and for the other mode.
pub async fn a_spoilt_copy_is_never_taken_for_an_empty_one(context: Context) -> Result<()> {
    let (stack, site, trial) = site_without_truth(&context).await?;
    let copies = spoilt_copies(&site.place).await?;
    let mut redis = site.place.redis().await?;
    let key = site.place.copy_key(&format!("test:{ORGANISATION}"));
    stack.stop(Service::Postgres).await?;
    spoil(&mut redis, &key, &copies[0]).await?;
    let worker = site.worker().await?;

    let amqp = site.amqp().await?;
    let events = load(EVENTS);
    let parts = events.chunks(EVENTS.div_ceil(copies.len()));
    let mut published = 0;
    for (part, copy) in parts.zip(&copies) {
        spoil(&mut redis, &key, copy).await?;
        amqp.publish_all(part).await?;
        published += part.len();
        worker.await_figure(DEFERRED, u64::try_from(published)?).await?;
    }
    ensure!(trial.receiver.requests().is_empty(), "a worker knows what it cannot know");

    stack.revive(Service::Postgres).await?;
    trial.await_end().await?;
    trial.ensure_settled(&site, worker, 0).await
}

/// A site whose worker reaches Redis through a relay; the load is prepared.
async fn site_behind_relay(context: &Context) -> Result<(Site, Load, Relay, String)> {
    let site = context.site_with(&[FORGETFUL, PATIENCE_SETTING]).await?;
    let load = Load::prepare(context, &site, EVENTS).await?;
    let (relay, redis_url) = Relay::before(&site.place.redis_url()).await?;
    Ok((site, load, relay, redis_url))
}

/// A site whose PostgreSQL may be stopped, with rungs for a short outage; the load is prepared.
async fn site_without_truth(context: &Context) -> Result<(Stack, Site, Load)> {
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on_with(&stack, &[SHORT_WAITS]).await?;
    let load = Load::prepare(context, &site, EVENTS).await?;
    Ok((stack, site, load))
}

/// Something else under the key of an organisation's copy.
enum Spoilt {
    /// The fields of a copy, sealed bytes among them.
    Sealed(Vec<u8>),
    /// A text where a copy has fields.
    Text,
}

/// Spoilt copies that a reader could take for "nobody wants anything".
async fn spoilt_copies(place: &Place) -> Result<Vec<Spoilt>> {
    let store = store_of(place, place.redis_url())?;
    let mut redis = place.redis().await?;
    let mut sealed = Vec::new();
    for (mode, organisation) in
        [(Mode::Test, ORGANISATION), (Mode::Test, "org_other"), (Mode::Live, ORGANISATION)]
    {
        store.subscriptions(mode, &organisation.parse()?).await?;
        let key = place.copy_key(&format!("{mode}:{organisation}"));
        let copy: Vec<u8> = redis::cmd("HGET").arg(key).arg("sealed").query_async(&mut redis).await?;
        ensure!(!copy.is_empty(), "no copy of {organisation} in {mode} lies in Redis");
        sealed.push(copy);
    }
    let mut flipped = sealed[0].clone();
    *flipped.last_mut().context("a sealed copy has bytes")? ^= 1;
    let forged = b"{\"format\":1,\"version\":9,\"webhooks\":[]}".to_vec();
    let others = [sealed[1].clone(), sealed[2].clone(), flipped, forged, Vec::new()];
    Ok(others.into_iter().map(Spoilt::Sealed).chain([Spoilt::Text]).collect())
}

async fn spoil(redis: &mut MultiplexedConnection, key: &str, copy: &Spoilt) -> Result<()> {
    redis::cmd("DEL").arg(key).exec_async(redis).await?;
    let mut set = redis::cmd("SET");
    let mut set_fields = redis::cmd("HSET");
    // The newest version there can be: a reader that believed it would believe it for good.
    let set = match copy {
        Spoilt::Sealed(sealed) => set_fields.arg(key).arg("version").arg(i64::MAX).arg("sealed").arg(sealed),
        Spoilt::Text => set.arg(key).arg("[]"),
    };
    set.exec_async(redis).await.context("spoil a copy")
}

/// A store of our own in a place.
fn store_of(place: &Place, redis_url: String) -> Result<Store> {
    let keys = SealingKeys::parse(&place.addresses().sealing_key)?;
    let (postgres, redis) = (ServerUrl::new(place.postgres_url()), ServerUrl::new(redis_url));
    let mut options = StoreOptions::new(postgres, redis, keys);
    options.redis.key_prefix = place.virtual_host().to_owned();
    Ok(Store::open(&options)?)
}
