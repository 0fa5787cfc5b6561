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
    let bad = kinds.into_iter().flat_map(|kind| std::iter::repeat_n(Webhook::test(kind), OF_EACH));
    let bad: Vec<Webhook> = bad.collect();
    let all = HEALTHY + bad.len();
    halves(conditions, conditions.rate * HEALTHY / all, (quick(all).collect(), bad))
}

/// A hundred that hang where the healthy are.
pub(crate) fn shared_host(conditions: &Conditions) -> Vec<Plan> {
    let shared = |webhook| Webhook { host: Host::Shared, ..webhook };
    let bad = std::iter::repeat_n(shared(Webhook::test(Conduct::Hangs)), HANGING).collect();
    let good = quick(HEALTHY + HANGING).map(shared).collect();
    halves(conditions, conditions.rate * 7 / 8, (good, bad))
}

/// Without bad webhooks, with bad ones apart, and with bad ones.
///
/// * `healthy_rate`: events per second for the healthy; all others are for the rest.
/// * `good`: as many as there are in all; `bad`: what the last of them become.
fn halves(
    conditions: &Conditions,
    healthy_rate: usize,
    (good, bad): (Vec<Webhook>, Vec<Webhook>),
) -> Vec<Plan> {
    let rest = HEALTHY..good.len();
    let healthy = || steady(0..HEALTHY, healthy_rate, conditions, Part::Healthy);
    let others = || steady(rest.clone(), conditions.rate - healthy_rate, conditions, Part::Dead);
    let harmed = [&good[..HEALTHY], &bad].concat();
    vec![
        plan("without", good, vec![healthy(), others()]),
        plan("apart", harmed.clone(), vec![healthy(), apart(others())]),
        plan("with", harmed, vec![healthy(), others()]),
    ]
}
