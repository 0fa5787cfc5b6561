//! The broker as a process of ours meets it: by AMQP, with our user.

use std::sync::Arc;
use std::time::Duration;

use bellhop_broker::{BrokerAddress, ConnectError, Inspection, Link, LinkState, QueueSpec, Topology, names};
use bellhop_model::Mode;

use crate::command::doctor::finding::{Finding, Subject, count, list};

/// Longest wait for a connection, for each node that may be tried.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// Longest wait for all questions about exchanges and queues.
const INSPECT_PATIENCE: Duration = Duration::from_secs(30);

/// Connects and looks whether everything exists.
pub(super) async fn examine(address: &BrokerAddress, topology: &Topology) -> Vec<Finding> {
    let link = Link::open(address.clone(), "bellhop doctor");
    let mut findings = match first_state(&link, address.node_count()).await {
        Ok(()) => look(&link, address, topology).await,
        Err(reason) => vec![judge_refusal(address, reason.as_deref())],
    };
    if matches!(link.state(), LinkState::Blocked) {
        findings.push(Finding::problem(
            Subject::Broker,
            "it blocks publishers",
            "no event is accepted and no delivery finished until its memory or disk alarm ends",
            "free memory or disk on its nodes",
        ));
    }
    link.close().await;
    findings
}

/// Waits until each node has been tried once, not for a try that succeeds.
async fn first_state(link: &Link, nodes: u32) -> Result<(), Option<Arc<ConnectError>>> {
    let mut state = link.watch();
    let is_told = |state: &LinkState| !matches!(state, LinkState::Down(None));
    let told = tokio::time::timeout(CONNECT_PATIENCE * nodes, state.wait_for(is_told)).await;
    match told {
        Ok(Ok(state)) => match &*state {
            LinkState::Down(reason) => Err(reason.clone()),
            LinkState::Up | LinkState::Blocked => Ok(()),
        },
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

async fn look(link: &Link, address: &BrokerAddress, topology: &Topology) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(Subject::Broker, format!("it takes us in at {address}"))];
    let declarer = link.declarer();
    let inspecting = tokio::time::timeout(INSPECT_PATIENCE, topology.inspect(&declarer)).await;
    match inspecting {
        Ok(Ok(found)) => {
            findings.extend(judge_existence(&found));
            findings.extend(judge_parked(&found));
            findings.extend(judge_unconsumed(topology.queues(), &found));
        }
        Ok(Err(error)) => findings.push(not_inspected(&format!("{:#}", anyhow::Error::new(error)))),
        Err(_) => findings.push(not_inspected(&format!("no answers within {INSPECT_PATIENCE:?}"))),
    }
    findings
}

fn judge_refusal(address: &BrokerAddress, reason: Option<&ConnectError>) -> Finding {
    let (what, mend) = match reason {
        Some(ConnectError::Credentials { .. }) => (
            format!("it refuses user or password at {address}"),
            "correct them in `BELLHOP_AMQP_URL`, or `rabbitmqctl change_password`",
        ),
        Some(ConnectError::VirtualHost { .. }) => (
            format!("it refuses the virtual host at {address}"),
            "`rabbitmqctl add_vhost`, then `rabbitmqctl set_permissions` for the user on it",
        ),
        Some(other @ (ConnectError::TimedOut { .. } | ConnectError::Unreachable { .. })) => {
            let causes =
                std::error::Error::source(other).map_or(String::new(), |cause| format!(" ({cause})"));
            (format!("it cannot be reached at {address}{causes}"), "start it, or correct `BELLHOP_AMQP_URL`")
        }
        None => (
            format!("it did not answer at {address} within {:?}", CONNECT_PATIENCE * address.node_count()),
            "start it, or correct `BELLHOP_AMQP_URL`",
        ),
    };
    Finding::problem(Subject::Broker, what, "without it nothing is published or delivered", mend)
}

fn not_inspected(reason: &str) -> Finding {
    Finding::problem(
        Subject::Queues,
        format!("they could not be looked at: {reason}"),
        "a queue without a leader answers nobody",
        "see which of its nodes run",
    )
}

/// Judges whether everything exists.
fn judge_existence(found: &Inspection) -> Vec<Finding> {
    let missing = [("exchanges", &found.missing_exchanges), ("queues", &found.missing_queues)];
    let findings: Vec<Finding> = missing
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(kind, names)| {
            Finding::problem(
                Subject::Queues,
                format!("{kind} that do not exist: {}", list(names)),
                "what should go there is refused",
                "run `bellhop topology` with a user that may configure `^bellhop\\.`",
            )
        })
        .collect();
    if findings.is_empty() {
        let queues = found.ready_messages.len();
        return vec![Finding::ok(Subject::Queues, format!("every exchange and all {queues} queues exist"))];
    }
    findings
}

