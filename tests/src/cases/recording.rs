//! What the log tells gets into the tables: all of it, once, sealed, whoever is killed or away.

pub mod expiry;
pub mod failing;
pub mod flaws;
pub mod listing;
pub mod records;
pub(crate) mod tables;
pub mod waiting;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{AnswerRecord, Mode, Records};
use time::OffsetDateTime;

use self::records::{Told, published};
use self::tables::Tables;
use crate::account::load;
use crate::amqp::Message;
use crate::appointment::APPOINTMENT;
use crate::context::{Context, Site};
use crate::patience::eventually;
use crate::queues;
use crate::receiver::{Answer, Endpoint, Receiver};
use crate::stack::Service;
use crate::worker::Worker;

/// More than fit one batch, by far.
const EVENTS: usize = 300;

/// How many requests are on record before a fault strikes.
const RECORDED_BEFORE_FAULT: i64 = 150;

/// What a recorder logs after each round of upkeep.
const KEPT_IN_SHAPE: &str = "kept the delivery log in shape";

/// Webhooks under load: one that takes everything, one that takes the second attempt, one that takes nothing.
struct Loaded {
    receiver: Receiver,
    failing: Endpoint,
    /// The endpoint's path, by webhook.
    paths: BTreeMap<String, String>,
}

/// Two recorders share the log; one is killed in the middle and replaced.
pub async fn recorders_that_share_and_are_killed_lose_and_repeat_nothing(context: Context) -> Result<()> {
    // Small transactions, so that the kill falls between many of them.
    let site = context.site_with(&[("BELLHOP_RECORDER_BATCH_ROWS_MAX", "20")]).await?;
    let loaded = Loaded::prepare(&context, &site).await?;
    let tables = Tables::open(&site).await?;
    let worker = site.worker().await?;
    let (victim, survivor) = tokio::try_join!(site.recorder(), site.recorder())?;

    site.amqp().await?.publish_all(&load(EVENTS)).await?;
    tables.await_count("attempts", RECORDED_BEFORE_FAULT).await?;
    victim.kill().await?;
    let replacement = site.recorder().await?;

    loaded.await_settled(EVENTS).await?;
    site.ensure_nothing_owed(worker).await?;
    loaded.ensure_recorded(&tables, EVENTS).await?;
    ensure!(survivor.drain().await?.success() && replacement.drain().await?.success());
    site.amqp().await?.ensure_empty([queues::LOG, queues::LOG_PARKED]).await
}

