//! Exchanges, queues and bindings as they exist, against what they should be.

mod judgement;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bellhop_broker::{Destination, ExpectedBinding, QueueSpec, Topology, names};
use bellhop_model::Mode;

use crate::command::doctor::finding::{Finding, Subject, list};
use crate::command::doctor::management::{Binding, Exchange, Queue};
use crate::command::doctor::queues::judgement::{differences, judge_members};

/// What to do with an exchange or queue that means something else: its arguments are fixed for as long as it exists.
const DECLARE_AGAIN: &str =
    "drain and delete it, or use another virtual host; then run `bellhop topology` again";

/// Judges the exchanges' types and arguments. Missing ones are found by AMQP.
pub(super) fn judge_exchanges(topology: &Topology, told: &[Exchange]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for expected in topology.exchanges() {
        let Some(found) = told.iter().find(|exchange| exchange.name == expected.name) else { continue };
        let name = &expected.name;
        if found.kind != expected.kind || !found.durable {
            findings.push(Finding::problem(
                Subject::Queues,
                format!("exchange `{name}` is not a durable `{}` but a `{}`", expected.kind, found.kind),
                "it routes otherwise than publishers and workers rely on",
                DECLARE_AGAIN,
            ));
        }
        let argument = |name: &str| found.arguments.get(name).and_then(|value| value.as_str());
        let alternate = argument("alternate-exchange");
        if alternate != expected.alternate.as_deref() {
            findings.push(Finding::problem(
                Subject::Queues,
                format!(
                    "exchange `{name}` has the alternate exchange `{}`, not `{}`",
                    alternate.unwrap_or("none"),
                    expected.alternate.as_deref().unwrap_or("none")
                ),
                "events that no queue wants are not kept",
                DECLARE_AGAIN,
            ));
        }
        if argument("hash-header") != expected.hash_header {
            findings.push(Finding::problem(
                Subject::Queues,
                format!(
                    "exchange `{name}` does not hash the header `{}`",
                    expected.hash_header.unwrap_or("none")
                ),
                "events of one organisation are not kept together",
                "run `bellhop topology` with `[amqp] shards` at 1, then with the number there is to be",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Subject::Queues, "the exchanges that exist are of the right types"));
    }
    findings
}

/// A binding: from, to what, to, and for which keys.
type Bound<'a> = (&'a str, Destination, &'a str, &'a str);

/// Judges the bindings: those that are missing, and those that nobody of us made.
pub(super) fn judge_bindings(topology: &Topology, told: &[Binding]) -> Vec<Finding> {
    let expected: Vec<ExpectedBinding> = topology.bindings().collect();
    let expected: BTreeSet<Bound<'_>> = expected.iter().map(bound).collect();
    let found = told.iter().filter(|binding| !binding.source.is_empty()).filter_map(|binding| {
        let kind = match binding.destination_type.as_str() {
            "queue" => Destination::Queue,
            "exchange" => Destination::Exchange,
            _ => return None,
        };
        Some((binding.source.as_str(), kind, binding.destination.as_str(), binding.routing_key.as_str()))
    });
    let found: BTreeSet<Bound<'_>> = found.collect();
    let of_other_numbers: Vec<ExpectedBinding> = topology.bindings_of_other_numbers().collect();
    let of_other_numbers: BTreeSet<Bound<'_>> = of_other_numbers.iter().map(bound).collect();
    let say = |(exchange, _, to, key): &Bound<'_>| format!("{exchange} -({key})-> {to}");
    let is_ours = |(_, kind, to, _): &Bound<'_>| {
        *kind == Destination::Queue && topology.queues().iter().any(|spec| spec.name == *to)
    };
    let missing: Vec<String> = expected.difference(&found).map(say).collect();
    let surplus = found.difference(&expected);
    let (of_shards, foreign): (Vec<&Bound<'_>>, Vec<&Bound<'_>>) =
        surplus.partition(|binding| of_other_numbers.contains(*binding));
    let of_shards: Vec<String> = of_shards.into_iter().map(say).collect();
    let foreign: Vec<String> = foreign.into_iter().filter(|binding| is_ours(binding)).map(say).collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        findings.push(Finding::problem(
            Subject::Queues,
            format!("bindings that do not exist: {}", list(&missing)),
            "what is published there is returned, or goes nowhere",
            "run `bellhop topology`",
        ));
    }
    if !of_shards.is_empty() {
        findings.push(Finding::problem(
            Subject::Queues,
            format!("bindings of another number of shards than `[amqp] shards` names: {}", list(&of_shards)),
            "events are delivered twice, or go where no worker looks",
            "run `bellhop topology` with the number that workers have",
        ));
    }
    if !foreign.is_empty() {
        findings.push(Finding::warning(
            Subject::Queues,
            format!("bindings to our queues that Bellhop did not make: {}", list(&foreign)),
            "what comes by them is parked, delivered twice, or crosses from one mode to the other",
            "remove them, unless you know what they are for",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Subject::Queues, format!("all {} bindings are there", expected.len())));
    }
    findings
}

