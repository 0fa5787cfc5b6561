//! Exchanges, queues and bindings: one change at a time to what is right.

use bellhop_broker::{Argument, ExpectedExchange, Shards};
use bellhop_model::Ladder;
use serde_json::{Map, Value, json};

use super::*;
use crate::command::doctor::finding::Mark;

fn topology() -> Topology {
    with_shards(1)
}

fn with_shards(shards: u16) -> Topology {
    Topology::new(&Ladder::default(), Shards::new(shards).expect("a few"))
}

fn arguments(spec: &QueueSpec) -> Map<String, Value> {
    let value = |argument| match argument {
        Argument::Text(text) => json!(text),
        Argument::Whole(number) => json!(number),
    };
    spec.arguments().into_iter().map(|(name, argument)| (name, value(argument))).collect()
}

fn queues(topology: &Topology, members: &[&str]) -> Vec<Queue> {
    let members: Vec<String> = members.iter().map(|&member| member.to_owned()).collect();
    let queue = |spec: &QueueSpec| Queue {
        name: spec.name.clone(),
        arguments: arguments(spec),
        leader: members.first().cloned(),
        members: members.clone(),
        online: members.clone(),
        ..Queue::default()
    };
    topology.queues().iter().map(queue).collect()
}

fn bindings(topology: &Topology) -> Vec<Binding> {
    let binding = |expected: ExpectedBinding| Binding {
        source: expected.exchange,
        destination: expected.destination,
        destination_type: match expected.kind {
            Destination::Queue => "queue".to_owned(),
            Destination::Exchange => "exchange".to_owned(),
        },
        routing_key: expected.key,
    };
    topology.bindings().map(binding).collect()
}

fn exchanges(topology: &Topology) -> Vec<Exchange> {
    let exchange = |expected: ExpectedExchange| {
        let alternate = expected.alternate.map(|name| ("alternate-exchange".to_owned(), json!(name)));
        let header = expected.hash_header.map(|name| ("hash-header".to_owned(), json!(name)));
        Exchange {
            name: expected.name,
            kind: expected.kind.to_owned(),
            durable: true,
            arguments: alternate.into_iter().chain(header).collect(),
        }
    };
    topology.exchanges().map(exchange).collect()
}

fn worst(findings: &[Finding]) -> Option<Mark> {
    findings.iter().map(|finding| finding.mark).max()
}

#[test]
fn what_was_just_declared_is_as_it_should_be() {
    let topology = topology();
    let queues = queues(&topology, &["a", "b", "c"]);
    assert_eq!(worst(&judge_queues(topology.queues(), &queues, 3)), Some(Mark::Ok));
    assert_eq!(worst(&judge_bindings(&topology, &bindings(&topology))), Some(Mark::Ok));
}

#[test]
fn every_changed_argument_is_a_problem() {
    let topology = topology();
    let changes = [
        ("x-overflow", Some(json!("drop-head"))),
        ("x-overflow", None),
        ("x-delivery-limit", Some(json!(20))),
        ("x-max-length-bytes", None),
        ("x-dead-letter-strategy", Some(json!("at-most-once"))),
        ("x-message-ttl", Some(json!(1))),
        ("x-queue-type", Some(json!("classic"))),
        ("x-expires", Some(json!(1000))),
    ];
    for (name, value) in changes {
        let mut queues = queues(&topology, &["a"]);
        let queue = queues.iter_mut().find(|queue| queue.name.contains(".wait.30s")).expect("a rung");
        match value {
            Some(value) => queue.arguments.insert(name.to_owned(), value),
            None => queue.arguments.remove(name),
        };
        let findings = judge_queues(topology.queues(), &queues, 1);
        let problem = findings.iter().find(|finding| finding.mark == Mark::Problem).expect(name);
        assert!(problem.what.contains(name) && problem.what.contains(".wait.30s"), "{}", problem.what);
    }
}

