//! Putting parked messages back, or throwing them away: by id, or so many of one queue, the oldest.
//!
//! Each is settled before the next. Killed in between, a message put back may also still be parked; none is lost.

use anyhow::Context as _;
use bellhop_broker::{Declarer, Parked, Parking, ParkingError};
use clap::Args;

use super::{LOOKED_AT_MAX, ParkingQueue, open, take, unknown};
use crate::failure::Failure;

/// Most messages named in one call.
const IDS_MAX: usize = 100;

/// Which messages.
#[derive(Debug, Args)]
pub(crate) struct MoveArguments {
    /// Their ids, as listed.
    #[arg(required_unless_present = "count", conflicts_with = "count", value_name = "ID")]
    ids: Vec<String>,
    /// So many messages of one queue, the oldest, as listed: nothing goes that you have not seen. None goes when fewer are
    /// there.
    #[arg(long, requires = "queue", value_parser = read_count)]
    count: Option<usize>,
    /// Only of this queue.
    #[arg(long, value_enum)]
    queue: Option<ParkingQueue>,
}

/// What is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// Back where they came from.
    Redrive,
    /// Away.
    Discard,
}

/// What came of the messages that were meant.
#[derive(Debug, Default)]
struct Tally {
    moved: usize,
    kept: Vec<String>,
}

/// Moves what is meant.
pub(super) async fn run(
    declarer: &Declarer,
    movement: Movement,
    arguments: MoveArguments,
) -> Result<(), Failure> {
    let MoveArguments { ids, count, queue } = arguments;
    let tally = match (count, queue) {
        (Some(count), Some(queue)) => move_oldest(declarer, movement, (queue, count)).await?,
        _ => move_named(declarer, movement, (ids, queue)).await?,
    };
    match movement {
        Movement::Redrive => println!("{} back where they came from", told(tally.moved)),
        Movement::Discard => println!("{} gone for good", told(tally.moved)),
    }
    if tally.kept.is_empty() { Ok(()) } else { Err(anyhow::anyhow!("{}", tally.kept.join("\n")).into()) }
}

async fn move_named(
    declarer: &Declarer,
    movement: Movement,
    (ids, queue): (Vec<String>, Option<ParkingQueue>),
) -> Result<Tally, Failure> {
    if IDS_MAX < ids.len() {
        return Err(Failure::Request(format!("at most {IDS_MAX} ids fit one call")));
    }
    let mut tally = Tally::default();
    let mut unmet: Vec<&str> = ids.iter().map(String::as_str).collect();
    for queue in ParkingQueue::meant(queue) {
        let parking = open(declarer, queue).await?;
        for _ in 0..LOOKED_AT_MAX {
            let Some(parked) = take(&parking).await? else { break };
            let Some(id) = parked.message.message_id().map(str::to_owned) else { continue };
            if ids.contains(&id) {
                unmet.retain(|other| *other != id);
                tally.note(&id, movement.apply(&parking, parked).await)?;
            }
        }
        parking.close().await;
    }
    tally.kept.extend(unmet.into_iter().map(unknown));
    Ok(tally)
}

async fn move_oldest(
    declarer: &Declarer,
    movement: Movement,
    (queue, count): (ParkingQueue, usize),
) -> Result<Tally, Failure> {
    let name = queue.name();
    // Asked for rather than taken and given back: what is given back need not keep its order.
    let there = declarer.ready_messages([name.clone()]).await;
    let there = there.with_context(|| format!("failed to count `{name}`"))?.remove(&name);
    let there = usize::try_from(there.unwrap_or_default()).unwrap_or(usize::MAX);
    if there < count {
        return Err(Failure::Request(format!(
            "--count: `{name}` holds {there} messages, not {count}: see `bellhop parked list`, then say how many to take"
        )));
    }
    let mut tally = Tally::default();
    let parking = open(declarer, queue).await?;
    // What comes meanwhile lies behind those that were counted.
    for _ in 0..count {
        let Some(parked) = take(&parking).await? else { break };
        let id = parked.message.message_id().unwrap_or("a message without an id").to_owned();
        tally.note(&id, movement.apply(&parking, parked).await)?;
    }
    parking.close().await;
    Ok(tally)
}

impl Movement {
    async fn apply(self, parking: &Parking, parked: Parked) -> Result<(), ParkingError> {
        match self {
            Self::Redrive => parking.put_back(parked).await,
            Self::Discard => parking.discard(parked).await,
        }
    }
}

impl Tally {
    /// # Errors
    /// What ends the whole command.
    fn note(&mut self, id: &str, result: Result<(), ParkingError>) -> Result<(), Failure> {
        match result {
            Ok(()) => self.moved += 1,
            Err(error @ (ParkingError::NoOrigin | ParkingError::NotTaken(_))) => {
                let id: String = id.chars().take(64).flat_map(char::escape_debug).collect();
                self.kept.push(format!("`{id}`: {error}"));
            }
            Err(error) => {
                let moved = self.moved;
                let error = anyhow::Error::new(error);
                return Err(error.context(format!("after {}, no other was moved", told(moved))).into());
            }
        }
        Ok(())
    }
}

fn told(count: usize) -> String {
    if count == 1 { "1 message is".to_owned() } else { format!("{count} messages are") }
}

fn read_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=LOOKED_AT_MAX).contains(count));
    count.ok_or_else(|| format!("expected 1 to {LOOKED_AT_MAX}"))
}
