//! What was exhausted is owed again while others publish.

use std::time::Duration;

use crate::conditions::Conditions;
use crate::plan::{Part, Plan, Stream, Until};
use crate::scenarios::{apart, at_once, plan, quick, steady};

/// Organisations that trickle.
const TRICKLING: usize = 50;

/// How long they do before the recovery begins.
const BEGINS_AFTER: Duration = Duration::from_secs(2);

/// How long they do when all could be owed.
const GOES_ON: Duration = Duration::from_secs(10);

/// One organisation's recovery; a recorder runs in either half.
pub(crate) fn recovery(conditions: &Conditions) -> Vec<Plan> {
    let owing = Duration::from_secs((conditions.recover / conditions.pace) as u64);
    let seconds = usize::try_from((BEGINS_AFTER + owing + GOES_ON).as_secs()).unwrap_or(usize::MAX);
    let long = Conditions { seconds: conditions.seconds.max(seconds), ..conditions.clone() };
    let trickle = || steady(0..TRICKLING, conditions.trickle(), &long, Part::Healthy);
    let webhook = || TRICKLING..TRICKLING + 1;
    let at_once = || at_once(webhook(), conditions.recover, BEGINS_AFTER);
    let owed = || Stream { part: Part::Recovered, per_second: Some(conditions.pace), ..at_once() };
    let recorded = |name, streams| Plan {
        is_recorded: true,
        until: Until::Taken { at_most: owing * 2 + Duration::from_secs(120) },
        ..plan(name, quick(TRICKLING + 1).collect(), streams)
    };
    let published = || Stream { part: Part::Burst, ..owed() };
    vec![
        recorded("without", vec![trickle()]),
        recorded("published", vec![trickle(), published()]),
        recorded("apart", vec![trickle(), apart(owed())]),
        recorded("with", vec![trickle(), owed()]),
    ]
}
