//! Every question that the store answers about deliveries, asked again and again over the full tables.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bellhop_model::{DeliveryId, DeliveryStateName, Mode};
use bellhop_store::{Actor, Author, DeliveryCursor, DeliveryFilter, RecoveryFilter};
use bellhop_tests::appointment::ORGANISATION;
use serde::Serialize;
use time::OffsetDateTime;

use crate::stage::Stage;

/// How many deliveries a list shows.
const PAGE: usize = 50;

/// From then on no query is asked again.
const QUERY_TIME_MAX: Duration = Duration::from_secs(120);

/// How long one question took.
#[derive(Debug, Serialize)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    /// How often it was asked.
    pub(crate) asked: usize,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Why it was asked no more, if it failed.
    pub(crate) failure: Option<String>,
}

/// One of the other webhooks.
pub(crate) fn quiet(number: u32) -> String {
    format!("wh_{number:032x}")
}

/// Asks each so many times, one at a time.
pub(crate) async fn measure(stage: &Stage, runs: usize) -> Result<Vec<Query>> {
    let of = |webhook: &str| -> Result<DeliveryFilter> {
        Ok(DeliveryFilter { webhook: Some(webhook.parse()?), ..DeliveryFilter::default() })
    };
    let hot = of(&stage.hot)?;
    let rare = DeliveryFilter { state: Some(DeliveryStateName::Exhausted), ..hot.clone() };
    let deep = DeliveryFilter { after: Some(middle(stage).await?), ..hot.clone() };
    let mut queries = Vec::new();
    for (name, filter) in [
        ("a hot webhook's newest", hot),
        ("a quiet webhook's newest", of(&quiet(1))?),
        ("a hot webhook's rare state", rare),
        ("a hot webhook, deep in the list", deep),
    ] {
        queries
            .push(timed(name, runs, async |_| stage.store.deliveries(&filter, PAGE).await.map(drop)).await);
    }
    let ids = some_ids(stage, runs).await?;
    let one = async |run: usize| {
        let delivery = stage.store.delivery(&ids[run % ids.len()]).await?;
        stage.store.attempts(&delivery).await.map(drop)
    };
    queries.push(timed("one delivery with its requests", runs, one).await);
    let recovery = RecoveryFilter {
        webhook: stage.hot.parse()?,
        states: vec![DeliveryStateName::Exhausted],
        event_type: None,
        since: OffsetDateTime::UNIX_EPOCH,
        until: None,
    };
    let author = Author { actor: Actor::System, address: None, request: None };
    let organisation = stage.store.organisation(Mode::Live, &ORGANISATION.parse()?, &author);
    let count = async |_: usize| organisation.count_recovery(&recovery, QUERY_TIME_MAX).await.map(drop);
    queries.push(timed("count what a recovery is about", runs, count).await);
    Ok(queries)
}

async fn timed<E>(name: &'static str, runs: usize, ask: impl AsyncFn(usize) -> Result<(), E>) -> Query
where
    E: std::fmt::Display,
{
    let mut times = Vec::with_capacity(runs);
    let (whole, mut failure) = (Instant::now(), None);
    while times.len() < runs && whole.elapsed() < QUERY_TIME_MAX {
        let began = Instant::now();
        if let Err(error) = ask(times.len()).await {
            failure = Some(format!("after {:.1} s: {error}", began.elapsed().as_secs_f64()));
            break;
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| {
        let time: Option<&Duration> = times.get(times.len() * percent / 100);
        time.map(|time| time.as_secs_f64() * 1e3)
    };
    Query { name, asked: times.len(), p50_ms: at(50), p99_ms: at(99), failure }
}

/// The place in the middle of the hot webhook's list.
async fn middle(stage: &Stage) -> Result<DeliveryCursor> {
    let select = "
        SELECT (extract(epoch FROM begun_at) * 1000000)::bigint || '.' || id FROM deliveries
        WHERE webhook = $1 AND begun_at < now() - interval '15 days' ORDER BY begun_at DESC, id DESC LIMIT 1";
    let text: String =
        stage.tables.query_one(select, &[&stage.hot]).await.context("a delivery 15 days old")?.get(0);
    Ok(text.parse()?)
}

/// Deliveries from anywhere.
async fn some_ids(stage: &Stage, count: usize) -> Result<Vec<DeliveryId>> {
    let select = "SELECT id FROM deliveries WHERE mode = 'live' ORDER BY md5(id) LIMIT $1";
    let rows = stage.tables.query(select, &[&i64::try_from(count)?]).await?;
    rows.iter().map(|row| Ok(row.get::<_, &str>(0).parse()?)).collect()
}
