//! `bellhop doctor`: what would make the fleet lossy is found, and the shipped policy mends it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::context::{Context, Site};
use crate::program::Program;

/// A policy that somebody else meant well with.
const LOSSY: &str = r#"{"overflow":"drop-head"}"#;

/// Sound, then under a foreign policy, then with ours above it.
pub async fn a_sound_fleet_passes_and_a_foreign_policy_does_not(context: Context) -> Result<()> {
    let site = context.site().await?;
    let (code, found) = examine(&site).await?;
    ensure!(code == Some(0) && problems(&found).is_empty(), "{found}");

    site.place.set_policy("lossy", ".*", 10, LOSSY).await?;
    let (code, found) = examine(&site).await?;
    let told = problems(&found);
    ensure!(
        code == Some(1) && told.iter().any(|what| what.contains("`overflow` to `drop-head`")),
        "{told:?}"
    );

    site.place.set_shipped_policy().await?;
    let (code, found) = examine(&site).await?;
    ensure!(code == Some(0) && problems(&found).is_empty(), "{found}");
    Ok(())
}

async fn examine(site: &Site) -> Result<(Option<i32>, Value)> {
    examine_as(site, site.operator.program()).await
}

/// Runs `bellhop doctor` with a management URL.
///
/// * returns its exit code, and what it found.
pub(crate) async fn examine_as(site: &Site, program: &Program) -> Result<(Option<i32>, Value)> {
    let management = site.place.addresses().management.clone();
    let program = program.clone().with("BELLHOP_RABBITMQ_MANAGEMENT_URL", &management);
    let finished = program.run(&["doctor", "--output", "json"]).await?;
    let found = serde_json::from_str(&finished.stdout).with_context(|| finished.stderr.clone())?;
    Ok((finished.code, found))
}

/// What it calls a problem.
pub(crate) fn problems(found: &Value) -> Vec<String> {
    let findings = found["findings"].as_array().cloned().unwrap_or_default();
    let told = findings.iter().filter(|finding| finding["mark"] == "problem");
    told.map(|finding| finding["what"].as_str().unwrap_or_default().to_owned()).collect()
}