#[test]
fn members_are_judged_against_the_nodes() {
    let topology = topology();
    // Nodes, members, of which online, the worst mark.
    let cases: [(usize, &[&str], &[&str], Mark); 7] = [
        (1, &["a"], &["a"], Mark::Ok),
        (3, &["a", "b", "c"], &["a", "b", "c"], Mark::Ok),
        (5, &["a", "b", "c"], &["a", "b", "c"], Mark::Ok),
        (3, &["a"], &["a"], Mark::Problem),
        (3, &["a", "b"], &["a", "b"], Mark::Problem),
        (3, &["a", "b", "c"], &["a", "b"], Mark::Warning),
        (3, &["a", "b", "c"], &["a"], Mark::Problem),
    ];
    for (nodes, members, online, expected) in cases {
        let mut queues = queues(&topology, members);
        for queue in &mut queues {
            queue.online = online.iter().map(|&node| node.to_owned()).collect();
        }
        let findings = judge_queues(topology.queues(), &queues, nodes);
        assert_eq!(worst(&findings), Some(expected), "{members:?} of {nodes} with {online:?}");
    }
}

#[test]
fn a_missing_binding_is_a_problem_and_a_foreign_one_a_warning() {
    let topology = topology();
    let all = bindings(&topology);
    assert_eq!(worst(&judge_bindings(&topology, &all[1..])), Some(Mark::Problem));
    let live = all.iter().find(|binding| binding.routing_key == "live.#").expect("declared").clone();
    let crossing = Binding { routing_key: "test.#".to_owned(), ..live.clone() };
    let findings = judge_bindings(&topology, &[all.clone(), vec![crossing]].concat());
    assert_eq!(worst(&findings), Some(Mark::Warning));
    assert!(findings[0].what.contains("`bellhop.events -(test.#)-> bellhop.live.events.0`"));
    let beside = Binding { destination: "another.queue".to_owned(), ..live };
    assert_eq!(worst(&judge_bindings(&topology, &[all, vec![beside]].concat())), Some(Mark::Ok));
}

#[test]
fn an_exchange_of_another_type_or_without_its_alternate_is_a_problem() {
    let topology = with_shards(2);
    let right = exchanges(&topology);
    assert_eq!(worst(&judge_exchanges(&topology, &right)), Some(Mark::Ok));
    let changes: [fn(&mut Exchange); 3] = [
        |exchange| exchange.kind = "headers".to_owned(),
        |exchange| exchange.durable = false,
        |exchange| exchange.arguments.clear(),
    ];
    for change in changes {
        let mut told = right.clone();
        let events = told.iter_mut().find(|e| e.name == names::EVENTS_EXCHANGE).expect("declared");
        change(events);
        assert_eq!(worst(&judge_exchanges(&topology, &told)), Some(Mark::Problem));
    }
    let mut told = right;
    let hashing = told.iter_mut().find(|e| e.arguments.contains_key("hash-header")).expect("declared");
    hashing.arguments.insert("hash-header".to_owned(), json!("another"));
    assert_eq!(worst(&judge_exchanges(&topology, &told)), Some(Mark::Problem));
}

#[test]
fn bindings_of_another_number_of_shards_are_a_problem() {
    for (wanted, bound) in [(1, 4), (4, 1), (4, 2), (2, 4)] {
        let (topology, other) = (with_shards(wanted), with_shards(bound));
        assert_eq!(worst(&judge_bindings(&topology, &bindings(&topology))), Some(Mark::Ok));
        let half_changed = [bindings(&topology), bindings(&other)].concat();
        let expected = if bound < wanted && bound != 1 { Mark::Ok } else { Mark::Problem };
        assert_eq!(worst(&judge_bindings(&topology, &half_changed)), Some(expected), "{wanted}, not {bound}");
        let unchanged = worst(&judge_bindings(&topology, &bindings(&other)));
        assert_eq!(unchanged, Some(Mark::Problem), "{wanted}, not {bound}");
    }
}

#[test]
fn a_rung_that_no_ladder_has_and_a_shard_beyond_the_number_are_found() {
    let topology = topology();
    for (name, messages, expected) in [
        ("bellhop.live.wait.7s", 4, Mark::Warning),
        ("bellhop.live.wait.7s", 0, Mark::Note),
        ("another.wait.7s", 4, Mark::Ok),
        ("bellhop.test.events.1", 4, Mark::Warning),
        ("bellhop.test.events.1", 0, Mark::Note),
        ("another.events.1", 4, Mark::Ok),
    ] {
        let mut told = queues(&topology, &["a"]);
        told.push(Queue { name: name.to_owned(), messages: Some(messages), ..Queue::default() });
        assert_eq!(worst(&judge_queues(topology.queues(), &told, 1)), Some(expected), "{name}: {messages}");
    }
}
