//! One bad webhook costs the others nothing: who may be called now, who waits here, who comes again later.
//!
//! At each webhook so many attempts may be under way. Whoever finds no place waits for one in the worker, within small
//! bounds; beyond them it is *busy*, books a turn, and waits for that on a rung. A webhook whose requests hang, or a host
//! that cannot be reached, opens a breaker: deliveries are *unavailable* until a probe finds that it works again, but not
//! for longer than [`UNAVAILABLE_AGE_MAX`]. Neither uses up an attempt.
//!
//! Whoever would hold up the fresh lane leaves it for the slow one before any of this, see [`Detour`].
//!
//! Hanging is held against a webhook alone: at the host of an automation platform its neighbours may be well.
//!
//! Everything here is this worker's own view. Decisions take the time as an argument, and none waits but for a place.

mod breaker;
mod cap;
mod crowd;
mod detour;
mod known;
mod metrics;
mod pace;
mod place;
mod side;
mod silence;
mod sockets;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use bellhop_model::{Ladder, Mode, WebhookId};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(crate) use self::detour::Detour;
pub(crate) use self::metrics::IsolationMetrics;
pub(crate) use self::pace::{ASIDE_MIN, Wait};
pub(crate) use self::place::{Held, Place, Waiting};

use self::cap::WaitingRoom;
use self::side::{Side, Standing};
use crate::metrics::WorkerMetrics;
use crate::options::{LaneKind, LaneName, LaneOptions, WorkerOptions};

/// How old a delivery may get while its webhook is unavailable. From then on its attempts are made whatever breakers say.
pub(crate) const UNAVAILABLE_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What one worker knows about webhooks and hosts, and the places it has for them.
#[derive(Debug)]
pub struct Isolation {
    live: Arc<Side>,
    test: Arc<Side>,
    lanes: Vec<(LaneName, LaneBounds)>,
    metrics: IsolationMetrics,
    stopping: CancellationToken,
}

/// What the deliveries of one lane share.
#[derive(Debug)]
struct LaneBounds {
    waiting_room: WaitingRoom,
    sockets: Semaphore,
}

/// A delivery that asks for its attempt.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) mode: Mode,
    pub(crate) lane: LaneKind,
    pub(crate) webhook: &'a WebhookId,
    /// Of the webhook's URL.
    pub(crate) origin: &'a str,
    /// Since a worker first took the event.
    pub(crate) age: Duration,
    /// The turn it has been waiting for.
    pub(crate) turn: Option<OffsetDateTime>,
}

/// What a delivery is told.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The attempt may be made now.
    Admitted(Place),
    /// It may wait here for a place.
    MayWait(Waiting),
    /// Not now, or not in this lane.
    Refused(Refusal),
}

/// What becomes of a delivery that is not attempted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It comes again later.
    Deferred(Deferral),
    /// It goes by the slow lane.
    Diverted(Detour),
}

/// Why a delivery comes again later, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferral {
    /// The webhook has as much as it takes. However often that happens, it never ends a delivery.
    Busy {
        /// When the delivery's turn will have come.
        turn: OffsetDateTime,
    },
    /// The webhook hangs, or its host cannot be reached.
    Unavailable {
        /// When to ask again.
        wait: Duration,
    },
}

impl Isolation {
    /// Knows nobody yet.
    ///
    /// * `stopping`: from when on nobody waits in the worker for a place.
    #[must_use]
    pub fn new(options: &WorkerOptions, metrics: &WorkerMetrics, stopping: CancellationToken) -> Self {
        let metrics = metrics.isolation.clone();
        let side = |mode| {
            let is_fresh = |lane: &&LaneOptions| lane.mode == mode && lane.kind == LaneKind::Fresh;
            // Without the lane nobody asks how crowded it is.
            let fresh = options.lanes.iter().find(is_fresh).map_or(1, |lane| lane.in_flight_max);
            Arc::new(Side::new(mode, options.webhook_in_flight_max, fresh, metrics.clone()))
        };
        Self {
            live: side(Mode::Live),
            test: side(Mode::Test),
            lanes: options.lanes.iter().map(|lane| LaneBounds::of(lane, options)).collect(),
            metrics,
            stopping,
        }
    }

