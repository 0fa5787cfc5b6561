//! Records as workers make them, and what they settle to in whatever order they come.

use std::borrow::Cow;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{
    Addressed, Attempt, AttemptRecord, Decided, DeliveryId, End, EndReason, Event, EventLabels, Mode,
    PayloadLevel, Record, Records, RequestId, Sent, Series, Standing, Timing, WaitCause, WaitingRecord,
    WebhookId, decode_batch, micros_of,
};
use bellhop_store::{LogEntry, LogRetention, ModeRetention, SealingKeys, ServerUrl, Store, StoreOptions};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use time::OffsetDateTime;

use super::tables::{DeliveryRow, Tables};
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::context::{Context, Site};

/// How many deliveries are told of in random orders.
const DELIVERIES: u64 = 60;

/// How many different records there are of each, some of which come more than once.
const RECORDS_OF_EACH: usize = 7;

/// Deliveries in Test Mode, a minute apart: the odd ones delivered, the fourth exhausted by a 503, the sixth of another
/// appointment; all others failed with a 500 and are tried again.
///
/// * `now`: when the newest began.
/// * returns the records and the deliveries' ids, the newest first.
pub(crate) fn seven_deliveries(
    webhook: &WebhookId,
    now: OffsetDateTime,
) -> Result<(Records, Vec<DeliveryId>)> {
    let other = format!(r#"{{"id":"apt_other","organisationId":"{ORGANISATION}"}}"#);
    let (mut records, mut ids) = (Records::default(), Vec::new());
    for number in 0..7 {
        let data = if number == 6 { &other } else { APPOINTMENT };
        let told = Told::to(webhook, Mode::Test, &format!("evt-{number}"), data)?;
        let at = now - time::Duration::minutes(number);
        let mut attempt = told.attempt(at, if number % 2 == 1 { "2xx" } else { "5xx" });
        if number % 2 == 1 {
            (attempt.verdict, attempt.status) = (Decided::Delivered, Some(204));
        }
        if number == 4 {
            (attempt.verdict, attempt.status) = (Decided::Exhausted, Some(503));
            attempt.attempt = Attempt::try_from(3)?;
            records.push_end(&told.end(at + time::Duration::milliseconds(2)));
        }
        records.push_event(&told.event, &told.body, at);
        records.push_attempt(&attempt);
        ids.push(told.addressed.delivery);
    }
    Ok((records, ids))
}

/// An event owed to a webhook, of which records tell.
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) body: Vec<u8>,
    pub(crate) addressed: Addressed,
}

impl Told {
    /// * `data`: the appointment's JSON.
    pub(crate) fn new(mode: Mode, id: &str, data: &str) -> Result<Self> {
        Self::to(&WebhookId::from_uuid(&[7; 16]), mode, id, data)
    }

    /// The same for a webhook that somebody registered.
    pub(crate) fn to(webhook: &WebhookId, mode: Mode, id: &str, data: &str) -> Result<Self> {
        let body = Message::event(mode.as_str(), SCHEDULED, id, data).body;
        let event = Event::parse(&body, Some(mode), &EventLabels::default())?;
        let addressed = Addressed::new(&event, webhook);
        Ok(Self { event, body, addressed })
    }

    /// The same event owed to another webhook.
    pub(super) fn owed_to(self, webhook: &WebhookId) -> Self {
        Self { addressed: Addressed::new(&self.event, webhook), ..self }
    }

    /// A first attempt that failed, and is to be repeated a minute later.
    pub(crate) fn attempt(&self, at: OffsetDateTime, outcome: &str) -> AttemptRecord<'static> {
        let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).expect("after the epoch");
        AttemptRecord {
            request: RequestId::new(millis, &rand::random()),
            of: Cow::Owned(self.addressed.clone()),
            series: Series::FIRST,
            attempt: Attempt::FIRST,
            started_at_us: micros_of(at),
            timing: Timing { connected_us: Some(300), head_us: Some(900), whole_us: 1_000 },
            status: Some(500),
            outcome: outcome.to_owned().into(),
            verdict: Decided::Retry { at_us: micros_of(at) + 60_000_000 },
            sent: Sent {
                payload: PayloadLevel::default(),
                timestamp: at.unix_timestamp(),
                signature: "v1,c2lnbmVk".into(),
                user_agent: Some("Bellhop/0.1.0".into()),
                origin: Some("https://hooks.example".into()),
            },
            answer: None,
        }
    }

    /// The end of the first series: three attempts failed.
    pub(crate) fn end(&self, at: OffsetDateTime) -> End {
        End {
            delivery: self.addressed.delivery.clone(),
            mode: self.event.mode,
            organisation: self.event.organisation.clone(),
            webhook: self.addressed.webhook.clone(),
            series: Series::FIRST,
            attempt: Attempt::try_from(3).ok(),
            reason: EndReason::AttemptsFailed,
            outcome: "5xx".to_owned(),
            ended_at_us: micros_of(at),
            event: self.body.clone(),
        }
    }
}

/// Publishes records to the log as one message.
pub(crate) async fn published(site: &Site, records: &Records) -> Result<()> {
    site.amqp().await?.publish(&Message::of_log(records.clone().into_message())).await
}

