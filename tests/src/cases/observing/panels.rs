//! Each panel has something to show.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::observed::Observed;
use crate::context::Context;
use crate::patience::eventually;
use crate::prometheus::{NAMESPACE, Prometheus, Rule};
use crate::tree;

/// What Grafana puts in place of a dashboard's variables, here for all modes and over every scrape of a case.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "2m"), ("$namespace", NAMESPACE), ("$mode", ".*")];

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
        let told: Vec<&Rule> = rules.iter().filter(|rule| rule.is_told()).collect();
        ensure!(told.is_empty(), "{told:#?}");
        Ok(Some(()))
    };
    eventually("no alert to fire", look).await
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
