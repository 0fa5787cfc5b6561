//! Chromium, driven through the console by the programs of `tests/tools/browser`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::context::Context;
use crate::tree;

/// Longest walk, in a debug build on a busy machine. What a program waits for by itself it gives up much earlier, and says
/// what it was.
const WALK_TIMEOUT: Duration = Duration::from_secs(600);

/// The variable that asks for pictures of every page.
const PICTURES: &str = "BELLHOP_SCREENSHOTS";

/// Has a program walk through the console.
///
/// * `program`: the file's name, without its extension.
/// * `wishes`: what it needs to know; `origin` is where the console is.
/// * returns what it saw.
///
/// # Errors
/// With what it was looking for, and what each page showed instead.
pub async fn walk(context: &Context, program: &str, mut wishes: Value) -> Result<Value> {
    context.tools().await?;
    if std::env::var_os(PICTURES).is_some_and(|wanted| !wanted.is_empty()) {
        wishes["pictures"] = Value::from(pictures().display().to_string());
    }
    let mut command = Command::new("node");
    command.arg(tree::tests(&format!("tools/browser/{program}.mjs")));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start node")?;
    let mut stdin = child.stdin.take().context("node has a standard input")?;
    stdin.write_all(wishes.to_string().as_bytes()).await?;
    drop(stdin);
    let ended = timeout(WALK_TIMEOUT, child.wait_with_output()).await;
    let output = ended.with_context(|| format!("`{program}` did not end within {WALK_TIMEOUT:?}"))??;
    ensure!(output.status.success(), "`{program}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).with_context(|| format!("`{program}` prints JSON"))
}

/// Where pictures go when they are asked for.
fn pictures() -> PathBuf {
    tree::repository().join("target/screenshots")
}