fn bound(binding: &ExpectedBinding) -> Bound<'_> {
    (&binding.exchange, binding.kind, &binding.destination, &binding.key)
}

/// Judges the queues' arguments, their members, and what was left behind.
///
/// * `nodes`: how many the cluster has; 0 when it did not tell.
pub(super) fn judge_queues(specs: &[QueueSpec], told: &[Queue], nodes: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (spec, queue) in pairs(specs, told) {
        let differences = differences(&spec.arguments(), &queue.arguments);
        if !differences.is_empty() {
            findings.push(Finding::problem(
                Subject::Queues,
                format!("`{}` was declared with other arguments: {}", spec.name, differences.join(", ")),
                "it means something else than workers rely on",
                DECLARE_AGAIN,
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Subject::Queues, "the queues that exist mean what they should"));
    }
    let of_ours: Vec<&Queue> = pairs(specs, told).map(|(_, queue)| queue).collect();
    findings.extend(judge_members(&of_ours, nodes));
    findings.extend(judge_leftovers(specs, told));
    findings
}

/// Each queue of the topology that exists.
fn pairs<'t>(specs: &'t [QueueSpec], told: &'t [Queue]) -> impl Iterator<Item = (&'t QueueSpec, &'t Queue)> {
    specs
        .iter()
        .filter_map(|spec| told.iter().find(|queue| queue.name == spec.name).map(|queue| (spec, queue)))
}

/// A queue that no configuration names any more: nothing new goes there, but what it holds is still owed.
struct Leftover {
    /// What its name is like, after the mode.
    part: &'static str,
    /// What such queues are.
    noun: &'static str,
    setting: &'static str,
    why: &'static str,
    mend: &'static str,
}

const LEFTOVERS: [Leftover; 2] = [
    Leftover {
        part: ".wait.",
        noun: "wait queues",
        setting: "`[retry] waits`",
        why: "they come back when they are due, unless somebody deletes the queue",
        mend: "leave them until they are empty; if another deployment uses them, give both the same `[retry] waits`",
    },
    Leftover {
        part: ".events.",
        noun: "shards",
        setting: "`[amqp] shards`",
        why: "only workers with a larger number of shards deliver them",
        mend: "leave workers, or some of them, at the larger number until they are empty",
    },
];

fn judge_leftovers(specs: &[QueueSpec], told: &[Queue]) -> Vec<Finding> {
    LEFTOVERS.iter().flat_map(|leftover| leftover.judge(specs, told)).collect()
}

impl Leftover {
    fn judge(&self, specs: &[QueueSpec], told: &[Queue]) -> Vec<Finding> {
        let Self { part, noun, setting, why, mend } = self;
        let is_such = |name: &str| {
            Mode::ALL.iter().any(|mode| name.starts_with(&format!("{}{part}", names::mode_exchange(*mode))))
        };
        let is_leftover =
            |queue: &&Queue| is_such(&queue.name) && specs.iter().all(|spec| spec.name != queue.name);
        let (full, empty): (Vec<&Queue>, Vec<&Queue>) =
            told.iter().filter(is_leftover).partition(|queue| 0 < queue.messages.unwrap_or_default());
        let listed = |queues: &[&Queue]| list(&queues.iter().map(|queue| &queue.name).collect::<Vec<_>>());
        let mut findings = Vec::new();
        if !full.is_empty() {
            let what =
                format!("{noun} hold deliveries although {setting} does not name them: {}", listed(&full));
            findings.push(Finding::warning(Subject::Queues, what, *why, *mend));
        }
        if !empty.is_empty() {
            findings.push(Finding::note(
                Subject::Queues,
                format!("empty {noun} that {setting} does not name: {}", listed(&empty)),
                "delete them with `rabbitmqctl delete_queue`, unless another deployment uses them",
            ));
        }
        findings
    }
}
