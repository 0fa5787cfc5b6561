//! What each key of a policy does to each kind of queue.

use bellhop_broker::{Shards, Topology};
use bellhop_model::Ladder;
use serde_json::json;

use super::*;

const SHIPPED: &str = include_str!("../../../../../../deploy/rabbitmq/policies.json");

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn worst(queue: &str, policy: Value) -> Option<Mark> {
    let topology = Topology::new(&Ladder::default(), Shards::ONE);
    let spec = topology.queues().iter().find(|spec| spec.name == queue).expect("declared");
    harms_of(spec, &map(policy)).into_iter().map(|harm| harm.mark).max()
}

#[test]
fn each_key_is_judged_by_what_the_queue_is_for() {
    let (events, rung, parked) = ("bellhop.live.events.0", "bellhop.live.wait.30s", "bellhop.live.parked");
    let (warning, problem) = (Some(Mark::Warning), Some(Mark::Problem));
    let cases = [
        (events, json!({}), None),
        (events, json!({"overflow": "reject-publish"}), None),
        (events, json!({"overflow": "drop-head"}), problem),
        (rung, json!({"overflow": "drop-head"}), problem),
        (rung, json!({"expires": 3_600_000}), problem),
        (events, json!({"message-ttl": 86_400_000}), problem),
        (rung, json!({"message-ttl": 29_999}), problem),
        (rung, json!({"message-ttl": 30_000}), None),
        (parked, json!({"message-ttl": 1000}), warning),
        (events, json!({"max-length": 1000}), warning),
        (events, json!({"max-length-bytes": 1_000_000}), warning),
        (events, json!({"max-length-bytes": 1_u64 << 40}), None),
        (events, json!({"delivery-limit": 20}), warning),
        (events, json!({"delivery-limit": 100}), None),
        (events, json!({"delivery-limit": -1}), None),
        (parked, json!({"delivery-limit": 100}), warning),
        (rung, json!({"dead-letter-exchange": "elsewhere"}), None),
        (parked, json!({"dead-letter-exchange": "elsewhere"}), warning),
        (events, json!({"consumer-timeout": 60_000}), warning),
        (events, json!({"consumer-timeout": 1_800_000}), None),
        (events, json!({"ha-mode": "all"}), None),
    ];
    for (queue, policy, expected) in cases {
        assert_eq!(worst(queue, policy.clone()), expected, "{policy} on {queue}");
    }
}

fn policy(name: &str, pattern: &str, priority: i64, definition: Value) -> Policy {
    Policy {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        apply_to: "queues".to_owned(),
        priority,
        definition: map(definition),
    }
}

fn judged(kind: Kind, told: &[Policy]) -> Vec<Finding> {
    judge(Topology::new(&Ladder::default(), Shards::ONE).queues(), kind, told)
}

fn lossy() -> Policy {
    policy("lossy", ".*", 10, json!({"overflow": "drop-head"}))
}

fn shipped() -> Policy {
    let shipped: Value = serde_json::from_str(SHIPPED).expect("JSON");
    serde_json::from_value(shipped["policies"][0].clone()).expect("a policy")
}

#[test]
fn one_policy_is_one_finding_however_many_queues_it_harms() {
    let findings = judged(Kind::Policy, &[lossy()]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].mark, Mark::Problem);
    assert!(findings[0].what.starts_with("policy `lossy` sets `overflow` to `drop-head` on 21 queues"));
    assert!(findings[0].mend.contains("import_definitions"));
}

#[test]
fn the_shipped_policy_displaces_every_other_and_harms_nothing() {
    let findings = judged(Kind::Policy, &[lossy(), shipped()]);
    assert_eq!(findings.iter().map(|finding| finding.mark).collect::<Vec<_>>(), [Mark::Ok]);
    let stronger = Policy { priority: shipped().priority + 1, ..lossy() };
    assert_eq!(judged(Kind::Policy, &[stronger, shipped()])[0].mark, Mark::Problem);
}

#[test]
fn the_shipped_policy_repeats_what_a_policy_would_beat() {
    assert_eq!(shipped().definition["overflow"], "reject-publish");
}

#[test]
fn an_operator_policy_is_judged_beside_and_needs_another_remedy() {
    let quota = policy("quota", "^bellhop.live", 0, json!({"max-length": 5000}));
    let findings = judged(Kind::OperatorPolicy, &[quota]);
    assert_eq!((findings.len(), findings[0].mark), (1, Mark::Warning));
    assert!(findings[0].what.starts_with("operator policy `quota` sets"));
    assert_eq!(findings[0].mend, EXCEPT);
    assert_eq!(judged(Kind::OperatorPolicy, &[])[0].mark, Mark::Ok);
}

#[test]
fn policies_for_others_do_not_matter_and_unreadable_ones_are_named() {
    let exchanges = Policy { apply_to: "exchanges".to_owned(), ..lossy() };
    let elsewhere = policy("other", "^orders", 5000, json!({"overflow": "drop-head"}));
    let marks = |told: &[Policy]| judged(Kind::Policy, told).iter().map(|f| f.mark).collect::<Vec<_>>();
    assert_eq!(marks(&[exchanges, elsewhere]), [Mark::Ok, Mark::Note]);
    let unreadable = policy("look", "^(?!amq)", 5, json!({"overflow": "drop-head"}));
    assert_eq!(marks(&[unreadable, shipped()]), [Mark::Skipped]);
}
