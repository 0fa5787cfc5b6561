//! `bellhop doctor`: looks at everything a fleet leans on, and says what is wrong and how to mend it.
//!
//! Facts are gathered first, all at once and each within a time of its own; then pure functions judge them. A service
//! that is down is a finding, never an end. Nothing is changed and no message is taken.

mod finding;
mod report;

mod cluster;
mod management;
mod permissions;
mod policies;
mod queues;

mod clocks;
mod postgres;
mod redis;
mod settings;

mod broker;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bellhop_broker::{BrokerAddress, Shards, Topology};
use bellhop_store::Store;
use bellhop_worker::LaneOptions;
use clap::{Args, ValueEnum};

use crate::command::doctor::finding::{Finding, Mark, Subject};
use crate::command::doctor::management::{Facts, Management, ManagementError, Policy};
use crate::command::doctor::policies::Kind;
use crate::command::doctor::report::Report;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// Shortest wait for Redis while examining it.
const REDIS_PATIENCE: Duration = Duration::from_secs(3);

/// What is examined, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Whose permissions the user of the AMQP URL must have.
    #[arg(long, value_enum, default_value_t = Role::Worker)]
    role: Role,
    /// text for people, json for scripts.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a process does on the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes events from the lanes it serves and publishes what became of them.
    Worker,
    /// Writes what happened from the log into PostgreSQL.
    Recorder,
    /// Publishes events.
    Producer,
    /// Publishes events and test events.
    Api,
    /// Declares the topology.
    Operator,
}

/// What the broker's facts are judged against.
struct Expected<'c> {
    /// Where, and as whom, the broker is used.
    address: &'c BrokerAddress,
    /// What must exist.
    topology: &'c Topology,
    /// Which lanes a worker serves.
    lanes: &'c [LaneOptions],
    /// How many queues each fresh lane has.
    shards: Shards,
    /// What our user does.
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Examines everything.
///
/// # Errors
/// [`Failure::World`] when there is at least one problem; warnings are none.
pub(super) async fn run(file: Option<&Path>, arguments: DoctorArguments) -> Result<(), Failure> {
    let DoctorArguments { role, output } = arguments;
    let config = Config::load(file, Needs::Nothing)?;
    let topology = Topology::new(&config.worker.ladder, config.worker.shards);
    let mut findings = settings::examine(&config);
    let (broker, stores) =
        tokio::join!(examine_broker(&config, &topology, role), examine_stores(&config, role));
    findings.extend(broker);
    findings.extend(stores);
    let report = Report::new(findings);
    let mut stdout = std::io::stdout();
    let shown = match output {
        Output::Text => report.text(stdout.is_terminal()),
        Output::Json => format!("{}\n", report.json()),
    };
    stdout.write_all(shown.as_bytes()).context("failed to print the findings")?;
    match report.count(Mark::Problem) {
        0 => Ok(()),
        1 => Err(anyhow!("1 problem found").into()),
        problems => Err(anyhow!("{problems} problems found").into()),
    }
}

/// The broker by AMQP, and as its management API tells it.
async fn examine_broker(config: &Config, topology: &Topology, role: Role) -> Vec<Finding> {
    let Some(address) = &config.broker else {
        return vec![Finding::problem(
            Subject::Broker,
            "no broker is configured",
            "without it nothing is published or delivered",
            "set `BELLHOP_AMQP_URL` (`eval \"$(make -s env)\"` does for the local stack)",
        )];
    };
    let Some(management) = &config.management else {
        let mut findings = broker::examine(address, topology).await;
        findings.push(Finding::skipped(
            Subject::Broker,
            "version, nodes, alarms, arguments, bindings, effective policies, permissions and the broker's clock",
            "set `BELLHOP_RABBITMQ_MANAGEMENT_URL` to see them",
        ));
        return findings;
    };
    let told = async {
        let management = Management::new(management);
        management.facts(address.vhost(), address.user()).await
    };
    let (mut findings, told) = tokio::join!(broker::examine(address, topology), told);
    match told {
        Ok(facts) => {
            let (lanes, shards) = (config.worker.lanes.as_slice(), config.worker.shards);
            findings.extend(judge_facts(&facts, &Expected { address, topology, lanes, shards, role }));
        }
        Err(error) => findings.push(Finding::problem(
            Subject::Broker,
            format!("RabbitMQ's management API does not serve us: {error}"),
            "nodes, arguments, effective policies and permissions could not be checked",
            "check `BELLHOP_RABBITMQ_MANAGEMENT_URL` and that its user has the tag `monitoring`",
        )),
    }
    findings
}

