//! Dashboards, alerts and the runbook name what exists.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Source, ensure_none, sources};

/// Where dashboards lie, rules, tests of rules, and the runbook.
const DASHBOARDS: &str = "deploy/grafana/dashboards";
const RULES: &str = "deploy/prometheus/rules";
const UNIT_TESTS: &str = "deploy/prometheus/tests";
const RUNBOOK: &str = "deploy/README.md";

/// Where cases bring about what alerts warn of.
const CASES: &str = "tests/src/cases/observing/alerts";

/// Alerts without such a case: nobody knows what to send a worker so that it panics, or it would be mended.
const UNPROVOKED: [&str; 1] = ["BellhopPanics"];

/// The dashboards' addresses, which bookmarks and links hold on to.
const UIDS: [&str; 4] = ["bellhop-broker", "bellhop-endpoints", "bellhop-flow", "bellhop-recorder"];

/// What of RabbitMQ's metrics is used; a case scrapes a real one and asks for each.
const OF_RABBITMQ: [&str; 11] = [
    "rabbitmq_alarms_file_descriptor_limit",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_detailed_queue_consumers",
    "rabbitmq_detailed_queue_messages",
    "rabbitmq_detailed_queue_messages_ready",
    "rabbitmq_detailed_queue_messages_unacked",
    "rabbitmq_global_messages_dead_lettered_confirmed_total",
    "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
    "rabbitmq_global_messages_dead_lettered_expired_total",
    "rabbitmq_global_messages_dead_lettered_rejected_total",
];

#[test]
fn dashboards_alerts_and_runbook_name_metrics_that_exist() {
    let sources = sources();
    let known = known_names(&sources);
    assert!(40 < known.len(), "the metrics are not where they were: only {known:?}");
    let is_meant = |source: &&Source| {
        [DASHBOARDS, RULES, UNIT_TESTS, RUNBOOK].iter().any(|place| source.path.starts_with(place))
    };
    let unknown = sources.iter().filter(is_meant).flat_map(|source| {
        let words = words(&source.text).filter(|word| is_metric(word) && !is_known(word, &known));
        words.map(|word| format!("{} names `{word}`", source.path.display())).collect::<BTreeSet<_>>()
    });
    ensure_none("a metric is registered in a crate or recorded by a rule", &unknown.collect::<Vec<_>>());
}

#[test]
fn dashboards_are_whole() {
    let mut uids = BTreeSet::new();
    let mut flaws = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with(DASHBOARDS)) {
        let dashboard: Value = serde_json::from_str(&source.text).expect("a dashboard is JSON");
        let told = flaws_of(&dashboard).into_iter();
        flaws.extend(told.map(|flaw| format!("{}: {flaw}", source.path.display())));
        uids.insert(dashboard["uid"].as_str().unwrap_or_default().to_owned());
    }
    ensure_none("a dashboard can be provisioned anywhere and says what it shows", &flaws);
    assert_eq!(uids, UIDS.map(ToOwned::to_owned).into());
}

#[test]
fn alerts_say_how_bad_they_are_and_what_to_do() {
    let sources = sources();
    let runbook = &sources.iter().find(|source| source.path.ends_with(RUNBOOK)).expect("a runbook").text;
    let tests: String = texts(&sources, UNIT_TESTS);
    let cases = texts(&sources, CASES);
    let rules = texts(&sources, RULES);
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    let mut flaws = Vec::new();
    let mut named = BTreeSet::new();
    for alert in alerts {
        let name = alert.lines().next().unwrap_or_default().trim();
        let anchor = format!("runbook_url: deploy/README.md#{}", name.to_lowercase());
        let needs = [
            (alert.contains("\n        for: "), "has no `for`"),
            (alert.contains("severity: page") || alert.contains("severity: ticket"), "has no severity"),
            (alert.lines().any(|line| line.trim() == anchor), "has no `runbook_url` of its own"),
            (runbook.lines().any(|line| line == format!("### {name}")), "has no entry in the runbook"),
            (tests.contains(&format!("alertname=\"{name}\"")), "has no unit test"),
            (
                cases.contains(&format!("\"{name}\"")) != UNPROVOKED.contains(&name),
                "has no case in which it fires",
            ),
            (named.insert(name), "is there twice"),
        ];
        flaws.extend(needs.iter().filter(|(is_met, _)| !is_met).map(|(_, flaw)| format!("{name} {flaw}")));
    }
    let entries = runbook.lines().filter_map(|line| line.strip_prefix("### Bellhop"));
    let stale =
        entries.map(|entry| format!("Bellhop{entry}")).filter(|entry| !named.contains(entry.as_str()));
    flaws.extend(stale.map(|entry| format!("the runbook tells of {entry}, which is no alert")));
    ensure_none(
        "an alert has a severity, a wait, an entry in the runbook, a unit test and a case in which it fires",
        &flaws,
    );
    assert!(20 < named.len(), "the alerts are not where they were: only {named:?}");
}

