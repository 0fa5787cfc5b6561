//! Exchanges, queues and bindings as they exist, against what they should be.

mod judgement;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bellhop_broker::{QueueSpec, Topology, names};
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
        let name = expected.name;
        if found.kind != expected.kind || !found.durable {
            findings.push(Finding::problem(
                Subject::Queues,
                format!("exchange `{name}` is not a durable `{}` but a `{}`", expected.kind, found.kind),
                "it routes otherwise than publishers and workers rely on",
                DECLARE_AGAIN,
            ));
        }
        let alternate = found.arguments.get("alternate-exchange").and_then(|value| value.as_str());
        if alternate != expected.alternate {
            findings.push(Finding::problem(
                Subject::Queues,
                format!(
                    "exchange `{name}` has the alternate exchange `{}`, not `{}`",
                    alternate.unwrap_or("none"),
                    expected.alternate.unwrap_or("none")
                ),
                "events that no queue wants are not kept for anybody to look at",
                DECLARE_AGAIN,
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Subject::Queues, "the exchanges that exist are of the right types"));
    }
    findings
}

/// Judges the bindings: those that are missing, and those that nobody of us made.
pub(super) fn judge_bindings(topology: &Topology, told: &[Binding]) -> Vec<Finding> {
    let expected: BTreeSet<(&str, &str, &str)> =
        topology.bindings().map(|binding| (binding.exchange, binding.queue, binding.key)).collect();
    let found: BTreeSet<(&str, &str, &str)> = told
        .iter()
        .filter(|binding| binding.destination_type == "queue" && !binding.source.is_empty())
        .map(|binding| (binding.source.as_str(), binding.destination.as_str(), binding.routing_key.as_str()))
        .collect();
    let say = |(exchange, queue, key): &(&str, &str, &str)| format!("{exchange} -({key})-> {queue}");
    let is_ours = |queue: &str| topology.queues().iter().any(|spec| spec.name == queue);
    let missing: Vec<String> = expected.difference(&found).map(say).collect();
    let foreign: Vec<String> =
        found.difference(&expected).filter(|(_, queue, _)| is_ours(queue)).map(say).collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        findings.push(Finding::problem(
            Subject::Queues,
            format!("bindings that do not exist: {}", list(&missing)),
            "what is published there is returned, or goes nowhere",
            "run `bellhop topology`",
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

/// A rung that no configuration names any more still leads back, but new messages never go there.
fn judge_leftovers(specs: &[QueueSpec], told: &[Queue]) -> Vec<Finding> {
    let is_rung = |name: &str| {
        Mode::ALL.iter().any(|mode| name.starts_with(&format!("{}.wait.", names::mode_exchange(*mode))))
    };
    let is_leftover =
        |queue: &&Queue| is_rung(&queue.name) && specs.iter().all(|spec| spec.name != queue.name);
    let (full, empty): (Vec<&Queue>, Vec<&Queue>) =
        told.iter().filter(is_leftover).partition(|queue| 0 < queue.messages.unwrap_or_default());
    let mut findings = Vec::new();
    if !full.is_empty() {
        let names: Vec<&str> = full.iter().map(|queue| queue.name.as_str()).collect();
        findings.push(Finding::warning(
            Subject::Queues,
            format!("wait queues hold deliveries although `[retry] waits` does not name them: {}", list(&names)),
            "they come back when they are due, unless somebody deletes the queue",
            "leave them until they are empty; if another deployment uses them, give both the same `[retry] waits`",
        ));
    }
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|queue| queue.name.as_str()).collect();
        findings.push(Finding::note(
            Subject::Queues,
            format!("empty wait queues that `[retry] waits` does not name: {}", list(&names)),
            "delete them with `rabbitmqctl delete_queue`, unless another deployment uses them",
        ));
    }
    findings
}
