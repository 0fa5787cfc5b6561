//! What the README tells a new user to do, with nothing but the program and curl: its own lines are run.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::caller::ApiProcess;
use crate::context::Context;
use crate::patience::eventually;
use crate::program::Program;
use crate::relay::Relay;
use crate::tree;
use crate::worker::Logs;

/// The part of the README that is about this.
const HEADING: &str = "## Manage webhooks over HTTP";

/// Where the README has the API and the receiver, which listen elsewhere here.
const API: &str = "http://127.0.0.1:8080";
const RECEIVER: &str = "http://127.0.0.1:8091/";

/// A key, a webhook, a test event, and the delivery as `bellhop listen` shows it.
pub async fn a_new_user_sees_a_test_event_arrive_by_curl_alone(context: Context) -> Result<()> {
    let site = context.site().await?;
    let program = site.operator.program();
    let api = ApiProcess::start(&site).await?;
    let _worker = site.worker().await?;
    let _recorder = site.recorder().await?;
    // Stands for the port that the README names, which may be taken here.
    let relay = Relay::open().await?;
    let mut lines = lines()?;
    for own in ["bellhop migrate", "bellhop api", "bellhop worker"] {
        next(&mut lines, own)?;
    }

    let create = next(&mut lines, "bellhop key create")?;
    let arguments: Vec<&str> = create.split_whitespace().skip(1).collect();
    let printed = program.run(&arguments).await?.succeeded()?.stdout;
    let key = printed.lines().find_map(|line| line.strip_prefix("key "));
    let user = User { api: api.url().to_owned(), key: key.context("the key is printed")?.trim().to_owned() };

    let register = next(&mut lines, "curl")?;
    ensure!(register.contains(RECEIVER), "it is registered where nobody listens: {register}");
    let webhook = user.follow(&register.replace(RECEIVER, &relay.url())).await?;
    let (id, secret) = (text(&webhook, "id")?, text(&webhook, "secret")?);
    let listening = next(&mut lines, "bellhop listen")?;
    ensure!(listening.contains("--port 8091") && listening.contains("--secret whsec_…"), "{listening}");
    let (shown, _listener) = listen(program, secret)?;
    let line = shown.await_line("listening on").await?;
    let address = line.trim_start_matches("listening on http://").parse().context("an address")?;
    relay.point(address);

    let send = next(&mut lines, "curl")?;
    ensure!(send.contains("wh_…"), "which webhook? {send}");
    let sent = user.follow(&send.replace("wh_…", id)).await?;
    ensure!(!lines.iter().any(|line| line.starts_with("curl")), "lines that nobody tries: {lines:?}");

    let head = shown.await_line(text(&sent, "id")?).await?;
    ensure!(head.contains("appointment.scheduled") && head.contains("attempt 1"), "{head}");
    ensure!(head.contains("test event: nothing happened"), "{head}");
    shown.await_line("signature verified, answered 200").await?;
    shown.await_line("\"patient\"").await?;
    let delivery =
        eventually("the delivery to be on record", async || site.operator.latest_delivery(id).await);
    ensure!(delivery.await?["id"] == sent["delivery"]);
    Ok(())
}

/// What the README has a user type, each on one line and without its comment.
fn lines() -> Result<VecDeque<String>> {
    let readme = std::fs::read_to_string(tree::repository().join("README.md"))?;
    let (_, part) = readme.split_once(HEADING).context("the README has no such heading")?;
    let (_, block) = part.split_once("```console\n").context("it shows no commands")?;
    let (block, _) = block.split_once("```").context("its commands end")?;
    let joined = block.replace("\\\n", " ");
    let typed = joined.lines().filter_map(|line| line.strip_prefix("$ "));
    Ok(typed.map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned()).collect())
}

/// Goes on to the next line that begins so.
fn next(lines: &mut VecDeque<String>, beginning: &str) -> Result<String> {
    loop {
        let line = lines.pop_front().with_context(|| format!("the README has no further `{beginning}`"))?;
        if line.starts_with(beginning) {
            return Ok(line);
        }
    }
}

/// Somebody with a key and curl.
struct User {
    api: String,
    key: String,
}

impl User {
    /// Types a line of the README that calls the API.
    async fn follow(&self, line: &str) -> Result<Value> {
        ensure!(line.contains(API), "it does not call the API: {line}");
        let line = line.replace(API, &self.api).replacen("curl", "curl --fail-with-body --max-time 60", 1);
        let mut shell = Command::new("bash");
        let output = shell.args(["-c", &line]).env("key", &self.key).output().await.context("run curl")?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {answer} {complaint}");
        serde_json::from_str(&answer).with_context(|| format!("{line} prints {answer}"))
    }
}

fn text<'v>(value: &'v Value, member: &str) -> Result<&'v str> {
    value[member].as_str().with_context(|| format!("no `{member}` in {value}"))
}

/// Starts a receiver; it ends with the returned child.
fn listen(program: &Program, secret: &str) -> Result<(Logs, tokio::process::Child)> {
    let arguments = ["listen", "--port", "0", "--secret", secret];
    let mut child = program.command(&arguments).spawn().context("start bellhop listen")?;
    let stdout = child.stdout.take().context("a receiver has a standard output")?;
    let logs = Logs::default();
    tokio::spawn(logs.clone().follow(stdout));
    Ok((logs, child))
}
