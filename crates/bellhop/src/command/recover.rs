//! `bellhop recover …`: owes many deliveries of a webhook again, at a pace.

use std::path::Path;

use bellhop_model::{DeliveryStateName, EventType, RecoveryId, Webhook, WebhookId};
use bellhop_store::{
    NewRecovery, RECOVERIES_PAGE_MAX, RECOVERY_COUNT_PATIENCE, RECOVERY_PACE_DEFAULT, RECOVERY_PACE_MAX,
    Recovery, RecoveryCount, RecoveryFilter, Store,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::author::named;
use super::output::{ActorArguments, Output, OutputArguments, moment, read_time};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Begin a recovery, or look after those there are.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RecoverArguments {
    #[command(subcommand)]
    command: Option<RecoverCommand>,
    #[command(flatten)]
    begin: BeginArguments,
}

/// What can be done about recoveries.
#[derive(Debug, Subcommand)]
enum RecoverCommand {
    /// List recoveries, the newest first.
    List(ListArguments),
    /// Show one recovery and how far it is.
    Show(OneArguments),
    /// Stop a recovery; what it has owed again stays so.
    Cancel(CancelArguments),
}

/// Which deliveries.
#[derive(Debug, Args)]
struct BeginArguments {
    /// To this webhook (wh_…); it must be enabled.
    #[arg(long)]
    webhook: Option<WebhookId>,
    /// Only those that began then or later, such as 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    since: Option<OffsetDateTime>,
    /// Only those that began earlier; without it, all until now.
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    until: Option<OffsetDateTime>,
    /// Only in these states: exhausted, cancelled or delivered.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', default_value = "exhausted,cancelled")]
    state: Vec<DeliveryStateName>,
    /// Only of this event type.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<EventType>,
    /// How many deliveries a second at most.
    #[arg(long, value_name = "DELIVERIES", default_value_t = RECOVERY_PACE_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(RECOVERY_PACE_MAX)))]
    pace: u32,
    /// Only count what would be owed again.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    actor: ActorArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which recoveries are listed.
#[derive(Debug, Args)]
struct ListArguments {
    /// Only of this webhook.
    #[arg(long)]
    webhook: Option<WebhookId>,
    /// Go on after this one, the last of a list.
    #[arg(long, value_name = "ID")]
    after: Option<RecoveryId>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which recovery.
#[derive(Debug, Args)]
struct OneArguments {
    /// Its id (rec_…).
    id: RecoveryId,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which recovery, and who stops it.
#[derive(Debug, Args)]
struct CancelArguments {
    /// Its id (rec_…).
    id: RecoveryId,
    #[command(flatten)]
    actor: ActorArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, arguments: RecoverArguments) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    match arguments.command {
        Some(RecoverCommand::List(arguments)) => list(&store, arguments).await,
        Some(RecoverCommand::Show(OneArguments { id, output })) => {
            let recovery = store.recovery(&id).await.map_err(anyhow::Error::new)?;
            print(&recovery, output.output);
            Ok(())
        }
        Some(RecoverCommand::Cancel(CancelArguments { id, actor, output })) => {
            let author = named(&actor);
            let Recovery { mode, organisation, .. } =
                store.recovery(&id).await.map_err(anyhow::Error::new)?;
            let organisation = store.organisation(mode, &organisation, &author);
            let cancelled = organisation.cancel_recovery(&id).await.map_err(anyhow::Error::new)?;
            print(&cancelled, output.output);
            Ok(())
        }
        None => begin(&store, arguments.begin).await,
    }
}

async fn begin(store: &Store, arguments: BeginArguments) -> Result<(), Failure> {
    let BeginArguments { webhook, since, until, state, event_type, pace, dry_run, actor, output } = arguments;
    let (Some(webhook), Some(since)) = (webhook, since) else {
        return Err(Failure::Request(
            "say which deliveries to owe again (`--webhook` and `--since`), or `list`, `show` or `cancel`"
                .to_owned(),
        ));
    };
    if until.is_some_and(|until| until <= since) {
        return Err(Failure::Request("--until: expected a time after `--since`".to_owned()));
    }
    let author = named(&actor);
    let Webhook { mode, organisation, .. } = store.webhook(&webhook).await.map_err(anyhow::Error::new)?;
    let organisation = store.organisation(mode, &organisation, &author);
    let filter = RecoveryFilter { webhook, states: state, event_type, since, until };
    if dry_run {
        let counting = organisation.count_recovery(&filter, RECOVERY_COUNT_PATIENCE);
        let count = counting.await.map_err(anyhow::Error::new)?;
        print_count(&count, pace, output.output);
        return Ok(());
    }
    let new = NewRecovery { filter, pace, patience: RECOVERY_COUNT_PATIENCE };
    let recovery = organisation.begin_recovery(&new).await.map_err(anyhow::Error::new)?;
    print(&recovery, output.output);
    if output.output == Output::Text {
        println!(
            "A recorder works on it now; see how far it is with `bellhop recover show {}`.",
            recovery.id
        );
    }
    Ok(())
}

async fn list(store: &Store, arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { webhook, after, output } = arguments;
    let recoveries = store.recoveries(webhook.as_ref(), after.as_ref(), RECOVERIES_PAGE_MAX).await;
    let recoveries = recoveries.map_err(anyhow::Error::new)?;
    if output.output == Output::Json {
        println!("{}", Value::Array(recoveries.iter().map(describe).collect()));
        return Ok(());
    }
    if recoveries.is_empty() {
        println!("no recoveries");
    }
    for recovery in &recoveries {
        let Recovery { id, mode, state, done, found, created_at, created_by, filter, .. } = recovery;
        println!(
            "{}  {id}  {mode}  {:<9}  {done} of {found}  {}  by {created_by}",
            moment(*created_at),
            state.as_str(),
            filter.webhook,
        );
    }
    Ok(())
}

fn print_count(count: &RecoveryCount, pace: u32, output: Output) {
    let RecoveryCount { exhausted, cancelled, delivered, payload_gone } = *count;
    let seconds = (count.found() - payload_gone).div_ceil(u64::from(pace));
    if output == Output::Json {
        println!(
            "{}",
            json!({
                "found": count.found(), "exhausted": exhausted, "cancelled": cancelled, "delivered": delivered,
                "payloadGone": payload_gone, "seconds": seconds,
            })
        );
        return;
    }
    println!(
        "found         {}: {exhausted} exhausted, {cancelled} cancelled, {delivered} delivered",
        count.found()
    );
    println!("payload gone  {payload_gone}, which would be passed over");
    println!(
        "time          {seconds} s at {pace} a second, as long as neither fresh events nor retries pile up"
    );
}

fn print(recovery: &Recovery, output: Output) {
    if output == Output::Json {
        println!("{}", describe(recovery));
        return;
    }
    let Recovery { id, mode, organisation, filter, pace, state, done, found, payload_gone, .. } = recovery;
    println!("id            {id}");
    println!("mode          {mode}");
    println!("organisation  {organisation}");
    println!("webhook       {}", filter.webhook);
    println!("deliveries    {}", about(filter));
    println!("pace          {pace} a second");
    let failure = recovery.failed_for.map_or(String::new(), |reason| format!(" ({})", reason.as_str()));
    let canceller = recovery.cancelled_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    println!("state         {state}{failure}{canceller}");
    if let Some(waits_for) = &recovery.waits_for {
        println!("waits         {waits_for}");
    }
    println!("found         {found}");
    println!("done          {done}");
    println!("passed over   {payload_gone} without a payload, {} that moved on meanwhile", recovery.moved_on);
    println!("begun         {} by {}", moment(recovery.created_at), recovery.created_by);
    if let Some(ended_at) = recovery.ended_at {
        println!("ended         {}", moment(ended_at));
    }
}

/// Which deliveries, in words.
fn about(filter: &RecoveryFilter) -> String {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let event_type = filter.event_type.as_ref().map_or(String::new(), |only| format!(" of {only}"));
    let until = filter.until.map_or(String::new(), |until| format!(" until {}", moment(until)));
    format!("{}{event_type}, begun since {}{until}", states.join(" or "), moment(filter.since))
}

fn describe(recovery: &Recovery) -> Value {
    let Recovery { id, mode, organisation, filter, pace, state, waits_for, found, done, .. } = recovery;
    json!({
        "id": id.as_str(),
        "mode": mode.as_str(),
        "organisation": organisation.as_str(),
        "webhook": filter.webhook.as_str(),
        "states": filter.states.iter().map(|state| state.as_str()).collect::<Vec<_>>(),
        "type": filter.event_type.as_ref().map(EventType::as_str),
        "since": moment(filter.since),
        "until": filter.until.map(moment),
        "pace": pace,
        "state": state.as_str(),
        "waitsFor": waits_for,
        "failedFor": recovery.failed_for.map(|reason| reason.as_str()),
        "cancelledBy": recovery.cancelled_by.as_ref().map(|by| by.as_str()),
        "found": found,
        "done": done,
        "payloadGone": recovery.payload_gone,
        "movedOn": recovery.moved_on,
        "createdBy": recovery.created_by.as_str(),
        "createdAt": moment(recovery.created_at),
        "endedAt": recovery.ended_at.map(moment),
    })
}
