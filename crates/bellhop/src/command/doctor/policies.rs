//! Effective policies: what they do to a queue although its arguments say otherwise.
//!
//! Of all policies that match a queue, the one with the highest priority applies, alone; of the operator policies
//! likewise, and the two are merged. For `overflow` the result beats the argument, and for `expires` it does on 3.10.
//! For times, lengths and limits the smaller counts. For dead-lettering the argument wins where there is one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bellhop_broker::QueueSpec;
use regex::Regex;
use serde_json::{Map, Value};

use crate::command::doctor::finding::{Finding, Mark, Subject, count, list};
use crate::command::doctor::management::Policy;

/// How to keep a policy away from our queues: only one applies, so ours, with the highest priority, displaces it.
const IMPORT: &str = "`rabbitmqctl import_definitions deploy/rabbitmq/policies.json`: its policy displaces every other on our queues";

/// An operator policy is not displaced, but merged.
const EXCEPT: &str = "change that operator policy's pattern so that it does not match `bellhop.`";

/// What a policy's `apply-to` says when it applies to quorum queues; `quorum_queues` is newer than 3.10.
const KINDS_OF_OURS: [&str; 3] = ["queues", "all", "quorum_queues"];

/// Below this, RabbitMQ itself advises against a consumer timeout.
const CONSUMER_TIMEOUT_MIN_MS: u64 = 5 * 60 * 1000;

/// Which of the two kinds of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Set by `set_policy`.
    Policy,
    /// Set by `set_operator_policy`.
    OperatorPolicy,
}

/// One thing that a policy does to a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Harm {
    mark: Mark,
    setting: String,
    why: &'static str,
}

/// Judges what applies to our queues, one finding for each harm of each policy.
///
/// What applies is worked out from the policies themselves: the queue's own word for it lags by up to ten seconds.
pub(super) fn judge(specs: &[QueueSpec], kind: Kind, told: &[Policy]) -> Vec<Finding> {
    let (policies, unreadable) = read(told);
    let mut harms: BTreeMap<(Harm, &str), Vec<&str>> = BTreeMap::new();
    let mut bare = Vec::new();
    for spec in specs {
        let Some(policy) = applying(&policies, &spec.name) else {
            bare.push(spec.name.as_str());
            continue;
        };
        for harm in harms_of(spec, &policy.definition) {
            harms.entry((harm, &policy.name)).or_default().push(&spec.name);
        }
    }
    let mut findings: Vec<Finding> =
        harms.into_iter().map(|((harm, name), queues)| kind.finding(&harm, name, &queues)).collect();
    findings.extend(unreadable.iter().map(|policy| kind.unreadable(policy)));
    if findings.is_empty() {
        findings
            .push(Finding::ok(Subject::Policies, format!("no {} changes what our queues mean", kind.name())));
    }
    if kind == Kind::Policy && !bare.is_empty() {
        findings.push(Finding::note(
            Subject::Policies,
            format!(
                "no policy applies to {}, so the next broad one will: {}",
                count(bare.len(), "queue"),
                list(&bare)
            ),
            IMPORT,
        ));
    }
    findings
}

/// Those that can apply to quorum queues, each with its pattern, and those whose pattern only RabbitMQ can read.
fn read(told: &[Policy]) -> (Vec<(&Policy, Regex)>, Vec<&Policy>) {
    let (mut policies, mut unreadable) = (Vec::new(), Vec::new());
    for policy in told.iter().filter(|policy| KINDS_OF_OURS.contains(&policy.apply_to.as_str())) {
        match Regex::new(&policy.pattern) {
            Ok(pattern) => policies.push((policy, pattern)),
            Err(_) => unreadable.push(policy),
        }
    }
    (policies, unreadable)
}

/// The one policy that applies to a queue: of those that match, the one with the highest priority.
fn applying<'p>(policies: &[(&'p Policy, Regex)], queue: &str) -> Option<&'p Policy> {
    let matching = policies.iter().filter(|(_, pattern)| pattern.is_match(queue));
    matching.map(|(policy, _)| *policy).max_by_key(|policy| policy.priority)
}

