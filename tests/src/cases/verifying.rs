//! The receivers that the console shows to people do what they are shown for: each runs, is sent real deliveries, and
//! then what no receiver may take.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{EventId, Secret, Signer, SigningSecret};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::process::Command;
use url::Url;

use crate::appointment::COLLAPSED;
use crate::context::Context;
use crate::foreign::Foreign;
use crate::http;
use crate::operator::Webhook;
use crate::patience::within;
use crate::relay::Relay;
use crate::tree;

/// Where they lie.
const FOLDER: &str = "crates/api/src/console/receivers";

/// Each receiver, and what runs it from its file.
const RECEIVERS: [(&str, &[&str]); 5] = [
    ("Receiver.java", &["java"]),
    ("receiver.mjs", &["node"]),
    ("receiver.php", &["php", "-S", "127.0.0.1:0"]),
    ("receiver.py", &["python3"]),
    ("receiver.rb", &["ruby"]),
];

/// How old a request may be, as the receivers and Standard Webhooks have it.
const TOLERANCE_SECONDS: i64 = 5 * 60;

/// One receiver that runs for a webhook of its own.
struct Shown {
    name: &'static str,
    foreign: Foreign,
    webhook: Webhook,
    _relay: Relay,
}

/// Something to send to a receiver.
struct Signed {
    id: &'static str,
    timestamp: String,
    signature: String,
    body: String,
}

/// Whatever the worker sends is taken; a changed byte, an old or early request, another secret and half a request are not.
pub async fn each_receiver_that_is_shown_takes_what_was_signed_and_refuses_the_rest(
    context: Context,
) -> Result<()> {
    ensure_all_are_tried()?;
    context.tools().await?;
    let site = context.site().await?;
    let mut receivers = Vec::new();
    for (name, interpreter) in RECEIVERS {
        let relay = Relay::open().await?;
        let webhook = site.operator.add_webhook(&relay.url()).await?;
        let foreign = start(name, interpreter, &webhook).await.with_context(|| format!("start {name}"))?;
        relay.point(foreign.address());
        receivers.push(Shown { name, foreign, webhook, _relay: relay });
    }
    let worker = site.worker().await?;

    site.operator.publish_appointment().await?;

    for receiver in &receivers {
        receiver.foreign.printed().await_line("verified evt_").await.context(receiver.name)?;
    }
    site.ensure_nothing_owed(worker).await?;
    for receiver in &receivers {
        receiver.judge().await.context(receiver.name)?;
    }
    Ok(())
}

/// A receiver that nobody runs here would be shown without anybody knowing whether it works.
fn ensure_all_are_tried() -> Result<()> {
    let entries = std::fs::read_dir(tree::repository().join(FOLDER)).context("list the receivers")?;
    let shown: BTreeSet<String> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
    let tried = RECEIVERS.map(|(name, _)| name.to_owned()).into();
    ensure!(shown == tried, "shown are {shown:?}, tried are {tried:?}");
    Ok(())
}

async fn start(name: &str, interpreter: &[&str], webhook: &Webhook) -> Result<Foreign> {
    let (program, arguments) = interpreter.split_first().context("an interpreter")?;
    let mut command = Command::new(program);
    command.args(arguments).arg(receiver_file(name)).stdin(Stdio::null());
    command.env("WEBHOOK_SECRET", &webhook.secret).env("PORT", "0");
    Foreign::start(command).await
}

fn receiver_file(name: &str) -> PathBuf {
    tree::repository().join(Path::new(FOLDER)).join(name)
}

impl Shown {
    async fn judge(&self) -> Result<()> {
        let ours = || -> Result<SigningSecret> { Ok(self.webhook.secret.parse::<Secret>()?.into()) };
        let other = || SigningSecret::from(Secret::from_random(&[7; 32]));
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let sound = || Signed::by(&[ours()?], now);
        let old = now - TOLERANCE_SECONDS - 60;
        let early = now + TOLERANCE_SECONDS + 60;

        self.expect(204, "what was signed", sound()?).await?;
        self.expect(204, "two signatures", Signed::by(&[other(), ours()?], now)?).await?;
        let unknown =
            |signed: Signed| Signed { signature: format!("v1a,x {} v2,y", signed.signature), ..signed };
        self.expect(204, "versions of signatures to come", unknown(sound()?)).await?;
        self.expect(204, "a request of a minute ago", Signed::by(&[ours()?], now - 60)?).await?;

        self.expect(401, "another secret", Signed::by(&[other()], now)?).await?;
        self.expect(401, "an old request", Signed::by(&[ours()?], old)?).await?;
        self.expect(401, "a request of the future", Signed::by(&[ours()?], early)?).await?;
        let body = COLLAPSED.replacen("scheduled", "scheduleD", 1);
        self.expect(401, "a changed byte", Signed { body, ..sound()? }).await?;
        let body = format!("{COLLAPSED}\n");
        self.expect(401, "a byte too many", Signed { body, ..sound()? }).await?;
        self.expect(401, "another id", Signed { id: "evt_other", ..sound()? }).await?;
        let timestamp = (now - 1).to_string();
        self.expect(401, "another timestamp", Signed { timestamp, ..sound()? }).await?;
        for timestamp in ["", "soon", "-1", "1e9", "99999999999999999999999999", "\u{b2}"] {
            let timestamp = timestamp.to_owned();
            self.expect(401, "no timestamp", Signed { timestamp, ..sound()? }).await?;
        }
        for signature in ["", "v1,", "v1,AAAA", "\u{e9}"] {
            let signature = signature.to_owned();
            self.expect(401, "no signature", Signed { signature, ..sound()? }).await?;
        }
        let bare = Request::post("/").body(Full::from(COLLAPSED))?;
        ensure!(self.send(bare).await? == 401, "a request without headers is taken");
        self.expect(204, "what was signed, after all that", sound()?).await
    }

    async fn expect(&self, status: u16, what: &str, signed: Signed) -> Result<()> {
        let request = Request::post("/webhooks")
            .header("content-type", "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp.as_bytes())
            .header("webhook-signature", signed.signature.as_bytes())
            .body(Full::from(signed.body))?;
        let answered = self.send(request).await.with_context(|| what.to_owned())?;
        ensure!(answered == status, "{what} is answered with {answered}:\n{}", self.foreign.printed().tail());
        Ok(())
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<u16> {
        let url: Url = format!("http://{}", self.foreign.address()).parse()?;
        let response = within("a receiver to answer", http::send(&url, request)).await??;
        Ok(response.status().as_u16())
    }
}

impl Signed {
    /// A request as the worker makes it.
    fn by(secrets: &[SigningSecret], timestamp: i64) -> Result<Self> {
        let id = "evt_signed-by-hand";
        let event: EventId = id.parse()?;
        let signature = Signer::new(secrets).sign(&event, timestamp, COLLAPSED.as_bytes());
        Ok(Self {
            id,
            timestamp: timestamp.to_string(),
            signature: signature.as_str().to_owned(),
            body: COLLAPSED.to_owned(),
        })
    }
}
