//! Dashboards and alerts, held against a fleet that runs: panels have something to show, and alerts say when something is
//! wrong and nothing otherwise.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, SCHEDULED};
use crate::caller::{ApiProcess, Caller};
use crate::context::{Context, Site};
use crate::operator::Registration;
use crate::patience::eventually;
use crate::prometheus::{NAMESPACE, Prometheus, Rule, Targets, rules_of};
use crate::receiver::{Answer, Receiver};
use crate::stack::Service;
use crate::worker::Worker;
use crate::{http, tree};

/// What Grafana puts in place of a dashboard's variables, here for all modes and over every scrape of a case.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "2m"), ("$namespace", NAMESPACE), ("$mode", ".*")];

/// Events that are published whenever a case looks, so that there is a rate of everything.
const EVENTS: usize = 3;

/// A fleet with one process of each kind, somebody who calls the API, and in each mode a webhook that is well beside one that
/// fails once.
struct Observed {
    site: Site,
    worker: Worker,
    recorder: Worker,
    api: ApiProcess,
    caller: Caller,
    _receiver: Receiver,
}

/// Every `expr` of every dashboard, and every rule.
///
/// Goal: no panel that stays empty because a label or a name is wrong. Method: events, failures and calls go on until each
/// expression has returned a number.
pub async fn every_panel_has_data_and_no_alert_fires_in_a_healthy_fleet(context: Context) -> Result<()> {
    context.tools().await?;
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let observed = Observed::start(context.site_with(&[(variable, &authority)]).await?, receiver).await?;
    let prometheus = observed.prometheus(&context).await?;

    let mut silent = expressions()?;
    ensure!(60 <= silent.len(), "dashboards have only {} expressions", silent.len());
    for rule in prometheus.rules().await? {
        let scraped = names(&rule.query).into_iter().map(|name| format!("count({{__name__=\"{name}\"}})"));
        silent.extend(scraped);
    }
    let silent = Mutex::new(silent);
    let look = || async {
        observed.live_a_little().await?;
        let asked = silent.lock().expect("nobody panics with it").clone();
        let still_silent = silent_of(&prometheus, asked).await?;
        silent.lock().expect("nobody panics with it").clone_from(&still_silent);
        ensure!(still_silent.is_empty(), "no data for {still_silent:#?}");
        Ok(Some(()))
    };
    eventually("every expression to return a number", look).await?;

    let look = || async {
        let rules = prometheus.rules().await?;
        for rule in &rules {
            ensure!(rule.problem.is_none(), "{rule:?}");
        }
        let told: Vec<&Rule> = rules.iter().filter(|rule| is_told(rule)).collect();
        ensure!(told.is_empty(), "{told:#?}");
        Ok(Some(()))
    };
    eventually("no alert to fire", look).await
}

/// What can be broken here is broken: a message that is no event, PostgreSQL, the only worker.
pub async fn alerts_fire_when_something_is_wrong(context: Context) -> Result<()> {
    context.tools().await?;
    let (receiver, (variable, authority)) = context.secure_receiver().await?;
    let stack = context.private_stack(&[Service::Postgres]).await?;
    let site = context.site_on_with(&stack, Service::Postgres, &[(variable, &authority)]).await?;
    let observed = Observed::start(site, receiver).await?;
    let prometheus = observed.prometheus(&context).await?;
    await_alerts(&prometheus, &[]).await?;

    let nonsense = Message { body: b"nonsense".to_vec(), ..Message::event("test", SCHEDULED, "evt-1", "{}") };
    observed.site.amqp().await?.publish(&nonsense).await?;
    await_alerts(&prometheus, &["BellhopMessagesParked"]).await?;

    stack.kill(Service::Postgres).await?;
    observed.site.operator.publish("test", SCHEDULED, APPOINTMENT.as_bytes()).await?.succeeded()?;
    await_alerts(
        &prometheus,
        &["BellhopPostgresUnreachable", "BellhopProcessNotReady", "BellhopRecorderStalled"],
    )
    .await?;

    observed.worker.kill().await?;
    await_alerts(&prometheus, &["BellhopNoWorkerReady", "BellhopQueueWithoutConsumer"]).await
}

/// By the tool that comes with Prometheus: configuration and rules are sound, each alert fires on the series of its
/// condition, and none on a day of a healthy fleet's.
pub async fn alerts_pass_their_unit_tests(context: Context) -> Result<()> {
    context.tools().await?;
    let folder = tree::repository().join("deploy/prometheus");
    let files = |name: &str| -> Result<Vec<String>> {
        let entries = fs::read_dir(folder.join(name))?;
        entries.map(|entry| Ok(entry?.path().display().to_string())).collect()
    };
    let configuration = vec![folder.join("prometheus.yml").display().to_string()];
    for (command, files) in
        [("check config", configuration), ("check rules", files("rules")?), ("test rules", files("tests")?)]
    {
        let output = Command::new("promtool").args(command.split(' ')).args(&files).output().await?;
        let told = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "promtool {command}: {}", String::from_utf8_lossy(&told));
    }
    Ok(())
}

