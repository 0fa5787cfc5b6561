//! `bellhop parked …`: looks into the queues of what nobody could process, and empties them.

mod describe;
mod movement;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bellhop_broker::{Declarer, Link, Parked, Parking, names};
use bellhop_model::Mode;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::movement::MoveArguments;
use super::output::{Output, OutputArguments};
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Longest wait for one answer of the broker.
const BROKER_PATIENCE: Duration = Duration::from_secs(15);

/// How many messages are listed of each queue unless more are asked for.
const LISTED_DEFAULT: usize = 50;

/// Most messages that are listed of each queue.
const LISTED_MAX: usize = 1_000;

/// Most messages of one queue that are looked at for one. They are out of others' sight meanwhile.
const LOOKED_AT_MAX: usize = 10_000;

/// What can be done about parked messages.
#[derive(Debug, Subcommand)]
pub(crate) enum ParkedCommand {
    /// List what is parked, the oldest first.
    List(ListArguments),
    /// Show one parked message.
    Show(ShowArguments),
    /// Put messages back where they came from.
    Redrive(MoveArguments),
    /// Throw messages away.
    Discard(MoveArguments),
}

/// Which messages are listed.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only of this queue.
    #[arg(long, value_enum)]
    queue: Option<ParkingQueue>,
    /// How many of each queue at most.
    #[arg(long, default_value_t = LISTED_DEFAULT, value_parser = read_limit)]
    limit: usize,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which message, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Its id, as listed.
    id: String,
    /// Only of this queue.
    #[arg(long, value_enum)]
    queue: Option<ParkingQueue>,
    /// Show what it holds, too: health data.
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// A queue that nobody consumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ParkingQueue {
    /// Live events that could not be processed.
    Live,
    /// Test events that could not be processed.
    Test,
    /// What was published with a routing key of no mode.
    Unroutable,
    /// Messages of the log that could not be written.
    Log,
}

impl ParkingQueue {
    /// The queues that are meant: one, or all.
    fn meant(only: Option<Self>) -> Vec<Self> {
        only.map_or_else(|| Self::value_variants().to_vec(), |only| vec![only])
    }

    /// Its name on the broker.
    fn name(self) -> String {
        match self {
            Self::Live => names::parked_queue(Mode::Live),
            Self::Test => names::parked_queue(Mode::Test),
            Self::Unroutable => names::UNROUTABLE.to_owned(),
            Self::Log => names::LOG_PARKED.to_owned(),
        }
    }
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: ParkedCommand) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Broker)?;
    let link = Link::open(config.broker(), "bellhop parked");
    link.connected().await.map_err(anyhow::Error::new)?;
    let declarer = link.declarer();
    let result = match command {
        ParkedCommand::List(arguments) => list(&declarer, arguments).await,
        ParkedCommand::Show(arguments) => show(&declarer, arguments).await,
        ParkedCommand::Redrive(arguments) => {
            movement::run(&declarer, movement::Movement::Redrive, arguments).await
        }
        ParkedCommand::Discard(arguments) => {
            movement::run(&declarer, movement::Movement::Discard, arguments).await
        }
    };
    link.close().await;
    result
}

async fn list(declarer: &Declarer, arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { queue, limit, output } = arguments;
    let mut listed: Vec<Value> = Vec::new();
    for queue in ParkingQueue::meant(queue) {
        let parking = open(declarer, queue).await?;
        let mut taken = 0;
        while taken < limit {
            let Some(parked) = take(&parking).await? else { break };
            taken += 1;
            match output.output {
                Output::Text => println!("{}", describe::line(&queue.name(), &parked)),
                Output::Json => listed.push(describe::whole(&queue.name(), &parked, None)),
            }
        }
        parking.close().await;
        if taken == limit {
            eprintln!("bellhop: `{}` may hold more: raise `--limit`", queue.name());
        }
        if taken == 0 && output.output == Output::Text {
            println!("`{}` is empty", queue.name());
        }
    }
    if output.output == Output::Json {
        println!("{}", json!({ "parked": listed, "at": describe::now(OffsetDateTime::now_utc()) }));
    }
    Ok(())
}

async fn show(declarer: &Declarer, arguments: ShowArguments) -> Result<(), Failure> {
    let ShowArguments { id, queue, payload, output } = arguments;
    for queue in ParkingQueue::meant(queue) {
        let parking = open(declarer, queue).await?;
        let mut found = None;
        for _ in 0..LOOKED_AT_MAX {
            let Some(parked) = take(&parking).await? else { break };
            if parked.message.message_id() == Some(&*id) {
                found = Some(parked);
                break;
            }
        }
        parking.close().await;
        let Some(parked) = found else { continue };
        let body = payload.then(|| String::from_utf8_lossy(&parked.message.body).into_owned());
        match output.output {
            Output::Json => println!("{}", describe::whole(&queue.name(), &parked, body)),
            Output::Text => describe::print(&queue.name(), &parked, body.as_deref()),
        }
        return Ok(());
    }
    Err(Failure::World(anyhow::anyhow!("{}", unknown(&id))))
}

/// What is said of an id that no message has.
fn unknown(id: &str) -> String {
    let id: String = id.chars().take(64).flat_map(char::escape_debug).collect();
    format!(
        "no parked message is called `{id}`, among the first {LOOKED_AT_MAX} of each queue: see `bellhop parked list`"
    )
}

async fn open(declarer: &Declarer, queue: ParkingQueue) -> Result<Parking, Failure> {
    let name = queue.name();
    let opening = Parking::open(declarer, &name, BROKER_PATIENCE).await;
    Ok(opening.with_context(|| format!("failed to look into `{name}`"))?)
}

async fn take(parking: &Parking) -> Result<Option<Parked>, Failure> {
    Ok(parking.take().await.context("failed to take a parked message")?)
}

fn read_limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit));
    limit.ok_or_else(|| format!("expected 1 to {LISTED_MAX}"))
}
