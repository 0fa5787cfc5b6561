//! A recovery beside fresh traffic: exhausted deliveries on record, a recorder, and the recovery that owes them again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bellhop_model::{
    Attempt, DeliveryId, DeliveryStateName, End, EndReason, Event, EventLabels, Mode, OrganisationId, Record,
    Series, WebhookId, micros_of,
};
use bellhop_store::{
    Actor, Author, LogEntry, LogRetention, ModeRetention, NewRecovery, RECOVERY_COUNT_PATIENCE,
    RecoveryFilter, SealingKeys, ServerUrl, Store, StoreOptions,
};
use bellhop_tests::measuring::event::{Stamp, Template, now_ns};
use bellhop_tests::measuring::role::Role;
use bellhop_tests::place::Place;
use time::OffsetDateTime;
use tokio::process::Command;

use crate::sink::Run;
use crate::webhook::Webhook;

/// Ends in one transaction.
const ENDS_AT_ONCE: usize = 500;

/// Longer than a half takes.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A recorder at work, and what it is asked to recover.
pub(crate) struct Recovering {
    recorder: Role,
    store: Store,
    owed: Option<Owed>,
}

/// What is on record as exhausted.
struct Owed {
    organisation: OrganisationId,
    webhook: WebhookId,
}

impl Recovering {
    /// Puts a run's deliveries on record as exhausted, if there are such, and starts a recorder.
    ///
    /// * `recovered`: the run's number, and the run.
    pub(crate) async fn prepare(
        (binary, log): (&Path, &Path),
        place: &Place,
        recovered: Option<(u32, &Run)>,
    ) -> Result<Self> {
        let keys = SealingKeys::parse(&place.addresses().sealing_key)?;
        let (postgres, redis) = (ServerUrl::new(place.postgres_url()), ServerUrl::new(place.redis_url()));
        let store = Store::open(&StoreOptions::new(postgres, redis, keys))?;
        let owed = match recovered {
            None => None,
            Some(recovered) => Some(exhaust(&store, place, recovered).await?),
        };
        let mut command = Command::new(binary);
        command.arg("recorder").envs(place.environment());
        let recorder = Role::start("recorder", &command, log)?;
        Ok(Self { recorder, store, owed })
    }

    /// Has everything owed again.
    ///
    /// * `pace`: deliveries a second.
    pub(crate) async fn begin(&self, pace: u32) -> Result<()> {
        let Owed { organisation, webhook } =
            self.owed.as_ref().context("nothing is on record to be recovered")?;
        let filter = RecoveryFilter {
            webhook: webhook.clone(),
            states: vec![DeliveryStateName::Exhausted],
            event_type: None,
            since: OffsetDateTime::UNIX_EPOCH,
            until: None,
        };
        let new = NewRecovery { filter, pace, patience: RECOVERY_COUNT_PATIENCE };
        let author = Author { actor: Actor::System, address: None, request: None };
        let organisation = self.store.organisation(Mode::Test, organisation, &author);
        organisation.begin_recovery(&new).await.context("begin the recovery").map(drop)
    }

    /// Whether there is anything to be recovered.
    pub(crate) fn is_owing(&self) -> bool {
        self.owed.is_some()
    }

    /// The recorder's CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.recorder.pid()?.cpu()
    }

    /// Stops the recorder.
    pub(crate) async fn stop(self) -> Result<()> {
        self.recorder.stop().await
    }
}

/// Records each event of a run as exhausted at its only webhook.
async fn exhaust(store: &Store, place: &Place, (number, run): (u32, &Run)) -> Result<Owed> {
    let organisation = Webhook::organisation(*run.turns.first().context("it is for a webhook")?);
    let postgres = place.postgres().await?;
    let select = "SELECT id FROM webhooks WHERE organisation = $1";
    let webhook = postgres.query_one(select, &[&organisation]).await?.get::<_, &str>(0).parse()?;
    let template = Template::of(Mode::Test, &organisation)?;
    let numbers: Vec<usize> = (0..run.events).collect();
    for numbers in numbers.chunks(ENDS_AT_ONCE) {
        let mut entries = Vec::with_capacity(numbers.len());
        for event in numbers {
            let stamp = Stamp { run: number, number: *event, published_ns: now_ns() };
            entries.push(LogEntry::new(Record::End(end(template.body(&stamp.id()), &webhook)?))?);
        }
        let of_mode = ModeRetention { payload: KEPT, attempts: KEPT };
        store.write_log(&entries, LogRetention { live: of_mode, test: of_mode }).await?;
    }
    // A database that was at work for a minute has statistics. Without any the planner takes an index that has all events of
    // the organisation for one that has the event, and counts for minutes.
    postgres.batch_execute("ANALYZE").await.context("have PostgreSQL take statistics")?;
    Ok(Owed { organisation: organisation.parse()?, webhook })
}

fn end(body: Vec<u8>, webhook: &WebhookId) -> Result<End> {
    let event = Event::parse(&body, Some(Mode::Test), &EventLabels::default())?;
    Ok(End {
        delivery: DeliveryId::derive(event.mode, &event.organisation, &event.id, webhook),
        mode: event.mode,
        organisation: event.organisation,
        webhook: webhook.clone(),
        series: Series::FIRST,
        attempt: Attempt::try_from(3).ok(),
        reason: EndReason::AttemptsFailed,
        outcome: "5xx".to_owned(),
        ended_at_us: micros_of(OffsetDateTime::now_utc()),
        event: body,
    })
}
