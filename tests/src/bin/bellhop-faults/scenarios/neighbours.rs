//! Bad webhooks beside healthy ones, at a steady rate.

use crate::conditions::Conditions;
use crate::plan::{Part, Plan};
use crate::scenarios::{apart, plan, quick, steady};
use crate::webhook::{Conduct, Host, Webhook};

/// The healthy, in either scenario.
const HEALTHY: usize = 70;

/// How many there are of each kind of bad ones.
const OF_EACH: usize = 10;

/// Webhooks that hang on the host that the healthy share.
const HANGING: usize = 100;

/// Ten that hang, ten that are slow, ten that refuse.
pub(crate) fn mixed(conditions: &Conditions) -> Vec<Plan> {
    let kinds = [Conduct::Hangs, Conduct::Slow, Conduct::Refuses];
    let bad = || kinds.into_iter().flat_map(|kind| std::iter::repeat_n(Webhook::test(kind), OF_EACH));
    let all = HEALTHY + kinds.len() * OF_EACH;
    let healthy_rate = conditions.rate * HEALTHY / all;
    let healthy = || steady(0..HEALTHY, healthy_rate, conditions, Part::Healthy);
    let others = || steady(HEALTHY..all, conditions.rate - healthy_rate, conditions, Part::Dead);
    vec![
        plan("without", quick(all).collect(), vec![healthy(), others()]),
        plan("apart", quick(HEALTHY).chain(bad()).collect(), vec![healthy(), apart(others())]),
        plan("with", quick(HEALTHY).chain(bad()).collect(), vec![healthy(), others()]),
    ]
}

/// A hundred that hang where the healthy are.
pub(crate) fn shared_host(conditions: &Conditions) -> Vec<Plan> {
    let shared = |webhook| Webhook { host: Host::Shared, ..webhook };
    let hanging = || std::iter::repeat_n(Webhook::test(Conduct::Hangs), HANGING);
    let harmed = || quick(HEALTHY).chain(hanging()).map(shared).collect();
    let all = HEALTHY + HANGING;
    let healthy_rate = conditions.rate * 7 / 8;
    let healthy = || steady(0..HEALTHY, healthy_rate, conditions, Part::Healthy);
    let others = || steady(HEALTHY..all, conditions.rate - healthy_rate, conditions, Part::Dead);
    vec![
        plan("without", quick(all).map(shared).collect(), vec![healthy(), others()]),
        plan("apart", harmed(), vec![healthy(), apart(others())]),
        plan("with", harmed(), vec![healthy(), others()]),
    ]
}
