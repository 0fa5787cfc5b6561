//! A place for one attempt, and the wait for it. Dropping either gives everything back.

use std::mem;
use std::sync::Arc;

use bellhop_sender::Exchange;
use prometheus::IntGauge;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::breaker::Passage;
use super::cap::Ticket;
use super::crowd::Stay;
use super::side::{Side, Standing};
use crate::options::LaneKind;

/// The right to make one attempt now.
#[derive(Debug)]
pub(crate) struct Place {
    side: Arc<Side>,
    standing: Arc<Standing>,
    passage: Passage,
    /// The origin of the host, if the attempt is a probe of it.
    probed_host: Option<Box<str>>,
    /// Whether the webhook was quick lately, as far as was known when the place was given.
    is_proven: bool,
    is_under_way: bool,
    /// While the attempt is under way, if it came by the fresh lane.
    stay: Option<Stay>,
    // Last, so that whoever gets the permit next finds what this attempt has shown.
    _permit: OwnedSemaphorePermit,
}

/// The right to wait in the worker.
#[derive(Debug)]
pub(crate) struct Waiting {
    standing: Arc<Standing>,
    ticket: Ticket,
    waiting: Counted,
    stopping: CancellationToken,
}

/// What a wait ended with: a permit, unless the worker is stopping.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) standing: Arc<Standing>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Counts its holder for as long as it lives.
#[derive(Debug)]
struct Counted(IntGauge);

impl Place {
    pub(super) fn new(
        side: Arc<Side>,
        standing: Arc<Standing>,
        permit: OwnedSemaphorePermit,
        (passage, is_proven): (Passage, bool),
    ) -> Self {
        Self {
            side,
            standing,
            passage,
            probed_host: None,
            is_proven,
            is_under_way: false,
            stay: None,
            _permit: permit,
        }
    }

    pub(super) fn probe_host(&mut self, origin: &str) {
        self.probed_host = Some(origin.into());
    }

    /// The attempt is made now; until here it may have waited for whatever is ours.
    pub(crate) fn begin(&mut self, lane: LaneKind, now: OffsetDateTime) {
        self.is_under_way = true;
        self.standing.silence.begin(now);
        self.stay = (lane == LaneKind::Fresh).then(|| self.side.crowd.enter(self.is_proven, now));
    }

    /// Gives the place back after the attempt, and tells what it has shown.
    ///
    /// * `origin`: of the URL that was called.
    pub(crate) fn give_back(mut self, origin: &str, exchange: &Exchange, now: OffsetDateTime) {
        let Exchange { outcome, duration, .. } = exchange;
        let passage = mem::replace(&mut self.passage, Passage::Free);
        if mem::take(&mut self.is_under_way) {
            self.standing.silence.end(now);
        }
        let passage_of_host = self.probed_host.take().map_or(Passage::Free, |_| Passage::Probe);
        self.side.observe_webhook(&self.standing, (outcome, *duration), passage, now);
        self.side.observe_host(origin, outcome, passage_of_host, now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_under_way {
            self.standing.silence.give_up();
        }
        if self.passage == Passage::Probe {
            self.side.abandon(&self.standing);
        }
        if let Some(origin) = &self.probed_host {
            self.side.abandon_host(origin);
        }
    }
}

impl Waiting {
    pub(super) fn new(
        standing: Arc<Standing>,
        ticket: Ticket,
        waiting: IntGauge,
        stopping: CancellationToken,
    ) -> Self {
        waiting.inc();
        Self { standing, ticket, waiting: Counted(waiting), stopping }
    }

    /// Waits until there is a place, or the worker stops.
    pub(crate) async fn held(self) -> Held {
        let Self { standing, ticket, waiting, stopping } = self;
        let permit = stopping.run_until_cancelled(ticket.wait()).await;
        drop(waiting);
        Held { standing, permit }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