/// What a policy does to one queue that its declaration did not want.
fn harms_of(spec: &QueueSpec, policy: &Map<String, Value>) -> Vec<Harm> {
    let whole = |key: &str| policy.get(key).and_then(Value::as_u64);
    let mut harms = Vec::new();
    let mut harm = |mark, setting: String, why| harms.push(Harm { mark, setting, why });
    if let Some(overflow) = policy.get("overflow").and_then(Value::as_str)
        && overflow != "reject-publish"
    {
        let why = "a full queue then forgets deliveries instead of refusing them, and what is due leaves its wait unconfirmed";
        harm(Mark::Problem, format!("`overflow` to `{overflow}`"), why);
    }
    if let Some(expires_ms) = whole("expires") {
        let why = "a queue that nobody uses for so long is deleted with everything in it; a wait queue has no consumers";
        harm(Mark::Problem, format!("`expires` to {expires_ms} ms"), why);
    }
    if let Some(ttl_ms) = whole("message-ttl") {
        let setting = format!("`message-ttl` to {ttl_ms} ms");
        match spec.time_to_live {
            Some(ours) if ours.as_millis() <= u128::from(ttl_ms) => {}
            Some(_) if spec.dead_letter.is_some() => {
                harm(Mark::Problem, setting, "retries come too early: the smaller time counts");
            }
            Some(_) => harm(Mark::Warning, setting, "parked messages are gone before anybody looked at them"),
            None => harm(Mark::Problem, setting, "what waits longer is parked instead of processed"),
        }
    }
    if let Some(length) = whole("max-length") {
        harm(
            Mark::Warning,
            format!("`max-length` to {length}"),
            "at that count the queue refuses what arrives",
        );
    }
    if let Some(bytes) = whole("max-length-bytes")
        && bytes < spec.bytes_max
    {
        let why = "the queue is full, and refuses what arrives, earlier than planned";
        harm(Mark::Warning, format!("`max-length-bytes` to {bytes}"), why);
    }
    if let Some(limit) = whole("delivery-limit")
        && limit < u64::from(spec.delivery_limit)
    {
        let why = "after so many restarts of workers a good delivery is taken for poison";
        harm(Mark::Warning, format!("`delivery-limit` to {limit}"), why);
    }
    if let Some(exchange) = policy.get("dead-letter-exchange").and_then(Value::as_str)
        && spec.dead_letter.is_none()
    {
        let why = "what should be forgotten there, health data included, goes elsewhere instead";
        harm(Mark::Warning, format!("`dead-letter-exchange` to `{exchange}`"), why);
    }
    if let Some(timeout_ms) = whole("consumer-timeout")
        && timeout_ms < CONSUMER_TIMEOUT_MIN_MS
    {
        let why =
            "the broker takes events back from a worker that is still busy with them, and offers them again";
        harm(Mark::Warning, format!("`consumer-timeout` to {timeout_ms} ms"), why);
    }
    harms
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::OperatorPolicy => "operator policy",
        }
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::Policy => IMPORT,
            Self::OperatorPolicy => EXCEPT,
        }
    }

    fn finding(self, harm: &Harm, name: &str, queues: &[&str]) -> Finding {
        let Harm { mark, setting, why } = harm;
        let kind = self.name();
        let on = count(queues.len(), "queue");
        let what = format!("{kind} `{name}` sets {setting} on {on}: {}", list(queues));
        match mark {
            Mark::Problem => Finding::problem(Subject::Policies, what, *why, self.mend()),
            _ => Finding::warning(Subject::Policies, what, *why, self.mend()),
        }
    }

    fn unreadable(self, policy: &Policy) -> Finding {
        let Policy { name, pattern, .. } = policy;
        let what = format!("{} `{name}`: only RabbitMQ can read its pattern `{pattern}`", self.name());
        let mend = "see on the queues' pages of the management console whether it applies";
        Finding::skipped(Subject::Policies, what, mend)
    }
}