/// The names that crates register, and those that rules record.
fn known_names(sources: &[Source]) -> BTreeSet<String> {
    let registered = sources.iter().filter(|source| {
        source.path.starts_with("crates") && source.has_extension("rs") && source.name() != "tests.rs"
    });
    let literals = registered.flat_map(|source| source.text.split("\"bellhop_").skip(1));
    let names =
        literals.filter_map(|literal| literal.split('"').next()).map(|rest| format!("bellhop_{rest}"));
    let registered = names.filter(|name| words(name).count() == 1);
    let rules = sources.iter().filter(|source| source.path.starts_with(RULES));
    let recorded = rules.flat_map(|source| source.text.split("- record: ").skip(1));
    let recorded = recorded.filter_map(|rule| rule.lines().next()).map(str::trim);
    registered.chain(recorded.chain(OF_RABBITMQ).map(ToOwned::to_owned)).collect()
}

fn is_metric(word: &str) -> bool {
    ["bellhop_", "bellhop:", "rabbitmq_alarms_", "rabbitmq_detailed_", "rabbitmq_global_"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
}

fn is_known(word: &str, known: &BTreeSet<String>) -> bool {
    let parts = ["", "_bucket", "_sum", "_count"];
    parts.iter().filter_map(|part| word.strip_suffix(part)).any(|name| known.contains(name))
}

/// What could be the name of a metric.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split(move |letter| !is_of_name(letter))
        .map(|word| word.trim_end_matches(':'))
        .filter(|w| !w.is_empty())
}

fn texts(sources: &[Source], folder: &str) -> String {
    sources.iter().filter(|s| s.path.starts_with(folder)).map(|source| source.text.as_str()).collect()
}

fn flaws_of(dashboard: &Value) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut need = |is_met: bool, flaw: String| {
        if !is_met {
            flaws.push(flaw);
        }
    };
    need(dashboard["editable"] == false, "it can be edited, and the edit is lost".to_owned());
    need(dashboard["schemaVersion"].is_u64(), "it has no `schemaVersion`".to_owned());
    need(dashboard["links"][0]["tags"][0] == "bellhop", "it has no link to the others".to_owned());
    let variables = dashboard["templating"]["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    for name in ["datasource", "namespace"] {
        need(
            variables.iter().any(|variable| variable["name"] == name),
            format!("it has no variable `{name}`"),
        );
    }
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("a dashboard has panels") {
        let title = panel["title"].as_str().unwrap_or_default();
        need(ids.insert(panel["id"].as_u64()), format!("`{title}` has the id of another panel"));
        if panel["type"] == "row" {
            continue;
        }
        need(title.ends_with('?'), format!("`{title}` asks nothing"));
        need(
            panel["description"].as_str().is_some_and(|text| !text.is_empty()),
            format!("`{title}` says no more"),
        );
        let Some(targets) = panel["targets"].as_array() else { continue };
        need(panel["fieldConfig"]["defaults"]["unit"].is_string(), format!("`{title}` has no unit"));
        let datasources = targets.iter().chain([panel]).map(|target| &target["datasource"]["uid"]);
        need(
            datasources.into_iter().all(|uid| uid == "${datasource}"),
            format!("`{title}` has a fixed source"),
        );
        for expression in targets.iter().map(|target| target["expr"].as_str().unwrap_or_default()) {
            let is_of_namespace = expression.contains("$namespace") || expression.contains("ALERTS");
            need(is_of_namespace, format!("`{title}` shows every namespace"));
            let is_fixed = ["[1m]", "[5m]"].iter().any(|window| expression.contains(window));
            need(!is_fixed, format!("`{title}` has a window that is not `$__rate_interval`"));
        }
    }
    flaws
}
