//! One queue: what it was declared with, and how many nodes keep it.

use std::collections::BTreeMap;

use bellhop_broker::Argument;
use serde_json::{Map, Value};

use crate::command::doctor::finding::{Finding, Subject, list};
use crate::command::doctor::management::Queue;

/// As many members survive the loss of one node.
const MEMBERS_MIN: usize = 3;

/// Where a queue's arguments differ from what is expected, each as a phrase.
pub(super) fn differences(expected: &BTreeMap<String, Argument>, found: &Map<String, Value>) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, wanted) in expected {
        match found.get(name) {
            Some(value) if is_equal(wanted, value) => {}
            Some(value) => {
                differences.push(format!("`{name}` is `{}`, not `{}`", plain(value), shown(wanted)));
            }
            None => differences.push(format!("no `{name}` (`{}`)", shown(wanted))),
        }
    }
    let foreign = found.iter().filter(|(name, _)| !expected.contains_key(*name));
    differences.extend(foreign.map(|(name, value)| format!("`{name}` is `{}`", plain(value))));
    differences
}

/// Judges on how many nodes the queues lie, and whether those suffice.
///
/// * `nodes`: how many the cluster has; 0 when it did not tell.
pub(super) fn judge_members(queues: &[&Queue], nodes: usize) -> Vec<Finding> {
    let those = |is_so: &dyn Fn(&Queue) -> bool| -> Vec<&str> {
        queues.iter().filter(|queue| is_so(queue)).map(|queue| queue.name.as_str()).collect()
    };
    let is_known = |queue: &Queue| !queue.members.is_empty();
    let is_stopped = |queue: &Queue| is_known(queue) && queue.online.len() * 2 <= queue.members.len();
    let is_thin = |queue: &Queue| is_known(queue) && queue.members.len() < nodes.min(MEMBERS_MIN);
    let is_weak = |queue: &Queue| !is_stopped(queue) && queue.online.len() < queue.members.len();
    let has_no_leader = |queue: &Queue| queue.leader.as_deref().is_none_or(str::is_empty);
    let (stopped, thin, weak) = (those(&is_stopped), those(&is_thin), those(&is_weak));
    let leaderless = those(&|queue| is_known(queue) && !is_stopped(queue) && has_no_leader(queue));
    let mut findings = Vec::new();
    let mut problem = |names: &[&str], trouble: &str, why: &str, mend: &str| {
        if !names.is_empty() {
            let what = format!("{trouble}: {}", list(names));
            findings.push(Finding::problem(Subject::Queues, what, why, mend));
        }
    };
    problem(
        &stopped,
        "queues without a majority of their members",
        "nothing can be put in or taken out",
        "start the nodes that are away",
    );
    problem(
        &leaderless,
        "queues without a leader",
        "nothing can be put in or taken out",
        "see the broker's log",
    );
    problem(
        &thin,
        &format!("queues on fewer than {} of {nodes} nodes", nodes.min(MEMBERS_MIN)),
        "the loss of one node stops them, and of its disk loses what is in them",
        "`rabbitmq-queues grow NODE all --queue-pattern '^bellhop\\.'` for each node that lacks them; declare the topology only when all nodes run",
    );
    if !weak.is_empty() {
        findings.push(Finding::warning(
            Subject::Queues,
            format!("queues that miss a member at the moment: {}", list(&weak)),
            "one more loss may stop them",
            "start the node that is away",
        ));
    }
    findings
}

fn is_equal(wanted: &Argument, value: &Value) -> bool {
    match wanted {
        Argument::Text(text) => value.as_str() == Some(text),
        Argument::Whole(number) => value.as_i64() == Some(*number),
    }
}

fn shown(argument: &Argument) -> String {
    match argument {
        Argument::Text(text) => text.clone(),
        Argument::Whole(number) => number.to_string(),
    }
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
