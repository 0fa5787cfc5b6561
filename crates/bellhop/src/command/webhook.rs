//! `bellhop webhook …`: manages webhooks from the shell.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use bellhop_model::{
    DisabledReason, EndpointUrl, EventType, Expansion, Mode, OrganisationId, Webhook, WebhookId,
    WebhookStatus,
};
use bellhop_store::{CacheReach, NewWebhook, Registered, Store, WebhookFilter};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Needs};
use crate::failure::Failure;

/// What can be done to webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Register a webhook and print its secret, once.
    Add(AddArguments),
    /// List webhooks.
    List(ListArguments),
    /// Show one webhook.
    Show(OneArguments),
    /// Deliver to it again.
    Enable(OneArguments),
    /// Stop delivering to it; what is queued for it ends as cancelled.
    Disable(OneArguments),
    /// Remove it for good; what is queued for it ends as cancelled.
    Remove(OneArguments),
}

/// What a webhook is registered with.
#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// live, or test for an organisation's staging system.
    #[arg(long)]
    mode: Mode,
    /// Whose webhook it is (org_…).
    #[arg(long)]
    organisation: OrganisationId,
    /// Where requests go: https, in test mode also http.
    #[arg(long)]
    url: String,
    /// An event type it wants; repeat for more.
    #[arg(long = "event", required = true, value_name = "TYPE")]
    events: Vec<EventType>,
    /// An object to send whole: patient, task or window; repeat for more.
    #[arg(long = "expand", value_name = "OBJECT")]
    expand: Vec<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which webhooks are listed.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only of this mode.
    #[arg(long)]
    mode: Option<Mode>,
    /// Only of this organisation.
    #[arg(long)]
    organisation: Option<OrganisationId>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which webhook.