/// Half of the events are published, and all deliveries of them made, while PostgreSQL is away.
pub async fn without_postgres_delivery_goes_on_and_the_tables_catch_up(context: Context) -> Result<()> {
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on(&stack).await?;
    let loaded = Loaded::prepare(&context, &site).await?;
    let (worker, recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    let amqp = site.amqp().await?;
    let events = load(EVENTS);
    amqp.publish_all(&events[..EVENTS / 2]).await?;
    Tables::open(&site).await?.await_count("attempts", RECORDED_BEFORE_FAULT).await?;

    stack.kill(Service::Postgres).await?;
    amqp.publish_all(&events[EVENTS / 2..]).await?;
    loaded.await_settled(EVENTS).await?;
    recorder.logs().await_line("condition `postgres` is not ready").await?;
    stack.revive(Service::Postgres).await?;

    let tables = Tables::open(&site).await?;
    site.ensure_nothing_owed(worker).await?;
    loaded.ensure_recorded(&tables, EVENTS).await?;
    recorder.await_ready().await?;
    ensure!(recorder.drain().await?.success());
    amqp.ensure_empty([queues::LOG, queues::LOG_PARKED]).await
}

/// Every message of the log twice, the last first, and when all is written every message once more.
pub async fn what_is_told_again_changes_nothing(context: Context) -> Result<()> {
    const EVENTS: usize = 60;
    let site = context.site().await?;
    let loaded = Loaded::prepare(&context, &site).await?;
    let worker = site.worker().await?;
    let amqp = site.amqp().await?;
    amqp.publish_all(&load(EVENTS)).await?;
    loaded.await_settled(EVENTS).await?;
    site.ensure_nothing_owed(worker).await?;

    let logged = amqp.drain(queues::LOG).await?;
    let messages: Vec<Message> = logged.into_iter().map(|message| Message::of_log(message.body)).collect();
    ensure!(2 < messages.len(), "a single message shows little");
    let backwards: Vec<Message> =
        messages.iter().rev().flat_map(|message| [message.clone(), message.clone()]).collect();
    amqp.publish_all(&backwards).await?;
    let recorder = site.recorder().await?;
    await_recorded(&recorder, 2 * messages.len()).await?;
    let tables = Tables::open(&site).await?;
    loaded.ensure_recorded(&tables, EVENTS).await?;
    let before = tables.fingerprints().await?;

    amqp.publish_all(&messages).await?;
    await_recorded(&recorder, 3 * messages.len()).await?;
    ensure!(tables.fingerprints().await? == before, "repeated messages changed the tables");
    Ok(())
}

/// Payloads, answers that repeat them, and everything else, looked through as somebody with a dump would.
pub async fn nothing_lies_open_in_the_tables(context: Context) -> Result<()> {
    let site = context.site().await?;
    let told = Told::new(Mode::Live, "evt-private", APPOINTMENT)?;
    let answer = AnswerRecord {
        headers: vec![("x-echo".to_owned(), "+447700900123".to_owned())],
        body: "no Zoë here, 9990000018".to_owned(),
        is_truncated: false,
    };
    let now = OffsetDateTime::now_utc();
    let mut records = Records::default();
    records.push_event(&told.event, &told.body, now);
    let mut attempt = told.attempt(now, "5xx");
    attempt.answer = Some(answer);
    records.push_attempt(&attempt);
    records.push_end(&told.end(now));
    published(&site, &records).await?;
    let recorder = site.recorder().await?;
    let tables = Tables::open(&site).await?;
    tables.await_count("answers", 1).await?;
    ensure!(tables.count("payloads").await? == 1 && tables.count("deliveries").await? == 1);

    let dump = tables.dump().await?;
    ensure!(dump.contains("evt-private"), "the dump shows nothing, so this case shows nothing");
    for needle in ["Zoë", "firstName", "+447700900123", "9990000018", "Venepuncture", "x-echo"] {
        let bytes: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
        ensure!(!dump.contains(needle), "`{needle}` lies open");
        ensure!(!dump.contains(&bytes), "`{needle}` lies open as bytes");
    }
    let told = format!("{}\n{}", recorder.metrics().await?, recorder.logs().lines().join("\n"));
    ensure!(!told.contains("Zo") && !told.contains("+4477"), "the recorder tells health data");
    Ok(())
}

/// Waits until a recorder has acknowledged so many messages.
async fn await_recorded(recorder: &Worker, count: usize) -> Result<()> {
    let line = format!("bellhop_recorder_messages_total{{result=\"recorded\"}} {count}\n");
    let look = async || Ok(recorder.metrics().await?.contains(&line).then_some(()));
    eventually(format!("{count} recorded messages"), look).await
}

impl Loaded {
    async fn prepare(context: &Context, site: &Site) -> Result<Self> {
        let receiver = context.receiver().await?;
        let flaky = receiver.endpoint_by("flaky", |request, _| {
            Answer::status(if request.attempt() == 1 { 503 } else { 200 })
        });
        let steady = receiver.endpoint("steady", Answer::status(200));
        let failing = receiver.endpoint("failing", Answer::status(500));
        let mut paths = BTreeMap::new();
        for (path, endpoint) in [("/steady", &steady), ("/flaky", &flaky), ("/failing", &failing)] {
            paths.insert(site.operator.add_webhook(&endpoint.url).await?.id, path.to_owned());
        }
        Ok(Self { receiver, failing, paths })
    }

    /// Waits until every request has been made that will be.
    async fn await_settled(&self, events: usize) -> Result<()> {
        self.receiver.await_taken(2 * events).await?;
        self.failing.await_requests(3 * events).await.map(drop)
    }

    /// Insists that the tables tell of each request that was received, of each event and of where each delivery stands,
    /// and of nothing else.
    async fn ensure_recorded(&self, tables: &Tables, events: usize) -> Result<()> {
        let requests = self.receiver.requests();
        let mut seen: Vec<_> = requests
            .iter()
            .map(|request| {
                let status = request.status().map(i32::from);
                let signature = request.header("webhook-signature").to_owned();
                let (path, event) = (request.path().to_owned(), request.webhook_id().to_owned());
                (path, event, i16::from(request.attempt()), status, signature)
            })
            .collect();
        tables.await_count("attempts", i64::try_from(seen.len())?).await?;
        let ended = "deliveries WHERE state IN ('delivered', 'exhausted', 'cancelled')";
        tables.await_count(ended, i64::try_from(3 * events)?).await?;
        let mut told = Vec::new();
        for row in tables.attempts().await? {
            let path = self.paths.get(&row.webhook).context("a webhook nobody registered")?.clone();
            told.push((path, row.event, row.attempt, row.status, row.signature));
        }
        seen.sort();
        told.sort();
        let missing: Vec<_> = seen.iter().filter(|request| !told.contains(request)).take(3).collect();
        ensure!(told == seen, "{} are told, {} were seen; not told: {missing:?}", told.len(), seen.len());
        for (table, count) in [("events", events), ("payloads", events), ("deliveries", 3 * events)] {
            ensure!(
                tables.count(table).await? == i64::try_from(count)?,
                "{table} has other rows than {count}"
            );
        }
        let mut standings = BTreeMap::new();
        for (webhook, state, attempt, count) in tables.standings().await? {
            standings.insert((self.paths[&webhook].clone(), state, attempt), count);
        }
        let events = i64::try_from(events)?;
        let expected =
            [("/steady", "delivered", 1), ("/flaky", "delivered", 2), ("/failing", "exhausted", 3)]
                .map(|(path, state, attempt)| ((path.to_owned(), state.to_owned(), attempt), events));
        ensure!(standings == BTreeMap::from(expected), "{standings:?}");
        Ok(())
    }
}