/// Records of each delivery, in random order, some repeated, in transactions of random size, two of them at a time: the
/// row must say what the program's own state machine says.
pub async fn any_order_of_records_settles_as_the_program_says(context: Context) -> Result<()> {
    let site = context.site().await?;
    let keys = SealingKeys::parse(&site.place.addresses().sealing_key)?;
    let (postgres, redis) = (site.place.postgres_url(), site.place.redis_url());
    let store = Store::open(&StoreOptions::new(ServerUrl::new(postgres), ServerUrl::new(redis), keys))?;
    let tables = Tables::open(&site).await?;
    let seed: u64 = rand::random();
    let mut dice = StdRng::seed_from_u64(seed);
    let now = tables.now().await?;

    let mut expected = Vec::new();
    let mut queue = Vec::new();
    for number in 0..DELIVERIES {
        let data = r#"{"id":"apt_1","organisationId":"org_7eUZfyQq3xxxXXXxJlf"}"#;
        let told = Told::new(Mode::Test, &format!("evt-{number}"), data)?;
        let records: Vec<Record> =
            (0..RECORDS_OF_EACH).map(|_| random_record(&told, now, &mut dice)).collect();
        expected.push((told.addressed.delivery.clone(), settled(&records)?));
        let repeated = records.choose(&mut dice).cloned();
        queue.extend(records.into_iter().chain(repeated));
    }
    queue.shuffle(&mut dice);
    let entries: Vec<LogEntry> = queue.into_iter().map(LogEntry::new).collect::<Result<_, _>>()?;
    let mut rest = entries.as_slice();
    while !rest.is_empty() {
        let mut next = || {
            let (piece, others) = rest.split_at(dice.random_range(1..=40).min(rest.len()));
            rest = others;
            piece
        };
        let (one, other) = (next(), next());
        tokio::try_join!(store.write_log(one, retention()), store.write_log(other, retention()))?;
    }
    for (delivery, expected) in expected {
        let found = tables.delivery(delivery.as_str()).await?;
        ensure!(found == expected, "SEED={seed}: {delivery} is {found:?} instead of {expected:?}");
    }
    Ok(())
}

/// What the state machine makes of records.
fn settled(records: &[Record]) -> Result<DeliveryRow> {
    let standing = |record: &Record| match record {
        Record::Attempt(attempt) => Some((Standing::of_attempt(attempt), attempt.started_at_us)),
        Record::End(end) => Some((Standing::of_end(end), end.ended_at_us)),
        Record::Waiting(waits) => Some((Standing::of_waiting(waits), waits.since_us)),
        Record::Event(_) => None,
    };
    let told: Vec<(Standing, i64)> = records.iter().filter_map(standing).collect();
    let begun_at_us = told.iter().map(|(_, at_us)| *at_us).min().context("no records")?;
    let standing = told.into_iter().map(|(standing, _)| standing).reduce(Standing::after);
    let standing = standing.context("no records")?;
    let reason = standing.state.reason().map(|reason| reason.as_str().to_owned());
    let state = standing.state.name().as_str().to_owned();
    let (since_us, next_at_us) = (standing.since_us, standing.state.next_at_us());
    Ok(DeliveryRow { state, reason, since_us, next_at_us, rank: standing.rank(), begun_at_us })
}

/// A record whose parts are drawn from so few values that many records are alike in all but one.
fn random_record(told: &Told, now: OffsetDateTime, dice: &mut StdRng) -> Record {
    let at = now - time::Duration::milliseconds(dice.random_range(0..3));
    let series = Series(dice.random_range(1..=2));
    let attempt = Attempt::try_from(dice.random_range(1..=3)).expect("1 to 3");
    let mut records = Records::default();
    if dice.random_ratio(1, 4) {
        let unavailable = WaitCause::Unavailable { next_at_us: micros_of(at) + dice.random_range(0..2) };
        let causes = [WaitCause::Busy, WaitCause::Slow, unavailable, unavailable];
        let cause = *causes.choose(dice).expect("four");
        let last = Attempt::try_from(i64::from(attempt.number()) - 1).ok();
        let of = Cow::Owned(told.addressed.clone());
        let since_us = micros_of(at);
        records.push_waiting(&WaitingRecord { of, series, attempt: last, since_us, cause });
    } else if dice.random_ratio(1, 3) {
        let reasons = [EndReason::AttemptsFailed, EndReason::WebhookInactive, EndReason::EndpointGone];
        let reason = *reasons.choose(dice).expect("three");
        records.push_end(&End { series, attempt: Some(attempt), reason, ..told.end(at) });
    } else {
        let retry = Decided::Retry { at_us: micros_of(at) + dice.random_range(0..2) };
        let verdicts = [Decided::Delivered, retry, retry, retry, Decided::Exhausted, Decided::Gone];
        let verdict = *verdicts.choose(dice).expect("six");
        let made = told.attempt(at, "5xx");
        records.push_attempt(&AttemptRecord { series, attempt, verdict, ..made });
    }
    decode_batch(&records.clone().into_message()).expect("what was encoded just now").remove(0)
}

/// As long as the configuration says.
pub(super) fn retention() -> LogRetention {
    let days = |days: u64| std::time::Duration::from_secs(days * 24 * 60 * 60);
    let of_mode = ModeRetention { payload: days(30), attempts: days(90) };
    LogRetention { live: of_mode, test: of_mode }
}