#[derive(Debug, Args)]
pub(crate) struct OneArguments {
    /// Its id (wh_…).
    id: WebhookId,
    #[command(flatten)]
    output: OutputArguments,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
struct OutputArguments {
    /// text for people, json for scripts.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Carries a command out.
pub(super) async fn run(file: Option<&Path>, command: WebhookCommand) -> Result<(), Failure> {
    let config = Config::load(file, Needs::Store)?;
    let store = Store::open(&config.store()).map_err(anyhow::Error::new)?;
    match command {
        WebhookCommand::Add(arguments) => add(&store, &config, arguments).await,
        WebhookCommand::List(arguments) => list(&store, arguments).await,
        WebhookCommand::Show(OneArguments { id, output }) => {
            let webhook = store.webhook(&id).await.map_err(anyhow::Error::new)?;
            print(&webhook, output);
            Ok(())
        }
        WebhookCommand::Enable(OneArguments { id, output }) => {
            let written = store.enable_webhook(&id).await.map_err(anyhow::Error::new)?;
            warn_unless_cached(written.cache);
            print(&written.value, output);
            Ok(())
        }
        WebhookCommand::Disable(OneArguments { id, output }) => {
            let written =
                store.disable_webhook(&id, DisabledReason::Requested).await.map_err(anyhow::Error::new)?;
            warn_unless_cached(written.cache);
            print(&written.value, output);
            Ok(())
        }
        WebhookCommand::Remove(OneArguments { id, output }) => {
            let written = store.remove_webhook(&id).await.map_err(anyhow::Error::new)?;
            warn_unless_cached(written.cache);
            match output.output {
                Output::Text => println!("removed {id}"),
                Output::Json => println!("{}", json!({ "id": id.as_str(), "removed": true })),
            }
            Ok(())
        }
    }
}

async fn add(store: &Store, config: &Config, arguments: AddArguments) -> Result<(), Failure> {
    let AddArguments { mode, organisation, url, events, expand, output } = arguments;
    let refused = |problem: String| Failure::Request(problem);
    let url = EndpointUrl::parse(&url, mode).map_err(|error| refused(format!("--url: {error}")))?;
    refuse_forbidden_literal(&url, config)?;
    let mut expansion = Expansion::default();
    for name in &expand {
        expansion.add(name).map_err(|error| refused(format!("--expand: {error}")))?;
    }
    let event_types: BTreeSet<EventType> = events.into_iter().collect();
    for unknown in event_types.iter().filter(|event_type| !event_type.is_known()) {
        eprintln!("bellhop: note: the platform is not known to fire `{unknown}`; registered all the same");
    }
    let new = NewWebhook { mode, organisation, url, event_types, expansion };
    let written =
        store.add_webhook(new).await.map_err(anyhow::Error::new).context("failed to register the webhook")?;
    warn_unless_cached(written.cache);
    let Registered { webhook, secret } = written.value;
    match output.output {
        Output::Text => {
            print(&webhook, output);
            println!("secret        {}", secret.expose());
            println!("Note the secret now: it is not shown again. Receivers verify signatures with it.");
        }
        Output::Json => {
            let mut object = describe(&webhook);
            object["secret"] = Value::from(secret.expose());
            println!("{object}");
        }
    }
    Ok(())
}

/// An address that is never called is refused when it is registered, not three attempts later.
fn refuse_forbidden_literal(url: &EndpointUrl, config: &Config) -> Result<(), Failure> {
    let address = match url.host() {
        url::Host::Ipv4(address) => address.into(),
        url::Host::Ipv6(address) => address.into(),
        url::Host::Domain(_) => return Ok(()),
    };
    config.sender.allowed.admit(address).map_err(|error| {
        Failure::Request(format!(
            "--url: {error}: use a public address, or declare the network in `sender.allow_cidrs` for a trial"
        ))
    })
}

async fn list(store: &Store, arguments: ListArguments) -> Result<(), Failure> {
    let ListArguments { mode, organisation, output } = arguments;
    let mut filter = WebhookFilter { mode, organisation, after: None };
    let mut webhooks = Vec::new();
    loop {
        let page = store.webhooks(&filter).await.map_err(anyhow::Error::new)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id.clone());
        webhooks.extend(page);
    }
    match output.output {
        Output::Json => println!("{}", Value::Array(webhooks.iter().map(describe).collect())),
        Output::Text if webhooks.is_empty() => {
            println!("no webhooks; register one with `bellhop webhook add`");
        }
        Output::Text => {
            for webhook in &webhooks {
                let types: Vec<&str> = webhook.event_types.iter().map(EventType::as_str).collect();
                let status = status(webhook.status);
                let Webhook { id, mode, organisation, url, .. } = webhook;
                println!("{id}  {mode}  {status:<20}  {organisation}  {}  {}", url.expose(), types.join(","));
            }
        }
    }
    Ok(())
}

fn print(webhook: &Webhook, output: OutputArguments) {
    if output.output == Output::Json {
        println!("{}", describe(webhook));
        return;
    }
    let types: Vec<&str> = webhook.event_types.iter().map(EventType::as_str).collect();
    let expanded: Vec<&str> = webhook.expansion.names().collect();
    println!("id            {}", webhook.id);
    println!("mode          {}", webhook.mode);
    println!("organisation  {}", webhook.organisation);
    println!("status        {}", status(webhook.status));
    println!("url           {}", webhook.url.expose());
    println!("events        {}", types.join(", "));
    println!(
        "expanded      {}",
        if expanded.is_empty() { "nothing".to_owned() } else { expanded.join(", ") }
    );
}

fn describe(webhook: &Webhook) -> Value {
    let moment = |moment: time::OffsetDateTime| moment.format(&Rfc3339).unwrap_or_default();
    let (status, reason) = match webhook.status {
        WebhookStatus::Enabled => ("enabled", None),
        WebhookStatus::Disabled(reason) => ("disabled", Some(reason.as_str())),
    };
    json!({
        "id": webhook.id.as_str(),
        "mode": webhook.mode.as_str(),
        "organisation": webhook.organisation.as_str(),
        "url": webhook.url.expose(),
        "events": webhook.event_types.iter().map(EventType::as_str).collect::<Vec<_>>(),
        "expand": webhook.expansion.names().collect::<Vec<_>>(),
        "status": status,
        "disabledReason": reason,
        "version": webhook.version,
        "createdAt": moment(webhook.created_at),
        "updatedAt": moment(webhook.updated_at),
    })
}

fn status(status: WebhookStatus) -> String {
    match status {
        WebhookStatus::Enabled => "enabled".to_owned(),
        WebhookStatus::Disabled(reason) => format!("disabled ({reason})"),
    }
}

fn warn_unless_cached(cache: CacheReach) {
    if cache == CacheReach::Missed {
        eprintln!(
            "bellhop: note: written, but Redis was not reached; workers take the change from PostgreSQL within 5 s"
        );
    }
}
