//! RabbitMQ as a whole: version, nodes, alarms.

use bellhop_broker::Topology;

use crate::command::doctor::finding::{Finding, Subject, count, list};
use crate::command::doctor::management::{Node, Overview};

/// The versions that Bellhop is made for: from the first that dead-letters at least once, to the last major known.
const VERSIONS: std::ops::RangeInclusive<(u32, u32)> = (3, 10)..=(4, u32::MAX);

/// With fewer, the loss of one leaves no majority.
const NODES_MIN: usize = 3;

/// Judges the version, and whether it can do what the topology wants of it.
pub(super) fn judge_overview(overview: &Overview, topology: &Topology) -> Vec<Finding> {
    let is_known = |kind: &str| overview.exchange_types.iter().any(|known| known.name == kind);
    let unknown = topology.exchanges().find(|exchange| !is_known(exchange.kind));
    let missing = unknown.map(|exchange| {
        Finding::problem(
            Subject::Broker,
            format!("it has no exchange type `{}`", exchange.kind),
            format!("`{}` cannot be declared, or no longer routes anything", exchange.name),
            "run `rabbitmq-plugins enable rabbitmq_consistent_hash_exchange` on every node, or set `[amqp] shards` to 1",
        )
    });
    [judge_version(overview)].into_iter().chain(missing).collect()
}

fn judge_version(overview: &Overview) -> Finding {
    let version = &overview.rabbitmq_version;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let known = parts.next().flatten().zip(parts.next().flatten());
    match known {
        Some(found) if VERSIONS.contains(&found) => {
            Finding::ok(Subject::Broker, format!("version {version}"))
        }
        Some(found) if found < *VERSIONS.start() => Finding::problem(
            Subject::Broker,
            format!("version {version} is too old"),
            "before 3.10, quorum queues know neither TTL nor dead-lettering at least once: retries would be lost",
            "upgrade to 3.13 or 4",
        ),
        _ => Finding::warning(
            Subject::Broker,
            format!("version {version} is not one that Bellhop is known to work with (3.10 to 4)"),
            "queues may behave differently",
            "try it on a staging system first",
        ),
    }
}

/// Judges the nodes. What they tell of themselves, alarms included, lags by up to ten seconds.
pub(super) fn judge_nodes(nodes: &[Node]) -> Vec<Finding> {
    let mut findings = vec![judge_size(nodes)];
    let those = |is_so: fn(&Node) -> bool| -> Vec<&str> {
        nodes.iter().filter(|node| is_so(node)).map(|node| node.name.as_str()).collect()
    };
    let troubles = [
        (
            those(|node| !node.running),
            "does not run",
            "its quorum queues have fewer members left, and one more loss may stop them",
            "start it, or remove it with `rabbitmqctl forget_cluster_node`",
        ),
        (
            those(|node| node.mem_alarm),
            "has a memory alarm",
            "no node takes a publish until it ends",
            "free memory, or raise `vm_memory_high_watermark`",
        ),
        (
            those(|node| node.disk_free_alarm),
            "has a disk alarm",
            "no node takes a publish until it ends",
            "free disk space, or enlarge the disk",
        ),
        (
            those(|node| !node.partitions.is_empty()),
            "sees a network partition",
            "its view of queues and bindings is another than its neighbours'",
            "mend the network, then restart the nodes of the smaller side",
        ),
    ];
    for (names, trouble, why, mend) in troubles {
        if !names.is_empty() {
            findings.push(Finding::problem(
                Subject::Broker,
                format!("{} {trouble}", list(&names)),
                why,
                mend,
            ));
        }
    }
    findings
}

fn judge_size(nodes: &[Node]) -> Finding {
    let size = format!("the cluster has {}", count(nodes.len(), "node"));
    if nodes.len() < NODES_MIN {
        let what = format!("{size}: deliveries stop while one is away");
        return Finding::note(Subject::Broker, what, "run three in production");
    }
    Finding::ok(Subject::Broker, size)
}

#[cfg(test)]
mod tests {
    use bellhop_broker::Shards;
    use bellhop_model::Ladder;

    use super::*;
    use crate::command::doctor::finding::Mark;
    use crate::command::doctor::management::ExchangeType;

    #[test]
    fn versions_are_judged() {
        let cases = [
            ("3.9.29", Mark::Problem),
            ("3.10.8", Mark::Ok),
            ("3.13.7", Mark::Ok),
            ("4.0.1", Mark::Ok),
            ("4.3.0-beta.1", Mark::Ok),
            ("5.0.0", Mark::Warning),
            ("nonsense", Mark::Warning),
        ];
        for (version, expected) in cases {
            let overview = Overview { rabbitmq_version: version.to_owned(), exchange_types: Vec::new() };
            assert_eq!(judge_version(&overview).mark, expected, "{version}");
        }
    }

    #[test]
    fn an_exchange_type_that_the_plugin_would_bring_is_missed_only_with_several_shards() {
        let known = |names: &[&str]| Overview {
            rabbitmq_version: "4.2.4".to_owned(),
            exchange_types: names.iter().map(|&name| ExchangeType { name: name.to_owned() }).collect(),
        };
        let (plain, all) =
            (["direct", "topic", "fanout"], ["direct", "topic", "fanout", "x-consistent-hash"]);
        for (shards, types, expected) in
            [(1, &plain[..], Mark::Ok), (2, &plain, Mark::Problem), (2, &all, Mark::Ok)]
        {
            let topology = Topology::new(&Ladder::default(), Shards::new(shards).expect("a few"));
            let worst =
                judge_overview(&known(types), &topology).into_iter().map(|finding| finding.mark).max();
            assert_eq!(worst, Some(expected), "{shards} shards with {types:?}");
        }
    }

    #[test]
    fn each_trouble_of_a_node_is_a_problem() {
        let node = |name: &str| Node {
            name: name.to_owned(),
            running: true,
            mem_alarm: false,
            disk_free_alarm: false,
            partitions: Vec::new(),
        };
        type Change = fn(&mut Node);
        let changes: [(Change, &str); 4] = [
            (|node| node.running = false, "does not run"),
            (|node| node.mem_alarm = true, "memory alarm"),
            (|node| node.disk_free_alarm = true, "disk alarm"),
            (|node| node.partitions.push("b".to_owned()), "partition"),
        ];
        let well = [node("a"), node("b"), node("c")];
        assert!(judge_nodes(&well).iter().all(|finding| finding.mark == Mark::Ok));
        assert_eq!(judge_nodes(&well[..1])[0].mark, Mark::Note);
        for (change, expected) in changes {
            let mut nodes = well.clone();
            change(&mut nodes[1]);
            let findings = judge_nodes(&nodes);
            let problems: Vec<_> = findings.iter().filter(|finding| finding.mark == Mark::Problem).collect();
            assert_eq!(problems.len(), 1, "{expected}");
            assert!(problems[0].what.contains("`b`") && problems[0].what.contains(expected));
        }
    }
}
