//! Endpoints that are all dead, and the memory of a worker that has to do with nobody else.

use std::time::Duration;

use crate::conditions::Conditions;
use crate::meter::Sample;
use crate::plan::{FleetName, Part, Plan, Stream, Until};
use crate::scenarios::plan;
use crate::webhook::{Conduct, Webhook};

/// Events for each endpoint: by the first tenth of them, every one was met.
const ROUNDS: usize = 10;

/// The deadline of a request and of each step before it.
const DEADLINES: &[(&str, &str)] =
    &[("BELLHOP_SENDER_REQUEST_TIMEOUT", "500ms"), ("BELLHOP_SENDER_STEP_TIMEOUT", "500ms")];

/// How long the worker may take to have every event, at the pace of ten requests for each that hangs.
const HAD_TIMEOUT: Duration = Duration::from_secs(300);

/// How long it is watched afterwards.
const WATCHED: Duration = Duration::from_secs(15);

/// What shares of the events mark, in percent.
pub(crate) const MARKS: [usize; 4] = [10, 25, 50, 100];

/// All kinds of dead.
pub(crate) fn memory(conditions: &Conditions) -> Vec<Plan> {
    let kinds = [Conduct::Refuses, Conduct::Hangs, Conduct::Unresolvable];
    let dead = |number: usize| Webhook::test(kinds[number % kinds.len()]);
    let stream = Stream {
        webhooks: (0..conditions.dead).collect(),
        events: ROUNDS * conditions.dead,
        per_second: None,
        after: Duration::ZERO,
        part: Part::Dead,
        fleet: FleetName::Measured,
    };
    let until = Until::Had { at_most: HAD_TIMEOUT, then: WATCHED };
    let webhooks = (0..conditions.dead).map(dead).collect();
    vec![Plan { settings: DEADLINES, until, ..plan("memory", webhooks, vec![stream]) }]
}

/// Resident memory at the start, when each mark was reached, and at the end; none for what was not reached.
pub(crate) fn memory_at_marks(samples: &[Sample], events: usize) -> [Option<u64>; 6] {
    let rss = |sample: &Sample| sample.rss_bytes;
    let at = |percent: usize| {
        let mark = (events * percent).div_ceil(100) as u64;
        samples.iter().find(|sample| mark <= sample.counts.fresh).map(rss)
    };
    let [tenth, quarter, half, all] = MARKS.map(at);
    [samples.first().map(rss), tenth, quarter, half, all, samples.last().map(rss)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Counts;

    #[test]
    fn memory_is_told_at_each_mark_that_was_reached() {
        let sample = |fresh: u64| {
            let counts = Counts { fresh, ..Counts::default() };
            Sample { seconds: 0.0, rss_bytes: 1_000 + fresh, counts }
        };
        let samples: Vec<Sample> = [0, 9, 10, 30, 60, 99].map(sample).into();
        let marks = memory_at_marks(&samples, 100);
        assert_eq!(marks, [Some(1_000), Some(1_010), Some(1_030), Some(1_060), None, Some(1_099)]);
        assert_eq!(memory_at_marks(&[], 100), [None; 6]);
    }
}
