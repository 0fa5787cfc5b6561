//! What a person does at the command line, in words: register a webhook, publish, disable, remove.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::appointment::{APPOINTMENT, ORGANISATION, SCHEDULED};
use crate::place::Place;
use crate::program::{Finished, Program};

/// Somebody with a shell in a place.
#[derive(Debug, Clone)]
pub struct Operator {
    program: Program,
}

/// What a webhook is to be like.
#[derive(Debug, Clone)]
pub struct Registration<'a> {
    /// `live` or `test`.
    pub mode: &'a str,
    /// Where requests go.
    pub url: &'a str,
    /// Which event types it wants.
    pub event_types: &'a [&'a str],
    /// Which objects are sent whole.
    pub expanded: &'a [&'a str],
    /// `full` or `id-only`.
    pub payload: &'a str,
}

/// A registered webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// What it signs with.
    pub secret: String,
}

impl<'a> Registration<'a> {
    /// A webhook in Test Mode that wants `appointment.scheduled` and expands nothing.
    #[must_use]
    pub fn test(url: &'a str) -> Self {
        Self { mode: "test", url, event_types: &[SCHEDULED], expanded: &[], payload: "full" }
    }
}

impl Operator {
    /// Somebody who uses this binary in this place.
    #[must_use]
    pub fn new(binary: &Path, place: &Place) -> Self {
        Self { program: Program::new(binary, place.environment()) }
    }

    /// The program with the place's environment.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Makes the tables and the queues.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn prepare(&self) -> Result<()> {
        let tables = async { self.program.run(&["migrate"]).await?.succeeded().context("bellhop migrate") };
        let queues = async { self.program.run(&["topology"]).await?.succeeded().context("bellhop topology") };
        tokio::try_join!(tables, queues).map(drop)
    }

    /// Registers a webhook in Test Mode that wants `appointment.scheduled` and expands nothing.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn add_webhook(&self, url: &str) -> Result<Webhook> {
        self.register(&Registration::test(url)).await
    }

    /// Registers a webhook.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn register(&self, registration: &Registration<'_>) -> Result<Webhook> {
        let Registration { mode, url, event_types, expanded, payload } = registration;
        let mut arguments =
            vec!["webhook", "add", "--mode", mode, "--organisation", ORGANISATION, "--url", url];
        arguments.extend(event_types.iter().flat_map(|event_type| ["--event", event_type]));
        arguments.extend(expanded.iter().flat_map(|object| ["--expand", object]));
        arguments.extend(["--payload", payload, "--output", "json"]);
        let printed = self.program.run(&arguments).await?.succeeded().context("bellhop webhook add")?.stdout;
        serde_json::from_str(&printed).with_context(|| format!("`webhook add` prints no webhook: {printed}"))
    }

    /// Runs `bellhop webhook <verb> <id>`.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn change_webhook(&self, verb: &str, webhook: &Webhook) -> Result<Finished> {
        let arguments = ["webhook", verb, &webhook.id];
        self.program.run(&arguments).await?.succeeded().with_context(|| format!("bellhop webhook {verb}"))
    }

    /// What `bellhop webhook show` prints about a webhook.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn show_webhook(&self, webhook: &Webhook) -> Result<serde_json::Value> {
        let arguments = ["webhook", "show", &webhook.id, "--output", "json"];
        let printed = self.program.run(&arguments).await?.succeeded().context("bellhop webhook show")?.stdout;
        ensure!(!printed.contains(&webhook.secret), "`webhook show` repeats the secret");
        serde_json::from_str(&printed).context("`webhook show` prints JSON")
    }

    /// What `bellhop deliveries show` prints about the latest delivery to a webhook; nothing while none is on record.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn latest_delivery(&self, webhook: &str) -> Result<Option<serde_json::Value>> {
        let list = ["deliveries", "list", "--webhook", webhook, "--limit", "1", "--output", "json"];
        let listed = self.print_json(&list).await?;
        let Some(id) = listed["deliveries"][0]["id"].as_str() else { return Ok(None) };
        self.print_json(&["deliveries", "show", id, "--output", "json"]).await.map(Some)
    }

    async fn print_json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let printed = self.program.run(arguments).await?.succeeded()?.stdout;
        serde_json::from_str(&printed).with_context(|| format!("{arguments:?} prints JSON, not {printed}"))
    }

    /// Makes a key for the API.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn create_key(&self, mode: &str, role: &str) -> Result<String> {
        self.create_key_of(ORGANISATION, mode, role).await
    }

    /// The same for another organisation.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn create_key_of(&self, organisation: &str, mode: &str, role: &str) -> Result<String> {
        let create = ["key", "create", "--mode", mode, "--organisation", organisation, "--role", role];
        let made = self.print_json(&[&create[..], &["--output", "json"]].concat()).await?;
        made["key"].as_str().map(ToOwned::to_owned).context("`key create` prints the key")
    }

    /// Publishes [`APPOINTMENT`] as `appointment.scheduled` in Test Mode.
    ///
    /// # Errors
    /// With the program's own words.
    pub async fn publish_appointment(&self) -> Result<()> {
        self.publish("test", SCHEDULED, APPOINTMENT.as_bytes()).await?.succeeded().map(drop)
    }

    /// Runs `bellhop publish` with appointments on its standard input, one on each line.
    ///
    /// # Errors
    /// When it does not end; any exit code is an end.
    pub async fn publish(&self, mode: &str, event_type: &str, lines: &[u8]) -> Result<Finished> {
        self.program.run_with_input(&["publish", "--mode", mode, "--type", event_type, "-"], lines).await
    }
}
