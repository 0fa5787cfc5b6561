//! Mistakes in the configuration: refused before anything opens, all together, each with what was probably meant.

use anyhow::{Result, ensure};

use crate::appointment::ORGANISATION;
use crate::context::Context;
use crate::program::{Finished, Program};

/// The exit code for a configuration that cannot be.
const REFUSED: i32 = 2;

/// A variable one letter off.
pub async fn a_misspelt_variable_is_refused_with_the_right_one(context: Context) -> Result<()> {
    let program = program(&context).await?.with("BELLHOP_AMQP_ULR", "amqp://u:s3cret@host");
    let finished = program.run(&["worker"]).await?.ended_with(REFUSED)?;
    let finished = finished.complains_of(&["BELLHOP_AMQP_ULR", "BELLHOP_AMQP_URL"])?;
    ensure!(!finished.stderr.contains("s3cret"), "the value is told: {}", finished.stderr);
    Ok(())
}

/// A key one letter off, in a file.
pub async fn a_misspelt_key_is_refused_with_the_right_one(context: Context) -> Result<()> {
    let file = context.scratch_file("bellhop.toml", "[probes]\nlisen = \"127.0.0.1:0\"\n")?;
    let program = program(&context).await?.with("BELLHOP_CONFIG", &file.display().to_string());
    let finished = program.run(&["worker"]).await?.ended_with(REFUSED)?;
    finished.complains_of(&["lisen", "listen", "bellhop.toml"]).map(drop)
}

/// Nobody should mend five mistakes in five starts.
pub async fn all_problems_are_told_at_once(context: Context) -> Result<()> {
    let program = program(&context)
        .await?
        .without("BELLHOP_AMQP_URL")
        .with("BELLHOP_PROBES_LISTEN", "everywhere")
        .with("BELLHOP_RETRY_WAITS", "soon,later");
    let finished: Finished = program.run(&["worker"]).await?.ended_with(REFUSED)?;
    let problems = ["[amqp] url", "[probes] listen", "everywhere", "[retry] waits", "soon"];
    finished.complains_of(&problems).map(drop)
}

/// A file adds a type, which is then known like those that are built in; a wrong one names what is wrong with it.
pub async fn an_event_type_is_added_by_a_file(context: Context) -> Result<()> {
    let site = context.site().await?;
    let program = site.operator.program();
    let sample = r#"{"id":"vis_Sample","organisationId":"org_x"}"#;
    let entry = |event_type: &str| {
        format!(r#"[{{"type":"{event_type}","firesWhen":"A visit is signed.","sample":{sample}}}]"#)
    };
    let add = ["webhook", "add", "--mode", "test", "--organisation", ORGANISATION, "--event", "visit.signed"];
    let note = "not known to fire `visit.signed`";
    for (name, content, notes) in [("known.json", entry("visit.signed"), 0), ("other.json", entry("a.b"), 1)]
    {
        let file = context.scratch_file(name, &content)?;
        let url = format!("https://example.org/{name}");
        let informed = program.clone().with("BELLHOP_EVENT_TYPES_FILE", &file.display().to_string());
        let finished = informed.run(&[&add[..], &["--url", &url]].concat()).await?.succeeded()?;
        ensure!(finished.stderr.matches(note).count() == notes, "{name}: {}", finished.stderr);
    }
    let wrong = context.scratch_file("wrong.json", &entry("visit"))?;
    let misinformed = program.clone().with("BELLHOP_EVENT_TYPES_FILE", &wrong.display().to_string());
    let finished = misinformed.run(&["webhook", "list"]).await?.ended_with(REFUSED)?;
    finished.complains_of(&["[event_types] file", "wrong.json", "`visit`"]).map(drop)
}

async fn program(context: &Context) -> Result<Program> {
    let place = context.bare_place().await?;
    Ok(Program::new(&context.binary().await?, place.environment()))
}
