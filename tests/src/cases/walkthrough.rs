//! What the README tells a new user to do, with nothing but the program and curl.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::caller::ApiProcess;
use crate::context::Context;
use crate::program::Program;
use crate::relay::Relay;
use crate::worker::Logs;

/// A key, a webhook, a test event, and the delivery as `bellhop listen` shows it.
pub async fn a_new_user_sees_a_test_event_arrive_by_curl_alone(context: Context) -> Result<()> {
    let site = context.site().await?;
    let api = ApiProcess::start(&site).await?;
    let _worker = site.worker().await?;
    let _recorder = site.recorder().await?;
    // Stands for the port that the README names, which may be taken here.
    let relay = Relay::open().await?;

    let printed = site.operator.program().run(&KEY).await?.succeeded()?.stdout;
    let key = printed.lines().find_map(|line| line.strip_prefix("key "));
    let user = User { api: api.url().to_owned(), key: key.context("the key is printed")?.trim().to_owned() };
    let types = user.curl("/v1/event-types", None).await?;
    ensure!(types["data"][1]["type"] == "appointment.scheduled", "{types}");

    let wish = json!({ "url": relay.url(), "events": ["appointment.scheduled"] });
    let webhook = user.curl("/v1/webhooks", Some(wish)).await?;
    let (id, secret) = (text(&webhook, "id")?, text(&webhook, "secret")?);
    let (shown, _listener) = listen(site.operator.program(), secret)?;
    let listening = shown.await_line("listening on").await?;
    let address = listening.trim_start_matches("listening on http://").parse().context("an address")?;
    relay.point(address);

    let path = format!("/v1/webhooks/{id}/test-events");
    let sent = user.curl(&path, Some(json!({ "type": "appointment.scheduled" }))).await?;

    let head = shown.await_line(text(&sent, "id")?).await?;
    ensure!(head.contains("appointment.scheduled") && head.contains("attempt 1"), "{head}");
    ensure!(head.contains("test event: nothing happened"), "{head}");
    shown.await_line("signature verified, answered 200").await?;
    shown.await_line("\"patient\"").await?;
    let delivery = crate::patience::eventually("the delivery to be on record", async || {
        site.operator.latest_delivery(id).await
    });
    ensure!(delivery.await?["id"] == sent["delivery"]);
    Ok(())
}

const KEY: [&str; 6] =
    ["key", "create", "--mode", "test", "--organisation", crate::appointment::ORGANISATION];

/// Somebody with a key and curl.
struct User {
    api: String,
    key: String,
}

impl User {
    /// * `body`: what is sent; without it something is read.
    async fn curl(&self, path: &str, body: Option<Value>) -> Result<Value> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "60"]);
        command.args(["-H", &format!("Authorization: {}", self.key)]);
        if let Some(body) = body {
            command.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        let output = command.arg(format!("{}{path}", self.api)).output().await.context("run curl")?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "curl {path}: {answer} {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&answer).with_context(|| format!("curl {path} prints {answer}"))
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
