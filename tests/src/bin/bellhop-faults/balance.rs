//! The balance of a half: what became of each event that was published, and whether each promise about it was kept.

use bellhop_model::{EndState, Record, limits::ATTEMPTS_MAX};
use bellhop_tests::measuring::event::Stamp;
use serde::Serialize;

use crate::sink::{Expected, Seen, TallyTold};

/// Breaches that are told one by one; beyond them the figures tell.
const BREACHES_TOLD_MAX: usize = 5;

/// Everything that is known of each event besides what endpoints saw: what lay in the log and in the queues.
#[derive(Debug)]
pub(crate) struct Ledger {
    runs: Vec<Vec<Entry>>,
    /// Messages and records that are about no event of ours.
    strangers: usize,
}

/// One event in log and queues.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    logged: Seen,
    end: Option<EndState>,
    ends: u8,
    queued: u8,
}

/// What became of all events.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Balance {
    /// Events that were published, each owed to one webhook.
    pub(crate) published: usize,
    /// Answered with success.
    pub(crate) delivered: usize,
    /// Three attempts failed, and the log says so.
    pub(crate) exhausted: usize,
    /// The webhook went away, and the log says so.
    pub(crate) cancelled: usize,
    /// In a queue, when the worker had stopped.
    pub(crate) waiting: usize,
    /// None of these.
    pub(crate) lost: usize,
    /// Over, and in a queue all the same: acknowledged too late for the stop, to be offered again.
    pub(crate) offered_again: usize,
    /// Requests that endpoints received, or that the log tells of where an endpoint cannot.
    pub(crate) requests: usize,
    /// Requests that repeated an attempt, though nothing was killed.
    pub(crate) repeats: usize,
    /// The most requests that one delivery had.
    pub(crate) requests_max: u8,
    /// Requests that no webhook should have had.
    pub(crate) strays: usize,
    /// The promises that were broken.
    pub(crate) breaches: Vec<String>,
}

impl Ledger {
    /// Nothing is known yet.
    pub(crate) fn of(expected: &Expected) -> Self {
        let runs = expected.runs.iter().map(|run| vec![Entry::default(); run.events]).collect();
        Self { runs, strangers: 0 }
    }

    /// Notes a record of the log.
    pub(crate) fn note_record(&mut self, record: &Record) {
        match record {
            Record::Event(_) | Record::Waiting(_) => {}
            Record::Attempt(made) => {
                if let Some(entry) = self.entry(Some(made.of.event.as_str())) {
                    entry.logged.count(made.attempt.number());
                }
            }
            Record::End(end) => {
                if let Some(entry) = self.entry(id_of(&end.event)) {
                    entry.end = Some(end.reason.state());
                    entry.ends = entry.ends.saturating_add(1);
                }
            }
        }
    }

    /// Notes a message that lay in a queue.
    ///
    /// * `body`: the event as published.
    pub(crate) fn note_queued(&mut self, body: &[u8]) {
        if let Some(entry) = self.entry(id_of(body)) {
            entry.queued = entry.queued.saturating_add(1);
        }
    }

    /// How many events neither an endpoint answered nor the log or a queue has.
    pub(crate) fn missing(&self, tally: &TallyTold) -> usize {
        let entries = self.runs.iter().flatten();
        let seen = tally.runs.iter().flat_map(|run| &run.seen);
        entries.zip(seen).filter(|(entry, seen)| entry.is_unknown() && !seen.is_taken()).count()
    }

    /// Draws the balance.
    ///
    /// * `in_hand_max`: how many messages workers may have had in hand when they were told to stop.
    pub(crate) fn balance(&self, tally: &TallyTold, in_hand_max: usize) -> Balance {
        let mut balance = Balance { strays: tally.strays, ..Balance::default() };
        for (run, (entries, tally)) in self.runs.iter().zip(&tally.runs).enumerate() {
            for (number, (entry, seen)) in entries.iter().zip(&tally.seen).enumerate() {
                balance.add(*entry, *seen, || format!("event {number} of run {run}"));
            }
            balance.repeats += tally.repeats;
        }
        let Balance { offered_again, repeats, strays, .. } = balance;
        if in_hand_max < offered_again {
            balance.breach(|| format!("{offered_again} are over and would be offered again"));
        }
        if repeats != 0 {
            balance.breach(|| format!("{repeats} requests repeat an attempt"));
        }
        if strays != 0 {
            balance.breach(|| format!("{strays} requests are astray"));
        }
        if self.strangers != 0 {
            balance.breach(|| format!("{} messages or records are about no event of ours", self.strangers));
        }
        balance
    }

    fn entry(&mut self, id: Option<&str>) -> Option<&mut Entry> {
        let entry = id.and_then(Stamp::read).and_then(|stamp| {
            let run = self.runs.get_mut(usize::try_from(stamp.run).ok()?)?;
            run.get_mut(stamp.number)
        });
        if entry.is_none() {
            self.strangers += 1;
        }
        entry
    }
}

impl Entry {
    const fn is_unknown(self) -> bool {
        self.end.is_none() && self.queued == 0
    }
}

impl Balance {
    /// Whether nothing was lost and every other promise kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.lost == 0 && self.breaches.is_empty()
    }

    fn add(&mut self, entry: Entry, seen: Seen, name: impl Fn() -> String) {
        self.published += 1;
        let is_over = seen.is_taken() || entry.end.is_some();
        match (seen.is_taken(), entry.end) {
            (true, _) => self.delivered += 1,
            (false, Some(EndState::Exhausted)) => self.exhausted += 1,
            (false, Some(EndState::Cancelled)) => self.cancelled += 1,
            (false, None) if 0 < entry.queued => self.waiting += 1,
            (false, None) => {
                self.lost += 1;
                self.breach(|| format!("{} is lost", name()));
            }
        }
        self.offered_again += usize::from(is_over && 0 < entry.queued);
        let requests = seen.requests().max(entry.logged.requests());
        self.requests += usize::from(requests);
        self.requests_max = self.requests_max.max(requests);
        // Where an endpoint cannot count, the log does.
        let is_only_logged = seen == Seen::default();
        let attempts = u8::try_from(entry.logged.attempts().count_ones()).unwrap_or(u8::MAX);
        self.repeats += usize::from(if is_only_logged { requests.saturating_sub(attempts) } else { 0 });
        if ATTEMPTS_MAX < requests {
            self.breach(|| format!("{} had {requests} requests", name()));
        }
        if seen.is_taken() && entry.end.is_some() {
            self.breach(|| format!("{} was delivered and ended otherwise, too", name()));
        }
        if entry.end == Some(EndState::Exhausted)
            && (seen.attempts() | entry.logged.attempts()).count_ones() < 3
        {
            self.breach(|| format!("{} was given up before its third attempt", name()));
        }
        if 1 < entry.queued || 1 < entry.ends {
            self.breach(|| format!("{} has {} copies and {} ends", name(), entry.queued, entry.ends));
        }
    }

    fn breach(&mut self, tell: impl FnOnce() -> String) {
        if self.breaches.len() < BREACHES_TOLD_MAX {
            self.breaches.push(tell());
        } else if self.breaches.len() == BREACHES_TOLD_MAX {
            self.breaches.push("and more".to_owned());
        }
    }
}

/// The id of an event as [`bellhop_tests::measuring::event::Template`] writes it: first of all.
fn id_of(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(br#"{"id":""#)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests;
