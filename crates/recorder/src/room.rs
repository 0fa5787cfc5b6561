//! Whether there is room for more of a recovery: no fresh event waits for its turn, and few retries do.

use std::collections::BTreeMap;
use std::time::Duration;

use bellhop_broker::{Declarer, Shards, names};
use bellhop_model::Mode;
use tokio::time::timeout;

/// How many messages may be ready in the due lane for a recovery to add more. Retries wait behind them: at 1,000, and the
/// few hundred a second that one worker makes, for seconds.
const DUE_READY_MAX: u32 = 1_000;

/// How many events may be ready in a shard of the fresh lane. Workers have more places than that, so what lies there waits
/// because all are taken, and what a recovery adds takes workers, broker and endpoints from it.
const FRESH_READY_MAX: u32 = 100;

/// Longest wait for the broker to tell how many they are, in all queues together.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);

/// What a recovery of one mode looks at.
pub(crate) struct Room {
    pub(crate) mode: Mode,
    pub(crate) shards: Shards,
    pub(crate) declarer: Declarer,
}

impl Room {
    /// Why nothing should be added now, in words.
    pub(crate) async fn hindrance(&self) -> Option<String> {
        let Self { mode, shards, declarer } = self;
        let fresh = shards.numbers().map(|shard| names::events_queue(*mode, shard));
        let queues = [names::due_queue(*mode)].into_iter().chain(fresh);
        match timeout(LOOK_PATIENCE, declarer.ready_messages(queues)).await {
            Ok(Ok(ready)) => hindrance(*mode, &ready),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the broker does not tell how much its queues hold".to_owned()),
        }
    }
}

/// * `ready`: messages of the queues that exist. A shard that is yet to be declared holds up nobody.
fn hindrance(mode: Mode, ready: &BTreeMap<String, u32>) -> Option<String> {
    let due = names::due_queue(mode);
    if !ready.contains_key(&due) {
        return Some(format!("`{due}` does not exist: declare the topology"));
    }
    let most = |queue: &String| if *queue == due { DUE_READY_MAX } else { FRESH_READY_MAX };
    let (queue, ready) = ready.iter().find(|(queue, ready)| most(queue) < **ready)?;
    Some(format!("`{queue}` holds {ready} messages, more than {}", most(queue)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(ready: &[(&str, u32)]) -> Option<String> {
        let ready = ready.iter().map(|(queue, ready)| ((*queue).to_owned(), *ready)).collect();
        hindrance(Mode::Live, &ready)
    }

    #[test]
    fn there_is_room_until_a_lane_holds_more_than_it_may() {
        let (due, first, second) = ("bellhop.live.due", "bellhop.live.events.0", "bellhop.live.events.1");
        assert_eq!(told_of(&[(due, DUE_READY_MAX), (first, FRESH_READY_MAX), (second, 0)]), None);
        assert_eq!(told_of(&[(due, 0)]), None);
        for (held, why) in [
            (
                [(due, 1_001), (first, 0), (second, 0)],
                "`bellhop.live.due` holds 1001 messages, more than 1000",
            ),
            (
                [(due, 0), (first, 0), (second, 101)],
                "`bellhop.live.events.1` holds 101 messages, more than 100",
            ),
        ] {
            assert_eq!(told_of(&held).as_deref(), Some(why));
        }
    }

    #[test]
    fn without_a_due_lane_nothing_is_added() {
        let why = told_of(&[("bellhop.live.events.0", 0)]).expect("a reason");
        assert!(why.contains("`bellhop.live.due` does not exist"), "{why}");
    }
}
