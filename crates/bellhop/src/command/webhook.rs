//! `bellhop webhook …`: manages webhooks from the shell.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use bellhop_model::{
    DisabledReason, EndpointUrl, EventType, Expansion, Mode, OrganisationId, PayloadLevel, Webhook,
    WebhookId, WebhookStatus, check_description,
};
use bellhop_store::{CacheReach, NewWebhook, Registered, Store, WebhookFilter};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::command::author::at_the_shell;
use crate::command::output::{Output, OutputArguments, moment};
use crate::command::sealing::ensure_keys_fit;
use crate::config::{Config, Needs};
use crate::failure::Failure;

/// What can be done to webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Register a webhook and print its secret.
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
    /// The full payload, or id-only: nothing but the appointment's id, and nothing can be expanded.
    #[arg(long, value_enum, default_value_t = Level::Full)]
    payload: Level,
    /// What a person calls it.
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// How much of an event is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Full,
    #[value(alias = "id_only")]
    IdOnly,
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
        WebhookCommand::Enable(arguments) => change(&store, Change::Enable, arguments).await,
        WebhookCommand::Disable(arguments) => change(&store, Change::Disable, arguments).await,
        WebhookCommand::Remove(arguments) => change(&store, Change::Remove, arguments).await,
    }
}

/// What a command does to one webhook.
enum Change {
    Enable,
    Disable,
    Remove,
}

/// Changes one webhook, on record as whoever is at the shell.
async fn change(store: &Store, change: Change, arguments: OneArguments) -> Result<(), Failure> {
    let OneArguments { id, output } = arguments;
    let Webhook { mode, organisation, .. } = store.webhook(&id).await.map_err(anyhow::Error::new)?;
    let author = at_the_shell();
    let organisation = store.organisation(mode, &organisation, &author);
    let written = match change {
        Change::Enable => organisation.enable_webhook(&id, None).await,
        Change::Disable => organisation.disable_webhook(&id, DisabledReason::Requested, None).await,
        Change::Remove => organisation.remove_webhook(&id, None).await,
    };
    let written = written.map_err(anyhow::Error::new)?;
    warn_unless_cached(written.cache);
    match (change, output.output) {
        (Change::Remove, Output::Text) => println!("removed {id}"),
        (Change::Remove, Output::Json) => println!("{}", json!({ "id": id.as_str(), "removed": true })),
        (Change::Enable | Change::Disable, _) => print(&written.value, output),
    }
    Ok(())
}

async fn add(store: &Store, config: &Config, arguments: AddArguments) -> Result<(), Failure> {
    let AddArguments { mode, organisation, url, events, expand, payload, description, output } = arguments;
    let refused = |problem: String| Failure::Request(problem);
    let url = EndpointUrl::parse(&url, mode).map_err(|error| refused(format!("--url: {error}")))?;
    url.check_port().map_err(|error| refused(format!("--url: {error}")))?;
    refuse_forbidden_literal(&url, config)?;
    check_description(&description).map_err(|error| refused(format!("--description: {error}")))?;
    let mut expansion = Expansion::default();
    for name in &expand {
        expansion.add(name).map_err(|error| refused(format!("--expand: {error}")))?;
    }
    let level = match payload {
        Level::Full => PayloadLevel::Full(expansion),
        Level::IdOnly if expand.is_empty() => PayloadLevel::IdOnly,
        Level::IdOnly => {
            return Err(refused("--payload id-only sends nothing that could be expanded: leave out --expand, or ask for --payload full".to_owned()));
        }
    };
    let event_types: BTreeSet<EventType> = events.into_iter().collect();
    for unknown in event_types.iter().filter(|event_type| config.catalogue.find(event_type).is_none()) {
        eprintln!("bellhop: note: the platform is not known to fire `{unknown}`; registered all the same");
    }
    let new = NewWebhook { mode, organisation, url, event_types, payload: level, description };
    let author = at_the_shell();
    let organisation = store.organisation(new.mode, &new.organisation, &author);
    ensure_keys_fit(store).await?;
    let written = organisation.create_webhook(&new).await;
    let written = written.map_err(anyhow::Error::new).context("failed to register the webhook")?;
    warn_unless_cached(written.cache);
    let Registered { webhook, secret } = written.value;
    match output.output {
        Output::Text => {
            print(&webhook, output);
            println!("secret        {}", secret.expose());
            println!(
                "Receivers verify signatures with the secret. Only the API tells it again, and puts that on record."
            );
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
    let mut filter = WebhookFilter { mode, organisation, ..WebhookFilter::default() };
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
    let expanded: Vec<&str> = webhook.payload.expansion().names().collect();
    println!("id            {}", webhook.id);
    println!("mode          {}", webhook.mode);
    println!("organisation  {}", webhook.organisation);
    println!("status        {}", status(webhook.status));
    println!("url           {}", webhook.url.expose());
    println!("events        {}", types.join(", "));
    println!("payload       {}", webhook.payload);
    println!(
        "expanded      {}",
        if expanded.is_empty() { "nothing".to_owned() } else { expanded.join(", ") }
    );
}

fn describe(webhook: &Webhook) -> Value {
    let (status, reason) = match webhook.status {
        WebhookStatus::Enabled => ("enabled", None),
        WebhookStatus::Disabled(reason) => ("disabled", Some(reason.as_str())),
    };
    json!({
        "id": webhook.id.as_str(),
        "mode": webhook.mode.as_str(),
        "organisation": webhook.organisation.as_str(),
        "url": webhook.url.expose(),
        "description": webhook.description,
        "events": webhook.event_types.iter().map(EventType::as_str).collect::<Vec<_>>(),
        "payload": webhook.payload.name(),
        "expand": webhook.payload.expansion().names().collect::<Vec<_>>(),
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
