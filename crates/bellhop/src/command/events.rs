//! `bellhop events …`: looks after what the log keeps of events.

use std::path::Path;

use bellhop_model::{EventId, Mode, OrganisationId};
use bellhop_store::{Expunged, Store};
use clap::{Args, Subcommand};
use serde_json::json;

use super::author::named;
use super::output::{ActorArguments, Output, OutputArguments, moment};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// What can be done to events in the log.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Remove an event's payload, and what endpoints answered to it, for good. It cannot be delivered again.
    Expunge(ExpungeArguments),
}

/// Which event.
#[derive(Debug, Args)]
pub(crate) struct ExpungeArguments {
    /// live or test.
    #[arg(long)]
    mode: Mode,
    /// Whose event it is (org_…).
    #[arg(long)]
    organisation: OrganisationId,
    /// Its id, as in the header webhook-id.
    event: EventId,
    #[command(flatten)]
    actor: ActorArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: EventsCommand) -> Result<(), Failure> {
    let EventsCommand::Expunge(ExpungeArguments { mode, organisation, event, actor, output }) = command;
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    let author = named(&actor);
    let expunged = store.organisation(mode, &organisation, &author).expunge_event(&event).await;
    let Expunged { at, by, payload, answers, under_way } = expunged.map_err(anyhow::Error::new)?;
    if output.output == Output::Json {
        println!(
            "{}",
            json!({
                "event": event.as_str(), "expungedAt": moment(at), "expungedBy": by.as_str(), "payload": payload,
                "answers": answers, "underWay": under_way,
            })
        );
        return Ok(());
    }
    let what = if payload { "the payload" } else { "no payload, which was gone already," };
    println!("expunged {event}: removed {what} and {answers} answers (on record: {by}, {})", moment(at));
    if 0 < under_way {
        eprintln!(
            "bellhop: note: {under_way} of its deliveries are under way; the broker keeps the payload until they end"
        );
    }
    Ok(())
}
