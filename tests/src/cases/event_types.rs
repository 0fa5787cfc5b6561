//! What the API tells of event types.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::appointment::ORGANISATION;
use crate::caller::ApiProcess;
use crate::context::Context;

/// The five of the guide, and one that a file adds.
pub async fn event_types_are_told_with_when_they_fire_and_a_sample(context: Context) -> Result<()> {
    let site = context.site().await?;
    let added = r#"[{"type":"visit.signed","firesWhen":"A visit is signed.","sample":{"id":"vis_1","organisationId":"org_x","n":1.50}}]"#;
    let file = context.scratch_file("event-types.json", added)?;
    let informed =
        site.operator.program().clone().with("BELLHOP_EVENT_TYPES_FILE", &file.display().to_string());
    let api = ApiProcess::start_as(&site, &informed).await?;
    let developer = api.caller(&site, "test", "developer").await?;

    let listed = developer.get("/v1/event-types").await?.of(200)?;
    let types = listed.body["data"].as_array().context("a list")?;
    let names: Vec<&str> = types.iter().filter_map(|known| known["type"].as_str()).collect();
    let expected = ["created", "scheduled", "updated", "completed", "cancelled"];
    let mut expected: Vec<String> = expected.iter().map(|verb| format!("appointment.{verb}")).collect();
    expected.push("visit.signed".to_owned());
    ensure!(names == expected, "{names:?}");
    for known in types {
        ensure!(known["firesWhen"].as_str().is_some_and(|text| text.ends_with('.')), "{known}");
        let [sample, expanded] = ["sample", "expandedSample"].map(|form| &known[form]["data"]);
        ensure!(sample["organisationId"] == ORGANISATION, "{known}");
        if known["type"] != "visit.signed" {
            let members = |object: &Value| object.as_object().map_or(0, serde_json::Map::len);
            ensure!(members(&sample["patient"]) == 1 && members(&expanded["patient"]) > 5, "{known}");
        }
    }
    let one = developer.get("/v1/event-types/visit.signed").await?.of(200)?;
    let text = format!(r#""sample":{{"data":{{"id":"vis_1","organisationId":"{ORGANISATION}","n":1.50}}}}"#);
    ensure!(one.text.contains(&text), "a sample is told as it was written: {}", one.text);
    for unknown in ["visit.unsigned", "visit", "%00"] {
        developer.get(&format!("/v1/event-types/{unknown}")).await?.of(404)?;
    }
    Ok(())
}
