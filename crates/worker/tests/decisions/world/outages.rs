//! What is away when.

use std::ops::Range;
use std::time::Duration;

/// A stretch of time.
pub(crate) type Window = Range<Duration>;

/// Everything that can be away.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    /// Who wants an event cannot be told, and nothing can be written.
    pub(crate) store: Vec<Window>,
    /// Nobody can say whose an attempt is.
    pub(crate) claims: Vec<Window>,
    /// The broker takes no publishes.
    pub(crate) publishing: Vec<Window>,
    /// Whoever asks who wants an event panics.
    pub(crate) panicking: Vec<Window>,
    /// A queue, by its name, refuses.
    pub(crate) refusing: Vec<(String, Window)>,
}

impl Outages {
    pub(crate) fn is_refusing(&self, queue: &str, now: Duration) -> bool {
        self.refusing.iter().any(|(name, window)| name == queue && window.contains(&now))
    }
}

/// For ever, counted from the beginning.
pub(crate) const ALWAYS: Window = Duration::ZERO..Duration::MAX;

/// When the window that covers `now` ends, if one does.
pub(crate) fn end(windows: &[Window], now: Duration) -> Option<Duration> {
    windows.iter().filter(|window| window.contains(&now)).map(|window| window.end).max()
}
