//! How fast a webhook takes deliveries, and when it is the turn of one that must wait.
//!
//! Whoever finds no place books a turn behind the last one booked and waits on a rung until then. Rungs are few and
//! coarse, so a message brings its own time to live, which the broker honours at the head of a queue: turns of one webhook
//! are booked in their order, so none holds up an earlier one, and a burst comes back at the speed in which it can be
//! taken. What has a longer time to live and is in front makes a delivery late; so turns keep off the rungs of retries, and
//! those that are near off the rungs of those that are far.

use std::time::Duration;

use bellhop_model::{Attempt, Ladder, Rung};
use time::OffsetDateTime;

/// How long an attempt is taken to last, at least and at most, before one has ended. Too short, and what was booked
/// meanwhile comes too early and books again; too long, and a fast endpoint idles.
const GUESS_MIN: Duration = Duration::from_millis(50);
const GUESS_MAX: Duration = Duration::from_secs(15);

/// How much of the mean a new attempt replaces: one part in so many.
const MEAN_PARTS: u32 = 8;

/// By how much an attempt that lasts longer than the brisk ones raises what counts as brisk: one part in so many, so that
/// it is forgotten within some hundreds of attempts that a webhook has become slower.
const BRISK_PARTS: u32 = 256;

/// The least by which it is raised, so that it rises from nothing, too.
const BRISK_STEP_MIN: Duration = Duration::from_micros(10);

/// Turns are booked for attempts at least as long as one part in so many of the mean. Where few are brisk and most are
/// not, turns that come much too early would have a backlog go round through the broker again and again.
const BRISK_MEAN_PARTS: u32 = 4;

/// How far ahead turns are booked. The rate may change: beyond this, it is as good a guess as any.
const BOOKED_AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest wait for a turn. Below this the way through the broker dominates.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// What is unavailable waits on no shorter rung, however short its wait: whatever has a longer time to live holds up what
/// comes behind it, and a webhook that is down must not make another's turns late.
pub(crate) const ASIDE_MIN: Duration = Duration::from_secs(30);

/// The longest rung on which a turn is waited for no longer than needed. The message in front may have it whole, and a turn
/// must not be late by more than this.
const OWN_RUNG_MAX: Duration = Duration::from_secs(2 * 60);

/// The pace of one webhook.
#[derive(Debug)]
pub(crate) struct Pace {
    span: Span,
    /// The last turn that is booked.
    booked: OffsetDateTime,
}

/// How long an attempt holds its place.
///
/// Turns are booked for the brisk: a turn that comes too early costs a delivery one more way through the broker, but one
/// that comes too late leaves the endpoint idle, and nothing brings it forward. A worker that routes a burst is itself what
/// holds attempts up; booked by the mean of that moment, the burst would be spread over several times what it takes.
#[derive(Debug)]
enum Span {
    /// None has ended since.
    Unknown { since: OffsetDateTime },
    /// On average, and when nothing holds it up.
    Known { mean: Duration, brisk: Duration },
}

/// How a message waits: on a rung, and there no longer than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) rung: Rung,
    pub(crate) at_most: Duration,
}

impl Pace {
    pub(crate) const fn new(now: OffsetDateTime) -> Self {
        Self { span: Span::Unknown { since: now }, booked: now }
    }

    /// Learns how long an attempt held its place.
    pub(crate) fn observe(&mut self, duration: Duration) {
        self.span = match self.span {
            Span::Unknown { .. } => Span::Known { mean: duration, brisk: duration },
            Span::Known { mean, brisk } => Span::Known {
                mean: mean / MEAN_PARTS * (MEAN_PARTS - 1) + duration / MEAN_PARTS,
                brisk: duration.min(brisk + brisk / BRISK_PARTS + BRISK_STEP_MIN),
            },
        };
    }

    /// How long an attempt lasts on average, the last ones most of all; `None` before one has ended.
    pub(crate) const fn mean(&self) -> Option<Duration> {
        match self.span {
            Span::Known { mean, .. } => Some(mean),
            Span::Unknown { .. } => None,
        }
    }

    /// Whether somebody who came before waits for a turn.
    pub(crate) fn is_booked(&self, now: OffsetDateTime) -> bool {
        now < self.booked
    }

    /// Books the turn after the last.
    ///
    /// * `places`: how many attempts may be under way at once.
    /// * `held`: how many are under way, or wait for a place without a turn.
    pub(crate) fn book(&mut self, now: OffsetDateTime, places: u32, held: u32) -> OffsetDateTime {
        let duration = match self.span {
            Span::Known { mean, brisk } => brisk.max(mean / BRISK_MEAN_PARTS),
            // As long as nothing has ended, attempts last as long as the first has lasted.
            Span::Unknown { since } => (now - since).unsigned_abs().clamp(GUESS_MIN, GUESS_MAX),
        };
        // With every place taken, one attempt ends in each of these spans.
        let span = duration / places.max(1);
        let behind = span.saturating_mul(held).min(BOOKED_AHEAD_MAX);
        // A clock that is set back must not leave turns in a far future.
        let last = self.booked.clamp(now + behind, now + BOOKED_AHEAD_MAX);
        self.booked = (last + span).min(now + BOOKED_AHEAD_MAX);
        self.booked
    }
}

/// Whether a delivery's turn has come, or is too near to wait for it elsewhere.
pub(crate) fn has_come(turn: OffsetDateTime, now: OffsetDateTime) -> bool {
    turn < now + WAIT_MIN
}

/// How to wait for a turn that is so far away.
///
/// A near one is waited for on a short rung that retries do not use, and there no longer than needed. A far one is waited
/// for on whole rungs, none of which passes it, and on none where near ones wait: what is booked anew behind a long backlog
/// would stand in front of turns that come before its own, and the endpoint would idle for minutes.
pub(crate) fn wait(left: Duration, ladder: &Ladder) -> Wait {
    let second = Attempt::FIRST.next();
    let retries = [second, second.and_then(Attempt::next)].map(|attempt| attempt.map(|it| ladder.before(it)));
    let is_own = |rung: &Rung| rung.wait() <= OWN_RUNG_MAX && !retries.contains(&Some(*rung));
    let rungs = || ladder.rungs().iter().copied();
    if let Some(rung) = rungs().find(|rung| is_own(rung) && left <= rung.wait()) {
        return wait_on(rung, left);
    }
    let is_apart = |rung: &Rung| !is_own(rung) && ASIDE_MIN <= rung.wait();
    let mut whole = rungs().filter(|rung| rung.wait() <= left);
    let rung = whole.clone().rfind(is_apart).or_else(|| whole.next_back());
    wait_on(rung.unwrap_or(ladder.at_least(left)), left)
}

/// How to wait for what is unavailable: off the rungs on which others have short waits for their turns.
pub(crate) fn wait_aside(wait: Duration, ladder: &Ladder) -> Wait {
    wait_on(ladder.at_least(wait.max(ASIDE_MIN)), wait)
}

fn wait_on(rung: Rung, wait: Duration) -> Wait {
    Wait { rung, at_most: wait.max(WAIT_MIN).min(rung.wait()) }
}

#[cfg(test)]
mod tests;
