//! The requests that workers have under way, or had a moment ago: from which lane, and whether anything spoke for their
//! webhooks when they began.

use std::collections::BTreeMap;
use std::time::Duration;

use bellhop_model::Mode;
use bellhop_worker::LaneKind;

/// What is under way at webhooks that nothing speaks for may hold so much of a lane: one part in so many. It is also from
/// when on a lane is filling, by whatever is under way.
const PARTS: usize = 2;

/// A fresh lane of a worker: its number, and the mode.
pub(crate) type FreshLane = (usize, Mode);

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    pub(crate) worker: usize,
    pub(crate) mode: Mode,
    pub(crate) lane: LaneKind,
    pub(crate) webhook: usize,
    pub(crate) is_proven: bool,
}

/// Nobody asks about what ended longer ago.
const REMEMBERED: Duration = Duration::from_secs(1);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    last: usize,
    /// With when each ended, if it has.
    stays: BTreeMap<usize, (Stay, Option<Duration>)>,
}

impl Stays {
    /// * returns what it ends by.
    pub(crate) fn begin(&mut self, stay: Stay, now: Duration) -> usize {
        self.stays.retain(|_, (_, ended_at)| ended_at.is_none_or(|ended_at| now <= ended_at + REMEMBERED));
        self.last += 1;
        self.stays.insert(self.last, (stay, None));
        self.last
    }

    pub(crate) fn end(&mut self, stay: usize, now: Duration) {
        if let Some((_, ended_at)) = self.stays.get_mut(&stay) {
            *ended_at = Some(now);
        }
    }

    /// A worker is gone, and its requests with it.
    pub(crate) fn forget(&mut self, worker: usize) {
        self.stays.retain(|_, (stay, _)| stay.worker != worker);
    }

    /// Whether those at webhooks that nothing speaks for hold too much of a lane, now or since a moment.
    pub(crate) fn is_crowded(&self, lane: FreshLane, lane_max: usize, since: Option<Duration>) -> bool {
        lane_max < PARTS * self.of(lane, since).filter(|stay| !stay.is_proven).count()
    }

    /// Whether a lane has been filling since a moment.
    pub(crate) fn is_filling(&self, lane: FreshLane, lane_max: usize, since: Duration) -> bool {
        lane_max < PARTS * self.of(lane, Some(since)).count()
    }

    /// How many requests of a worker are under way at a webhook, from whatever lane, now or since a moment.
    pub(crate) fn at(&self, worker: usize, webhook: usize, since: Option<Duration>) -> usize {
        self.under_way(since).filter(|stay| (stay.worker, stay.webhook) == (worker, webhook)).count()
    }

    fn of(&self, lane: FreshLane, since: Option<Duration>) -> impl Iterator<Item = &Stay> {
        let is_of = move |stay: &&Stay| stay.lane == LaneKind::Fresh && (stay.worker, stay.mode) == lane;
        self.under_way(since).filter(is_of)
    }

    fn under_way(&self, since: Option<Duration>) -> impl Iterator<Item = &Stay> {
        let is_under_way = move |ended_at: Option<Duration>| match (ended_at, since) {
            (None, _) => true,
            (Some(ended_at), Some(since)) => since <= ended_at,
            (Some(_), None) => false,
        };
        self.stays.values().filter(move |(_, ended_at)| is_under_way(*ended_at)).map(|(stay, _)| stay)
    }
}
