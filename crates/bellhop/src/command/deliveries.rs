//! `bellhop deliveries …`: looks into the delivery log from the shell.

mod show;

use std::path::Path;

use bellhop_model::{
    DeliveryId, DeliveryState, DeliveryStateName, EndReason, EventId, EventType, Mode, OrganisationId,
    Standing, WebhookId,
};
use bellhop_store::{
    DELIVERIES_PAGE_MAX, DeliveryCursor, DeliveryFilter, LoggedDelivery, StatusFilter, Store,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::output::{Output, OutputArguments, moment, moment_of, read_time};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// How many deliveries are listed unless more are asked for.
const LISTED_DEFAULT: usize = 50;

/// What can be asked of the log.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// List deliveries, the newest first.
    List(ListArguments),
    /// Show one delivery with its requests.
    Show(ShowArguments),
}

/// Which deliveries are listed.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only of this mode.
    #[arg(long)]
    mode: Option<Mode>,
    /// Only of this organisation.
    #[arg(long)]
    organisation: Option<OrganisationId>,
    /// Only to this webhook.
    #[arg(long)]
    webhook: Option<WebhookId>,
    /// Only in this state: pending, retrying, deferred (its webhook is unavailable), exhausted, cancelled or delivered.
    #[arg(long)]
    state: Option<DeliveryStateName>,
    /// Only of this event type.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<EventType>,
    /// Only of this event.
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only of events of this appointment (apt_…); takes --mode and --organisation.
    #[arg(long, value_name = "ID", requires_all = ["mode", "organisation"])]
    appointment: Option<String>,
    /// Only those whose last request was answered with this status, such as 503 or 5xx.
    #[arg(long)]
    status: Option<StatusFilter>,
    /// Only those that began then or later, such as 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    since: Option<OffsetDateTime>,
    /// Only those that began earlier.
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    until: Option<OffsetDateTime>,
    /// How many at most.
    #[arg(long, default_value_t = LISTED_DEFAULT, value_parser = read_limit)]
    limit: usize,
    /// Go on where a list ended.
    #[arg(long, value_name = "PLACE")]
    after: Option<DeliveryCursor>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which delivery, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Its id (dlv_…).
    id: DeliveryId,
    /// Show the event, what was sent and what the endpoint answered, too: health data. It is on record who did.
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: DeliveriesCommand) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    match command {
        DeliveriesCommand::List(arguments) => list(&store, arguments).await,
        DeliveriesCommand::Show(arguments) => show::run(&store, arguments).await,
    }
}

async fn list(store: &Store, arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { limit, output, .. } = arguments;
    let filter = DeliveryFilter {
        mode: arguments.mode,
        organisation: arguments.organisation,
        webhook: arguments.webhook,
        state: arguments.state,
        event_type: arguments.event_type,
        event: arguments.event,
        appointment: arguments.appointment,
        status: arguments.status,
        since: arguments.since,
        until: arguments.until,
        after: arguments.after,
    };
    let deliveries = store.deliveries(&filter, limit).await.map_err(anyhow::Error::new)?;
    let next = deliveries.last().filter(|_| deliveries.len() == limit).map(LoggedDelivery::cursor);
    if output.output == Output::Json {
        let listed: Vec<Value> = deliveries.iter().map(describe).collect();
        println!("{}", json!({ "deliveries": listed, "next": next.map(|next| next.to_string()) }));
        return Ok(());
    }
    if deliveries.is_empty() {
        println!("no deliveries; is a recorder running?");
    }
    let now = OffsetDateTime::now_utc();
    for delivery in &deliveries {
        let LoggedDelivery { id, mode, organisation, event, event_type, webhook, begun_at, standing, .. } =
            delivery;
        println!(
            "{}  {id}  {mode}  {:<34}  {}  {organisation}  {webhook}  {event_type}  {event}",
            moment(*begun_at),
            told(&delivery.standing, now),
            standing.attempt.map_or_else(|| "-".to_owned(), |attempt| format!("{attempt}/3")),
        );
    }
    if let Some(next) = next {
        eprintln!("bellhop: there may be more: go on with `--after {next}`");
    }
    Ok(())
}

/// Where a delivery stands, in words.
///
/// A moment that has gone by says since when it has been waiting for its turn; of what is deferred, only the first of the
/// moments at which it is asked again is on record.
fn told(standing: &Standing, now: OffsetDateTime) -> String {
    let is_to_come = |moment: &OffsetDateTime| now <= *moment;
    match standing.state {
        DeliveryState::Retrying { next_at_us } => {
            let next = moment_of(next_at_us);
            format!("retrying {} {}", if is_to_come(&next) { "at" } else { "since" }, moment(next))
        }
        DeliveryState::Deferred { next_at_us } => {
            let next = Some(moment_of(next_at_us)).filter(is_to_come);
            let next = next.map_or(String::new(), |next| format!(", next at {}", moment(next)));
            format!("deferred since {}{next}", moment(moment_of(standing.since_us)))
        }
        state => state.name().to_string(),
    }
}

fn describe(delivery: &LoggedDelivery) -> Value {
    let LoggedDelivery { id, mode, organisation, event, event_type, webhook, begun_at, standing, .. } =
        delivery;
    json!({
        "id": id.as_str(),
        "mode": mode.as_str(),
        "organisation": organisation.as_str(),
        "event": event.as_str(),
        "type": event_type.as_str(),
        "testEvent": delivery.is_test,
        "appointment": delivery.appointment,
        "webhook": webhook.as_str(),
        "begunAt": moment(*begun_at),
        "state": standing.state.name().as_str(),
        "reason": standing.state.reason().map(EndReason::as_str),
        "nextAt": standing.state.next_at_us().map(|next_at_us| moment(moment_of(next_at_us))),
        "since": moment(moment_of(standing.since_us)),
        "series": standing.series.0,
        "attempt": standing.attempt.map(|attempt| attempt.number()),
        "status": standing.status,
        "outcome": standing.outcome,
    })
}

fn read_limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=DELIVERIES_PAGE_MAX).contains(limit));
    limit.ok_or_else(|| format!("expected 1 to {DELIVERIES_PAGE_MAX}"))
}

#[cfg(test)]
mod tests {
    use bellhop_model::Series;

    use super::*;

    fn standing(state: DeliveryState) -> Standing {
        Standing { state, since_us: 60_000_000, ..Standing::of_series(Series::FIRST, 0) }
    }

    #[test]
    fn no_moment_that_has_gone_by_is_told_as_one_to_come() {
        let said = |state, now_s: i64| told(&standing(state), moment_of(now_s * 1_000_000));
        let next_at_us = 120_000_000;
        let (retrying, deferred) =
            (DeliveryState::Retrying { next_at_us }, DeliveryState::Deferred { next_at_us });
        assert_eq!(said(retrying, 100), "retrying at 1970-01-01T00:02:00Z");
        assert_eq!(said(retrying, 121), "retrying since 1970-01-01T00:02:00Z");
        assert_eq!(said(deferred, 100), "deferred since 1970-01-01T00:01:00Z, next at 1970-01-01T00:02:00Z");
        assert_eq!(said(deferred, 121), "deferred since 1970-01-01T00:01:00Z");
        assert_eq!(said(DeliveryState::Pending, 121), "pending");
    }
}
