//! The endpoints: what each does with the next request, and every request that reached one.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bellhop_model::{Answer, Failure, Outcome};

use super::dice::Dice;
use super::stays::Stays;

/// What an endpoint does with one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// A status.
    Status(u16),
    /// A status and `Retry-After`.
    Later(u16, Duration),
    /// No answer.
    Failure(Failure),
    /// Nothing an endpoint could do by itself: this program panics over it.
    Panic,
}

/// A request that reached an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) worker: usize,
    pub(crate) event: usize,
    pub(crate) webhook: usize,
    pub(crate) revision: usize,
    pub(crate) attempt: u8,
    pub(crate) at: Duration,
    pub(crate) reply: Reply,
    /// When the worker had the answer; `None` while it has none.
    pub(crate) answered_at: Option<Duration>,
}

/// What a worker has seen of a webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// When a request ended last.
    pub(crate) at: Duration,
    /// What the shortest took.
    pub(crate) shortest: Duration,
    /// When one ended last with success, and quickly.
    pub(crate) quick_at: Option<Duration>,
}

/// What a worker learns from a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) is_quick: bool,
}

/// All endpoints.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    scripts: BTreeMap<usize, VecDeque<Reply>>,
    moods: BTreeMap<usize, &'static [Reply]>,
    answer_times: BTreeMap<usize, Duration>,
    /// What each worker has seen of each webhook since it started.
    seen: BTreeMap<(usize, usize), Seen>,
    pub(crate) stays: Stays,
    pub(crate) calls: Vec<Called>,
}

impl Reply {
    /// What the worker learns. The program that panics learns nothing.
    pub(crate) const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Status(status) => Some(Outcome::Answered(Answer { status, retry_after: None })),
            Self::Later(status, wait) => Some(Outcome::Answered(Answer { status, retry_after: Some(wait) })),
            Self::Failure(failure) => Some(Outcome::Failed(failure)),
            Self::Panic => None,
        }
    }

    pub(crate) fn is_success(self) -> bool {
        self.outcome().is_some_and(|outcome| outcome.is_success())
    }

    pub(crate) fn is_gone(self) -> bool {
        self.outcome().is_some_and(|outcome| outcome.status() == Some(410))
    }
}

impl Endpoints {
    /// What a webhook's endpoint does next, one after the other; afterwards it follows its mood.
    pub(crate) fn script(&mut self, webhook: usize, replies: impl IntoIterator<Item = Reply>) {
        self.scripts.entry(webhook).or_default().extend(replies);
    }

    /// What a webhook's endpoint picks from; without a mood it answers 200.
    pub(crate) fn set_mood(&mut self, webhook: usize, replies: &'static [Reply]) {
        self.moods.insert(webhook, replies);
    }

    /// From now on a webhook's endpoint answers 200, as fast as any.
    pub(crate) fn heal(&mut self, webhook: usize) {
        self.moods.remove(&webhook);
        self.answer_times.remove(&webhook);
    }

    /// How long a webhook's endpoint takes for each answer; without that it is left to chance.
    pub(crate) fn set_answer_time(&mut self, webhook: usize, answer_time: Duration) {
        self.answer_times.insert(webhook, answer_time);
    }

    pub(crate) fn answer_time(&self, webhook: usize) -> Option<Duration> {
        self.answer_times.get(&webhook).copied()
    }

    /// A worker has learnt what a request took.
    pub(crate) fn see(&mut self, worker: usize, webhook: usize, learnt: Learnt) {
        let Learnt { at, took, is_quick } = learnt;
        let seen = self.seen.entry((worker, webhook)).or_insert(Seen { at, shortest: took, quick_at: None });
        let quick_at = is_quick.then_some(at).or(seen.quick_at);
        *seen = Seen { at, shortest: seen.shortest.min(took), quick_at };
    }

    pub(crate) fn seen(&self, worker: usize, webhook: usize) -> Option<Seen> {
        self.seen.get(&(worker, webhook)).copied()
    }

    /// A request has ended.
    /// A worker is gone, and its requests with it.
    pub(crate) fn forget(&mut self, worker: usize) {
        self.seen.retain(|(other, _), _| *other != worker);
        self.stays.forget(worker);
    }

    pub(crate) fn reply(&mut self, webhook: usize, dice: &mut Dice) -> Reply {
        let scripted = self.scripts.get_mut(&webhook).and_then(VecDeque::pop_front);
        let mood = self.moods.get(&webhook).copied().unwrap_or(&[Reply::Status(200)]);
        scripted.unwrap_or_else(|| *dice.pick(mood))
    }
}
