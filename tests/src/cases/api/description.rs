//! What the description says is what is served: a linter reads it, and a fuzzer tries every operation that it names.
//!
//! Both look at the served document, so a route is covered as soon as it is described.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{ApiKey, Mode, Role};
use bellhop_store::KEYS_PER_ORGANISATION_MAX;
use hyper::Method;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use super::ground::{Ground, OPERATOR, webhook};
use crate::appointment::{ORGANISATION, SCHEDULED};
use crate::context::Context;
use crate::tree;

/// What the fuzzer draws from; printed, so that a failure can be had again.
const SEED: u32 = 7;

/// Requests that the fuzzer makes up for each operation, beside those that follow from the description alone.
const EXAMPLES_MAX: u32 = 10;

/// Longest time of one pass; some twenty seconds are enough where nothing else runs.
const PASS_TIMEOUT: Duration = Duration::from_secs(240);

/// What an answer is measured by.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

/// Paths to what is on record, which here is nothing: a fuzzer uses up deliveries faster than they can be made. They are
/// tried all the same, and answer only that there is no such thing; what they show when there is has cases of its own.
const OF_THE_LOG: [&str; 4] =
    ["/v1/deliveries/", "/v1/recoveries/", "/v1/events/", "POST /v1/webhooks/{id}/recoveries"];

/// How often each operation (`GET /v1/webhooks`) answered with each status.
type Outcomes = BTreeMap<String, BTreeMap<String, u32>>;

/// Somebody for whom the fuzzer asks.
struct Pass {
    who: &'static str,
    headers: Vec<String>,
    /// Operations that must never open to them.
    closed: &'static [&'static str],
}

/// Redocly's recommended rules: nothing to find, not even a warning.
pub async fn the_description_passes_a_linter(context: Context) -> Result<()> {
    context.tools().await?;
    let ground = Ground::prepare(&context).await?;
    let document = ground.api.call(Method::GET, "/openapi.json").expect(200).await?.text;
    let file = context.scratch_file("openapi.json", &document)?;
    let mut lint = Command::new("node");
    lint.arg(tree::tests("tools/lint.mjs")).arg(file);
    let (succeeded, told) = run(lint).await?;
    ensure!(succeeded, "the linter finds\n{told}");
    Ok(())
}

/// Schemathesis asks for every operation, with what the description allows and with what it does not: no answer is our
/// fault, and none is one that the description does not tell of. Each operation is also opened at least once, by an
/// administrator's key and by the operator, or the rest would show little.
pub async fn no_request_gets_an_answer_that_the_description_does_not_tell(context: Context) -> Result<()> {
    let python = context.tools().await?.join("python/bin");
    let ground = Ground::prepare_with(&context, &[("BELLHOP_WEBHOOKS_PER_ORGANISATION_MAX", "100")]).await?;
    let document = ground.api.call(Method::GET, "/openapi.json").expect(200).await?.body;
    let paths = document["paths"].as_object().context("the description has paths")?;
    let operations: Vec<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, _)| (method, path))
        })
        .map(|(method, path)| format!("{} {path}", method.to_uppercase()))
        .collect();
    // So near to the limit that it is met.
    for _ in 2..KEYS_PER_ORGANISATION_MAX {
        ground.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    }
    let live = ground.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    let original =
        ground.api.post(&live, "/v1/webhooks", &webhook("https://live.example/hook")).expect(201).await?;
    let source = format!("bellhop-source-authorization: {live}");
    let passes = [
        Pass {
            who: "an administrator",
            headers: vec![format!("authorization: {}", ground.key), source.clone()],
            closed: &["POST /v1/console/sign-ins"],
        },
        Pass {
            who: "the operator",
            headers: vec![
                format!("authorization: {OPERATOR}"),
                format!("bellhop-organisation: {ORGANISATION}"),
                "bellhop-mode: test".to_owned(),
                source,
            ],
            closed: &[],
        },
    ];
    let known = json!({
        "organisationId": ORGANISATION, "mode": "test", "from": original.text_of("id")?, "type": SCHEDULED,
    });
    for pass in passes {
        // Each registers what the description's examples say, and copies it.
        for webhook in ground.store.webhooks(&bellhop_store::WebhookFilter::default()).await? {
            if webhook.mode == Mode::Test {
                ground.store.remove_webhook(&webhook.id).await?;
            }
        }
        let outcomes = fuzz(&context, &ground, &python, &pass, &known.to_string()).await;
        let outcomes = outcomes.with_context(|| format!("as {}, SEED={SEED}", pass.who))?;
        for operation in &operations {
            let tried = outcomes.get(operation).with_context(|| format!("{operation} was not tried"))?;
            if OF_THE_LOG.iter().any(|path| operation.contains(path)) {
                continue;
            }
            let is_open = tried.keys().any(|status| status.starts_with('2'));
            ensure!(
                is_open != pass.closed.contains(&operation.as_str()),
                "{operation} answered {} only with {tried:?}, so little is shown: tests/tools/fuzz.py knows how to feed it",
                pass.who
            );
        }
    }
    Ok(())
}

async fn fuzz(
    context: &Context,
    ground: &Ground,
    python: &Path,
    pass: &Pass,
    known: &str,
) -> Result<Outcomes> {
    let key: ApiKey = ground.key.parse()?;
    // Also keeps what the fuzzer leaves behind in the throwaway folder.
    let outcomes: PathBuf = context.scratch_file("fuzz-outcomes.json", "{}")?;
    let mut command = Command::new(python.join("schemathesis"));
    command.arg("run").arg(ground.api.url().join("openapi.json")?.as_str());
    for header in &pass.headers {
        command.args(["--header", header]);
    }
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--continue-on-failure"]);
    command.args(["--seed", &SEED.to_string(), "--max-examples", &EXAMPLES_MAX.to_string()]);
    command.args(["--generation-database", "none", "--no-color", "--warnings", "off"]);
    command.env("SCHEMATHESIS_HOOKS", tree::tests("tools/fuzz.py")).env("FUZZ_MEMBERS", known);
    command.env("FUZZ_KEPT", key.id().as_str()).env("FUZZ_OUTCOMES", &outcomes);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(outcomes.parent().context("a file lies in a folder")?);
    let (succeeded, told) = run(command).await?;
    ensure!(succeeded, "schemathesis finds\n{told}");
    println!(
        "SEED={SEED} as {}: {}",
        pass.who,
        told.lines().rev().find(|line| !line.is_empty()).unwrap_or_default()
    );
    Ok(serde_json::from_str(&std::fs::read_to_string(&outcomes)?)?)
}

/// * returns whether it succeeded, and what it said.
async fn run(mut command: Command) -> Result<(bool, String)> {
    command.kill_on_drop(true);
    let output = timeout(PASS_TIMEOUT, command.output()).await;
    let output = output
        .with_context(|| format!("it takes more than {PASS_TIMEOUT:?}"))?
        .context("start the program")?;
    let told = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&told).into_owned()))
}