fn judge_facts(facts: &Facts, expected: &Expected<'_>) -> Vec<Finding> {
    let Expected { address, topology, .. } = expected;
    let subject = Subject::Broker;
    let mut findings =
        facts.overview.judge(subject, "its version", |told| cluster::judge_overview(told, topology));
    findings.extend(facts.nodes.judge(subject, "nodes", |nodes| cluster::judge_nodes(nodes)));
    findings.extend(facts.skew.map(|skew| clocks::judge("RabbitMQ", skew)));
    if let Some(ManagementError::NotFound(_)) = facts.queues.error() {
        findings.push(Finding::problem(
            subject,
            format!("the virtual host `{}` does not exist", address.vhost()),
            "nobody can sign in to it",
            "create it and its users as in `deploy/rabbitmq/README.md`, or correct `BELLHOP_AMQP_URL`",
        ));
        return findings;
    }
    let subject = Subject::Queues;
    let exchanges =
        facts.exchanges.judge(subject, "exchanges", |told| queues::judge_exchanges(topology, told));
    let bindings = facts.bindings.judge(subject, "bindings", |told| queues::judge_bindings(topology, told));
    let (specs, nodes) = (topology.queues(), facts.nodes.value().map_or(0, Vec::len));
    let existing = facts.queues.judge(subject, "queues", |told| queues::judge_queues(specs, told, nodes));
    let subject = Subject::Policies;
    let judge = |kind| move |told: &Vec<Policy>| policies::judge(specs, kind, told);
    let policies = facts.policies.judge(subject, "policies", judge(Kind::Policy));
    let of_operators =
        facts.operator_policies.judge(subject, "operator policies", judge(Kind::OperatorPolicy));
    let permissions = permissions::examine(expected, facts);
    findings.extend([exchanges, bindings, existing, policies, of_operators, permissions].concat());
    findings
}

/// PostgreSQL and Redis, by way of the store.
async fn examine_stores(config: &Config, role: Role) -> Vec<Finding> {
    let Some(options) = &config.store else {
        let what = "`[postgres] url`, `[redis] url` and `[sealing] key` are not all set";
        let mend = "set them, as for the worker";
        return vec![match role {
            Role::Worker => {
                let why = "a worker finds its webhooks in PostgreSQL and Redis";
                Finding::problem(Subject::Postgres, what, why, mend)
            }
            Role::Recorder => {
                let why = "a recorder writes to PostgreSQL";
                Finding::problem(Subject::Postgres, what, why, mend)
            }
            Role::Api => {
                let why = "an API keeps webhooks and keys in PostgreSQL";
                Finding::problem(Subject::Postgres, what, why, mend)
            }
            Role::Producer | Role::Operator => Finding::skipped(Subject::Postgres, what, mend),
        }];
    };
    let mut options = options.clone();
    // A worker's patience with Redis is short, because it can go on without; whoever examines it waits for the answer.
    options.redis.timeout = options.redis.timeout.max(REDIS_PATIENCE);
    match Store::open(&options) {
        Ok(store) => {
            let (postgres, redis) = tokio::join!(postgres::examine(&store), redis::examine(&store));
            [postgres, redis].concat()
        }
        Err(error) => vec![Finding::problem(
            Subject::Postgres,
            error.to_string(),
            "no process starts with it",
            "correct the configuration",
        )],
    }
}
