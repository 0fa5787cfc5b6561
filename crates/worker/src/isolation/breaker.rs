//! A breaker: when to stop asking what does not answer, and when to try again.
//!
//! Closed, everything passes. A run of failures opens it; then nothing passes until the cool-down is over, and after
//! that one probe at a time. The first good sign closes it; a failed probe doubles the cool-down, up to a bound.

use std::time::Duration;

use time::OffsetDateTime;

/// How many failures in a row open a breaker.
pub(crate) const FAILURES_TO_OPEN: u32 = 5;

/// A run of failures counts only within this time: what is asked rarely costs little, and five failures in a week prove
/// nothing.
pub(crate) const EVIDENCE_WINDOW: Duration = Duration::from_secs(5 * 60);

/// The first cool-down.
pub(crate) const COOL_DOWN_MIN: Duration = Duration::from_secs(10);

/// The longest cool-down: how long what has recovered may go unnoticed.
pub(crate) const COOL_DOWN_MAX: Duration = Duration::from_secs(10 * 60);

/// How long to wait for what a probe finds. Mostly that is known at once; while it hangs, a delivery comes back for it once
/// or twice.
pub(crate) const PROBE_WAIT: Duration = Duration::from_secs(10);

/// A breaker of one webhook, or of one host.
#[derive(Debug)]
pub(crate) struct Breaker(State);

#[derive(Debug)]
enum State {
    /// The failures in a row, the first of them at `since`.
    Closed { failures: u32, since: OffsetDateTime },
    /// Nothing passes before `until`, and then one probe at a time.
    Open { cool_down: Duration, until: OffsetDateTime, is_probed: bool },
}

/// Whether an attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Like any other.
    Free,
    /// To see whether it works again. Whoever is told so either observes what came of it, or abandons the probe.
    Probe,
    /// Not now; to be asked again after this time.
    Refused(Duration),
}

/// What an attempt says about what a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// It works.
    Good,
    /// It does not.
    Bad,
    /// Nothing.
    Silent,
}

impl Passage {
    /// When to ask again, if this is a refusal.
    pub(crate) const fn refused(self) -> Option<Duration> {
        match self {
            Self::Refused(wait) => Some(wait),
            Self::Free | Self::Probe => None,
        }
    }
}

impl Breaker {
    /// A closed one.
    pub(crate) const fn new(now: OffsetDateTime) -> Self {
        Self(State::Closed { failures: 0, since: now })
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.0, State::Open { .. })
    }

    /// Whether nothing speaks against what it guards.
    pub(crate) const fn is_blank(&self) -> bool {
        matches!(self.0, State::Closed { failures: 0, .. })
    }

    /// Looks whether an attempt could be made; makes no probe of it.
    pub(crate) fn refuses(&mut self, now: OffsetDateTime) -> Option<Duration> {
        let State::Open { cool_down, until, is_probed } = &mut self.0 else { return None };
        // The wall clock may have been set back; no cool-down gets longer by that.
        *until = (*until).min(now + *cool_down);
        if now < *until {
            return Some((*until - now).unsigned_abs());
        }
        is_probed.then_some(PROBE_WAIT)
    }

    /// Asks whether an attempt may be made now.
    pub(crate) fn ask(&mut self, now: OffsetDateTime) -> Passage {
        if let Some(wait) = self.refuses(now) {
            return Passage::Refused(wait);
        }
        match &mut self.0 {
            State::Closed { .. } => Passage::Free,
            State::Open { is_probed, .. } => {
                *is_probed = true;
                Passage::Probe
            }
        }
    }

    /// Learns from an attempt.
    ///
    /// * `passage`: what it was made as. Of what was under way when the breaker opened, and of what is made although it
    ///   is open, only good signs count: they are no fresh evidence against it.
    pub(crate) fn observe(&mut self, evidence: Evidence, passage: Passage, now: OffsetDateTime) {
        let is_probe = passage == Passage::Probe;
        match &mut self.0 {
            State::Closed { failures, since } => match evidence {
                Evidence::Good => *failures = 0,
                Evidence::Silent => {}
                Evidence::Bad => {
                    let is_in_window = *since <= now && now - *since <= EVIDENCE_WINDOW;
                    if *failures == 0 || !is_in_window {
                        (*failures, *since) = (0, now);
                    }
                    *failures += 1;
                    if FAILURES_TO_OPEN <= *failures {
                        self.open(COOL_DOWN_MIN, now);
                    }
                }
            },
            State::Open { cool_down, .. } => match evidence {
                Evidence::Good => *self = Self::new(now),
                // A probe that proves nothing would otherwise be followed by probes that prove nothing, for ever.
                Evidence::Silent if is_probe => *self = Self::new(now),
                Evidence::Bad if is_probe => {
                    let longer = (*cool_down * 2).min(COOL_DOWN_MAX);
                    self.open(longer, now);
                }
                Evidence::Silent | Evidence::Bad => {}
            },
        }
    }

    /// A probe was not made after all; the next to ask may.
    pub(crate) const fn abandon(&mut self) {
        if let State::Open { is_probed, .. } = &mut self.0 {
            *is_probed = false;
        }
    }

    fn open(&mut self, cool_down: Duration, now: OffsetDateTime) {
        self.0 = State::Open { cool_down, until: now + cool_down, is_probed: false };
    }
}

#[cfg(test)]
mod tests;
