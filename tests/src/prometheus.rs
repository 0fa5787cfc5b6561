//! A Prometheus of a case's own, with the shipped configuration and rules.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use url::Url;

use crate::patience::eventually;
use crate::stack::free_ports;
use crate::{http, tree};

/// What the shipped configuration says of the time between two scrapes and between two evaluations, and what it is made
/// here: a case is over before the usual time has passed twice.
const INTERVALS: [(&str, &str); 2] = [
    ("scrape_interval: 15s", "scrape_interval: 1s"),
    ("evaluation_interval: 15s", "evaluation_interval: 1s"),
];

/// The label that tells one installation's processes and queues from another's.
pub const NAMESPACE: &str = "case";

/// A Prometheus that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Prometheus {
    _child: Child,
    url: String,
}

/// What is scraped.
#[derive(Debug)]
pub struct Targets<'a> {
    /// `host:port` of each process' probes.
    pub processes: Vec<&'a str>,
    /// `host:port` of RabbitMQ's metrics.
    pub rabbitmq: &'a str,
    /// The virtual host whose queues count.
    pub virtual_host: &'a str,
}

/// One rule, as Prometheus tells of it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The alert's name, or the name of what is recorded.
    pub name: String,
    /// The expression.
    pub query: String,
    /// `inactive`, `pending` or `firing`; nothing of a rule that records.
    pub state: Option<String>,
    /// Why it could not be evaluated.
    pub problem: Option<String>,
}

impl Prometheus {
    /// Starts one that scrapes every second, and waits until it answers.
    ///
    /// Alerts do not wait for their time to pass: they fire as soon as their condition holds.
    ///
    /// * `folder`: an empty one, for its configuration and data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(folder: &Path, targets: &Targets<'_>) -> Result<Self> {
        configure(folder, targets).context("configure Prometheus")?;
        let listen = format!("127.0.0.1:{}", free_ports(1)?[0]);
        let log = fs::File::create(folder.join("prometheus.log"))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "prometheus"])
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start Prometheus")?;
        let prometheus = Self { _child: child, url: format!("http://{listen}") };
        let look = || async {
            let answer = http::get(&format!("{}/-/ready", prometheus.url)).await?;
            Ok((answer.status == 200).then_some(()))
        };
        eventually("Prometheus to be ready", look).await?;
        Ok(prometheus)
    }

    /// Evaluates an expression now.
    ///
    /// * returns the value of each series.
    ///
    /// # Errors
    /// When it is no expression, or cannot be evaluated.
    pub async fn query(&self, expression: &str) -> Result<Vec<f64>> {
        let mut url = Url::parse(&format!("{}/api/v1/query", self.url))?;
        url.query_pairs_mut().append_pair("query", expression);
        let data = self.ask(url.as_str()).await.with_context(|| expression.to_owned())?;
        let result = data["result"].as_array().context("an expression has a vector")?;
        let value = |sample: &Value| sample["value"][1].as_str()?.parse().ok();
        Ok(result.iter().filter_map(value).collect())
    }

    /// Waits until each of so many processes was scraped, and RabbitMQ, of which there are two kinds of metrics.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn await_scraped(&self, processes: usize) -> Result<()> {
        let look = || async {
            let up = self.query("count(up == 1)").await?;
            #[allow(clippy::cast_precision_loss, reason = "there are a handful")]
            let expected = (processes + 2) as f64;
            Ok((up == [expected]).then_some(()))
        };
        eventually("every target to be scraped", look).await
    }

    /// Every rule, as it was evaluated last.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rules(&self) -> Result<Vec<Rule>> {
        rules_of(&self.ask(&format!("{}/api/v1/rules", self.url)).await?)
    }

    async fn ask(&self, url: &str) -> Result<Value> {
        let answer = http::get(url).await?;
        let mut body: Value = serde_json::from_str(&answer.body)?;
        ensure!(body["status"] == "success", "{}", answer.body);
        Ok(body["data"].take())
    }
}

impl Rule {
    /// Whether it is an alert whose condition holds, for long enough or not.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state != "inactive")
    }
}

/// Reads the field `data` of what `/api/v1/rules` answers.
///
/// # Errors
/// When it is something else.
pub fn rules_of(data: &Value) -> Result<Vec<Rule>> {
    let groups = data["groups"].as_array().context("there are groups")?;
    let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let rule = |rule: &Value| {
        Some(Rule {
            name: text(&rule["name"])?,
            query: text(&rule["query"])?,
            state: text(&rule["state"]),
            problem: text(&rule["lastError"]),
        })
    };
    rules.map(|told| rule(told).with_context(|| format!("a rule has a name and a query: {told}"))).collect()
}

/// Writes the shipped configuration with other intervals, the shipped rules without their waits, and the targets.
fn configure(folder: &Path, targets: &Targets<'_>) -> Result<()> {
    let shipped = tree::repository().join("deploy/prometheus");
    let mut configuration = fs::read_to_string(shipped.join("prometheus.yml"))?;
    for (usual, here) in INTERVALS {
        ensure!(configuration.contains(usual), "prometheus.yml does not say `{usual}`");
        configuration = configuration.replace(usual, here);
    }
    fs::write(folder.join("prometheus.yml"), configuration)?;
    fs::create_dir(folder.join("rules"))?;
    for entry in fs::read_dir(shipped.join("rules"))? {
        let entry = entry?;
        let rules = without_waits(&fs::read_to_string(entry.path())?);
        fs::write(folder.join("rules").join(entry.file_name()), rules)?;
    }
    let processes = json!([{ "targets": targets.processes, "labels": { "namespace": NAMESPACE } }]);
    let labels = json!({ "namespace": NAMESPACE, "__param_vhost": targets.virtual_host });
    let rabbitmq = json!([{ "targets": [targets.rabbitmq], "labels": labels }]);
    fs::create_dir(folder.join("targets"))?;
    fs::write(folder.join("targets/bellhop.json"), processes.to_string())?;
    fs::write(folder.join("targets/rabbitmq.json"), rabbitmq.to_string())?;
    Ok(())
}

fn without_waits(rules: &str) -> String {
    let mut kept = String::new();
    for line in rules.lines().filter(|line| !line.trim_start().starts_with("for: ")) {
        let _ = writeln!(kept, "{line}");
    }
    kept
}