/// Judges what lies in the queues that nobody empties.
fn judge_parked(found: &Inspection) -> Vec<Finding> {
    let ready = |name: &str| found.ready_messages.get(name).map_or(0, |&ready| ready as usize);
    let mut findings = Vec::new();
    for parked in Mode::ALL.map(names::parked_queue).into_iter().chain([names::LOG_PARKED.to_owned()]) {
        let messages = ready(&parked);
        if 0 < messages {
            findings.push(Finding::warning(
                Subject::Queues,
                format!("`{parked}` holds {}", count(messages, "message")),
                "each is an event or record that could not be processed; they are forgotten after 14 days",
                "`bellhop parked list` says why, `redrive` puts them back, `discard` throws them away",
            ));
        }
    }
    let messages = ready(names::UNROUTABLE);
    if 0 < messages {
        findings.push(Finding::warning(
            Subject::Queues,
            format!("`{}` holds {}", names::UNROUTABLE, count(messages, "message")),
            "somebody publishes events whose routing key begins with neither `live.` nor `test.`",
            "see their routing keys with `bellhop parked list --queue unroutable`, and correct the publisher",
        ));
    }
    findings
}

/// Judges the queues in which something waits for a process that does not run, or does not serve it.
fn judge_unconsumed(specs: &[QueueSpec], found: &Inspection) -> Vec<Finding> {
    // What lies on a rung, or is parked, goes by itself.
    let consumed = specs.iter().filter(|spec| spec.time_to_live.is_none());
    let waiting = consumed.filter_map(|spec| {
        let ready = *found.ready_messages.get(&spec.name)? as usize;
        (0 < ready && found.unconsumed_queues.contains(&spec.name)).then_some((&spec.name, ready))
    });
    let finding = |(name, ready)| {
        Finding::warning(
            Subject::Queues,
            format!("`{name}` holds {} and nobody takes any", count(ready, "message")),
            "they wait until somebody does",
            match name == names::LOG {
                true => "start a `bellhop recorder`",
                false => {
                    "start a `bellhop worker` whose `[worker] lanes` names that lane, as they do by default"
                }
            },
        )
    };
    waiting.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use bellhop_model::Ladder;

    use super::*;
    use crate::command::doctor::finding::Mark;

    #[test]
    fn what_is_missing_is_named_and_what_exists_is_counted() {
        let mut found = Inspection::default();
        found.ready_messages.insert("bellhop.live.due".to_owned(), 7);
        assert_eq!(judge_existence(&found)[0].mark, Mark::Ok);
        found.missing_queues.push("bellhop.live.wait.30s".to_owned());
        let findings = judge_existence(&found);
        assert_eq!((findings.len(), findings[0].mark), (1, Mark::Problem));
        assert!(findings[0].what.contains("`bellhop.live.wait.30s`"));
    }

    #[test]
    fn what_waits_for_nobody_is_worth_a_warning() {
        let topology = Topology::new(&Ladder::default(), bellhop_broker::Shards::ONE);
        let cases = [
            ("bellhop.live.slow", 3, true, 1),
            ("bellhop.live.slow", 3, false, 0),
            ("bellhop.live.slow", 0, true, 0),
            ("bellhop.log", 3, true, 1),
            ("bellhop.live.wait.30s", 3, true, 0),
            ("bellhop.live.parked", 3, true, 0),
        ];
        for (queue, ready, is_unconsumed, expected) in cases {
            let mut found = Inspection::default();
            found.ready_messages.insert(queue.to_owned(), ready);
            found.unconsumed_queues.extend(is_unconsumed.then(|| queue.to_owned()));
            let findings = judge_unconsumed(topology.queues(), &found);
            assert_eq!(findings.len(), expected, "{queue} {ready} {is_unconsumed}");
            assert!(findings.iter().all(|finding| finding.mark == Mark::Warning));
        }
    }

    #[test]
    fn only_what_is_parked_or_unroutable_is_worth_a_warning() {
        let cases = [
            ("bellhop.live.events.0", 0),
            ("bellhop.live.wait.30s", 0),
            ("bellhop.log", 0),
            ("bellhop.live.parked", 1),
            ("bellhop.test.parked", 1),
            ("bellhop.log.parked", 1),
            ("bellhop.unroutable", 1),
        ];
        for (queue, expected) in cases {
            let mut found = Inspection::default();
            found.ready_messages.insert(queue.to_owned(), 3);
            let findings = judge_parked(&found);
            assert_eq!(findings.len(), expected, "{queue}");
            assert!(findings.iter().all(|finding| finding.mark == Mark::Warning));
        }
    }
}