    /// What each of a lane's requests needs one of, so that events for many webhooks open no more sockets than planned.
    pub(crate) fn sockets(&self, lane: LaneName) -> &Semaphore {
        &self.bounds(lane).sockets
    }

    /// Asks for an attempt.
    pub(crate) fn ask(&self, asking: &Asking<'_>, now: OffsetDateTime) -> Answer {
        let side = self.side(asking.mode);
        let standing = side.standing(asking.webhook, now);
        if let Some(permit) = standing.cap.take() {
            return match side.admit(standing, permit, asking, now) {
                Ok(place) => Answer::Admitted(place),
                Err(refusal) => Answer::Refused(refusal),
            };
        }
        if let Some(refusal) = side.refusal(&standing, asking, now) {
            return Answer::Refused(refusal);
        }
        match self.waiting(&standing, asking, now) {
            Some(waiting) => Answer::MayWait(waiting),
            None => Answer::Refused(standing.busy(asking.turn, now).into()),
        }
    }

    /// Why a delivery is to leave its lane, if it is; for who would have to wait before it may ask.
    pub(crate) fn detour(&self, asking: &Asking<'_>, now: OffsetDateTime) -> Option<Detour> {
        let side = self.side(asking.mode);
        let standing = side.standing(asking.webhook, now);
        side.detour(&standing, &standing.conduct(), asking, now)
    }

    /// Asks again after a wait in the worker: meanwhile a breaker may have opened.
    pub(crate) fn admit(
        &self,
        held: Held,
        asking: &Asking<'_>,
        now: OffsetDateTime,
    ) -> Result<Place, Refusal> {
        let Held { standing, permit } = held;
        match permit {
            Some(permit) => self.side(asking.mode).admit(standing, permit, asking, now),
            None => Err(standing.busy(asking.turn, now).into()),
        }
    }

    /// The right to wait, if there is room and nobody is passed over: whoever comes anew waits behind those who have
    /// booked a turn, and whoever has one waits for it elsewhere.
    fn waiting(&self, standing: &Arc<Standing>, asking: &Asking<'_>, now: OffsetDateTime) -> Option<Waiting> {
        let may_queue = match asking.turn {
            Some(turn) => pace::has_come(turn, now),
            None => !standing.conduct().pace.is_booked(now),
        };
        let lane = LaneName(asking.mode, asking.lane);
        if !may_queue || self.stopping.is_cancelled() {
            return None;
        }
        let ticket = standing.cap.queue(&self.bounds(lane).waiting_room)?;
        Some(Waiting::new(Arc::clone(standing), ticket, self.metrics.waiting(lane), self.stopping.clone()))
    }

    fn bounds(&self, lane: LaneName) -> &LaneBounds {
        let (_, bounds) = self.lanes.iter().find(|(name, _)| *name == lane).expect("a lane that is served");
        bounds
    }

    fn side(&self, mode: Mode) -> &Arc<Side> {
        match mode {
            Mode::Live => &self.live,
            Mode::Test => &self.test,
        }
    }
}

impl LaneBounds {
    fn of(lane: &LaneOptions, options: &WorkerOptions) -> (LaneName, Self) {
        let LaneOptions { mode, kind, in_flight_max } = *lane;
        let share = sockets::share(in_flight_max, options.in_hand_max(), options.sockets_max);
        let sockets = Semaphore::new(share);
        (LaneName(mode, kind), Self { waiting_room: WaitingRoom::of(in_flight_max), sockets })
    }
}

impl From<Deferral> for Refusal {
    fn from(deferral: Deferral) -> Self {
        Self::Deferred(deferral)
    }
}

impl Deferral {
    /// The word used in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// How the delivery waits.
    pub(crate) fn wait(self, now: OffsetDateTime, ladder: &Ladder) -> Wait {
        match self {
            Self::Busy { turn } => pace::wait((turn - now).try_into().unwrap_or_default(), ladder),
            Self::Unavailable { wait } => pace::wait_aside(wait, ladder),
        }
    }

    /// The turn that the delivery keeps.
    pub(crate) const fn turn(self) -> Option<OffsetDateTime> {
        match self {
            Self::Busy { turn } => Some(turn),
            Self::Unavailable { .. } => None,
        }
    }
}
