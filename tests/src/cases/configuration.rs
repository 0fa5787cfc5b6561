//! Mistakes in the configuration: refused before anything opens, all together, each with what was probably meant.

use anyhow::{Result, ensure};

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

async fn program(context: &Context) -> Result<Program> {
    let place = context.bare_place().await?;
    Ok(Program::new(&context.binary().await?, place.environment()))
}