/// `make observe`, and `make down`.
pub async fn prometheus_starts_beside_the_stack_and_stops_with_it(context: Context) -> Result<()> {
    context.tools().await?;
    let stack = context.private_stack(&[Service::Redis]).await?;
    let url = stack.observe().await?;
    let answer = http::get(&format!("{url}/api/v1/rules")).await?;
    let told: Value = serde_json::from_str(&answer.body)?;
    let rules = rules_of(&told["data"])?;
    ensure!(rules.iter().any(|rule| rule.name == "BellhopLaneStalled"), "{rules:?}");
    let look = || async {
        let answer = http::get(&format!("{url}/api/v1/targets")).await?;
        Ok(answer.body.contains("127.0.0.1:9464").then_some(()))
    };
    eventually("Prometheus to find its targets", look).await?;

    stack.down().await?;
    ensure!(http::get(&url).await.is_err(), "Prometheus answers after `down`");
    Ok(())
}

impl Observed {
    async fn start(site: Site, receiver: Receiver) -> Result<Self> {
        for mode in ["live", "test"] {
            for (name, statuses) in [("well", vec![200]), ("unsteady", vec![500, 200])] {
                let answers = statuses.into_iter().map(Answer::status).collect();
                let endpoint = receiver.endpoint_in_turn(&format!("{mode}-{name}"), answers);
                let registration = Registration { mode, ..Registration::test(&endpoint.url) };
                site.operator.register(&registration).await?;
            }
        }
        let (worker, recorder) = tokio::try_join!(site.worker(), site.recorder())?;
        let api = ApiProcess::start(&site).await?;
        let caller = api.caller(&site, "test", "developer").await?;
        Ok(Self { site, worker, recorder, api, caller, _receiver: receiver })
    }

    /// Starts a Prometheus and waits until it has scraped everything.
    async fn prometheus(&self, context: &Context) -> Result<Prometheus> {
        let processes = [&self.worker, &self.recorder, self.api.process()];
        let targets = Targets {
            processes: processes.map(Worker::probes_address).to_vec(),
            rabbitmq: &self.site.place.addresses().metrics,
            virtual_host: self.site.place.virtual_host(),
        };
        let prometheus = Prometheus::start(&context.scratch_folder()?, &targets).await?;
        let look = || async {
            let up = prometheus.query("sum(up)").await?;
            // Each process, and RabbitMQ twice.
            Ok((up == [5.0]).then_some(()))
        };
        eventually("every target to be scraped", look).await?;
        Ok(prometheus)
    }

    /// Publishes in both modes and asks the API something.
    async fn live_a_little(&self) -> Result<()> {
        let lines = format!("{APPOINTMENT}\n").repeat(EVENTS);
        for mode in ["live", "test"] {
            self.site.operator.publish(mode, SCHEDULED, lines.as_bytes()).await?.succeeded()?;
        }
        self.caller.get("/v1/webhooks").await?.of(200).map(drop)
    }
}

/// The expressions of all dashboards, with values for their variables.
fn expressions() -> Result<BTreeSet<String>> {
    let mut expressions = BTreeSet::new();
    for entry in fs::read_dir(tree::repository().join("deploy/grafana/dashboards"))? {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(entry?.path())?)?;
        let panels = dashboard["panels"].as_array().context("a dashboard has panels")?;
        let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
        for target in targets {
            let mut expression = target["expr"].as_str().context("a target has an expression")?.to_owned();
            for (variable, value) in VARIABLES {
                expression = expression.replace(variable, value);
            }
            ensure!(!expression.contains('$'), "an unknown variable in {expression}");
            expressions.insert(expression);
        }
    }
    Ok(expressions)
}

/// Those of several expressions that return no number.
async fn silent_of(prometheus: &Prometheus, expressions: BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut silent = BTreeSet::new();
    for expression in expressions {
        if !prometheus.query(&expression).await?.iter().any(|value| value.is_finite()) {
            silent.insert(expression);
        }
    }
    Ok(silent)
}

/// The metrics that an expression names.
fn names(expression: &str) -> BTreeSet<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let words = expression.split(|letter| !is_of_name(letter));
    let is_name =
        |word: &&str| ["bellhop_", "bellhop:", "rabbitmq_", "process_"].iter().any(|p| word.starts_with(p));
    words.filter(is_name).map(ToOwned::to_owned).collect()
}

/// Waits until these alerts fire; until none does when there are none.
async fn await_alerts(prometheus: &Prometheus, expected: &[&str]) -> Result<()> {
    let look = || async {
        let rules = prometheus.rules().await?;
        let told: BTreeSet<&str> =
            rules.iter().filter(|rule| is_told(rule)).map(|rule| rule.name.as_str()).collect();
        let is_as_expected =
            expected.iter().all(|name| told.contains(name)) && (!expected.is_empty() || told.is_empty());
        ensure!(is_as_expected, "expected {expected:?}, told of {told:?}");
        Ok(Some(()))
    };
    eventually(format!("{expected:?} to fire"), look).await
}

fn is_told(rule: &Rule) -> bool {
    rule.state.as_deref().is_some_and(|state| state != "inactive")
}
