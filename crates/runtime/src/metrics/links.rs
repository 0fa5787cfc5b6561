//! Connections to the broker as metrics, under the same names in every process.

use super::Metrics;

/// Name and help of what happened on the connections.
const EVENTS: (&str, &str) =
    ("bellhop_broker_events_total", "What happened between this process and the broker.");

/// Name and help of how the connections are.
const STATES: (&str, &str) = (
    "bellhop_broker_link_state",
    "1 for the state in which a connection to the broker is: up, blocked (the broker takes no publishes) or down.",
);

/// A connection to the broker, as whoever keeps it tells of it.
pub struct ShownLink {
    name: &'static str,
    counts: Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
    state: Box<dyn Fn() -> &'static str + Send + Sync>,
}

impl ShownLink {
    /// A connection that is asked whenever somebody asks for the metrics.
    ///
    /// * `name`: what it is for, `consuming` or `publishing`.
    /// * `counts`: tells counts that only grow, each under its word.
    /// * `state`: tells the word for how it is.
    pub fn new<const N: usize>(
        name: &'static str,
        counts: impl Fn() -> [(&'static str, u64); N] + Send + Sync + 'static,
        state: impl Fn() -> &'static str + Send + Sync + 'static,
    ) -> Self {
        Self { name, counts: Box::new(move || counts().to_vec()), state: Box::new(state) }
    }
}

impl Metrics {
    /// Shows what happened on each connection to the broker, and how it is.
    ///
    /// * `states`: all the words there are for how a connection may be.
    ///
    /// # Errors
    /// When the connections of a process are shown already.
    pub fn show_links<const N: usize>(
        &self,
        states: &'static [&'static str],
        links: [ShownLink; N],
    ) -> Result<(), prometheus::Error> {
        let (counted, watched): (Vec<_>, Vec<_>) = links
            .into_iter()
            .map(|ShownLink { name, counts, state }| ((name, counts), (name, state)))
            .unzip();
        self.show_counts(EVENTS, &["link", "event"], move |show| {
            for (link, counts) in &counted {
                counts().into_iter().for_each(|(event, count)| show(&[link, event], count));
            }
        })?;
        self.show_states(STATES, "link", states, move |show| {
            watched.iter().for_each(|(link, state)| show(link, state()));
        })
    }
}
