//! The requests that workers have made from their fresh lanes, and whether anything spoke for their webhooks then.

use std::collections::BTreeMap;
use std::time::Duration;

use bellhop_model::Mode;

/// What is under way at webhooks that nothing speaks for may hold so much of a lane: one part in so many. It is also from
/// when on a lane is filling, by whatever is under way.
const PARTS: usize = 2;

/// A fresh lane of a worker: its number, and the mode.
pub(crate) type FreshLane = (usize, Mode);

/// One request.
#[derive(Debug)]
struct Stay {
    lane: FreshLane,
    is_proven: bool,
    ended_at: Option<Duration>,
}

/// Nobody asks about what ended longer ago.
const REMEMBERED: Duration = Duration::from_secs(1);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    last: usize,
    stays: BTreeMap<usize, Stay>,
}

impl Stays {
    /// * returns what it ends by.
    pub(crate) fn begin(&mut self, lane: FreshLane, is_proven: bool, now: Duration) -> usize {
        self.stays.retain(|_, stay| stay.ended_at.is_none_or(|ended_at| now <= ended_at + REMEMBERED));
        self.last += 1;
        self.stays.insert(self.last, Stay { lane, is_proven, ended_at: None });
        self.last
    }

    pub(crate) fn end(&mut self, stay: usize, now: Duration) {
        if let Some(stay) = self.stays.get_mut(&stay) {
            stay.ended_at = Some(now);
        }
    }

    /// A worker is gone, and its requests with it.
    pub(crate) fn forget(&mut self, worker: usize) {
        self.stays.retain(|_, stay| stay.lane.0 != worker);
    }

    /// Whether those at webhooks that nothing speaks for hold too much of a lane, now or since a moment.
    pub(crate) fn is_crowded(&self, lane: FreshLane, lane_max: usize, since: Option<Duration>) -> bool {
        lane_max < PARTS * self.of(lane, since).filter(|stay| !stay.is_proven).count()
    }

    /// Whether a lane has been filling since a moment.
    pub(crate) fn is_filling(&self, lane: FreshLane, lane_max: usize, since: Duration) -> bool {
        lane_max < PARTS * self.of(lane, Some(since)).count()
    }

    fn of(&self, lane: FreshLane, since: Option<Duration>) -> impl Iterator<Item = &Stay> {
        let is_under_way = move |stay: &&Stay| match (stay.ended_at, since) {
            (None, _) => true,
            (Some(ended_at), Some(since)) => since <= ended_at,
            (Some(_), None) => false,
        };
        self.stays.values().filter(move |stay| stay.lane == lane).filter(is_under_way)
    }
}
