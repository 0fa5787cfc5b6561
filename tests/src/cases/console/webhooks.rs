//! A webhook's life in the console.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Role;

use super::ground::Console;
use crate::appointment::SCHEDULED;
use crate::context::Context;

/// From the form to the deletion, and what is left of it.
pub async fn a_webhook_lives_from_its_form_to_its_deletion(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Developer).await?;
    tab.get("/console/test/webhooks").await?.of(200)?.says(&["There is no webhook yet.", "Add webhook"])?;
    let (id, secret) = console.add_webhook(&mut tab, "test", "https://a.example/hook?token=t0p").await?;
    let path = format!("/console/test/webhooks/{id}");
    let list = tab.get("/console/test/webhooks").await?.of(200)?;
    list.says(&["https://a.example", SCHEDULED, "Enabled", "None on record"])?
        .keeps_quiet_about(&["t0p", &secret])?;
    let shown = tab.get(&path).await?.of(200)?;
    let shown = shown.says(&["https://a.example/hook?token=t0p", "Copy to live", "Send test event"])?;
    let version = shown.keeps_quiet_about(&[&secret])?.field("version").context("a version")?;
    let revealed = tab.submit(&format!("{path}/reveal"), &[]).await?.of(200)?;
    revealed.says(&[&secret, "is on record"])?;

    let edit = format!("{path}/edit");
    tab.get(&edit).await?.of(200)?.says(&["value=\"https://a.example/hook?token=t0p\"", "checked"])?;
    let saved = tab.submit(&edit, &change(&version, "Staging")).await?.of(303)?;
    tab.follow(&saved).await?.says(&["Saved.", "Staging", "a.b", "<code>task</code>"])?;
    let overtaken = tab.submit(&edit, &change(&version, "Mine")).await?.of(412)?;
    let overtaken = overtaken.says(&["Somebody changed this webhook meanwhile", "value=\"Mine\""])?;
    let version = overtaken.field("version").context("a version")?;
    tab.submit(&edit, &change(&version, "Mine")).await?.of(303)?;

    let disable = format!("{path}/disable");
    let version =
        tab.get(&disable).await?.says(&["ends as cancelled"])?.field("version").context("a version")?;
    let disabled = tab.submit(&disable, &[("version", &version)]).await?.of(303)?;
    let disabled =
        tab.follow(&disabled).await?.says(&["Nothing is sent to this webhook.", "Somebody disabled it."])?;
    let version = disabled.field("version").context("a version")?;
    tab.submit(&format!("{path}/test-event"), &[("type", SCHEDULED)]).await?.of(409)?;
    let enabled = tab.submit(&format!("{path}/enable"), &[("version", &version)]).await?.of(303)?;
    tab.follow(&enabled).await?.says(&["Events from now on are delivered."])?;

    let delete = format!("{path}/delete");
    let version =
        tab.get(&delete).await?.says(&["cannot be taken back"])?.field("version").context("a version")?;
    let deleted = tab.submit(&delete, &[("version", &version)]).await?.of(303)?;
    tab.follow(&deleted).await?.says(&["are gone for good", "There is no webhook yet."])?;
    tab.get(&path).await?.of(404)?.says(&["There is no such thing", "Webhooks"])?;
    Ok(())
}

/// A browser sends a form again when its page is loaded again.
pub async fn a_form_that_is_sent_twice_does_its_work_once(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Developer).await?;
    let new = "/console/test/webhooks/new";
    let form = tab.get(new).await?.field("form").context("a form")?;
    let fields =
        [("form", form.as_str()), ("url", "https://a.example/"), ("events", SCHEDULED), ("payload", "full")];
    let first = tab.submit(new, &fields).await?.of(200)?;
    let again = tab.submit(new, &fields).await?.of(200)?;
    let secret = |shown: &crate::tab::Shown| shown.between("<code>whsec_", "<");
    ensure!(secret(&first)? == secret(&again)?);
    let path =
        format!("/console/test/webhooks/wh_{}", first.between("href=\"/console/test/webhooks/wh_", "\"")?);

    let rotate = format!("{path}/rotate");
    let version = tab.get(&rotate).await?.field("version").context("a version")?;
    let fields = [("version", version.as_str()), ("overlap", "3600")];
    let rotated = tab
        .submit(&rotate, &fields)
        .await?
        .of(200)?
        .says(&["The new secret", "The one before signs as well"])?;
    ensure!(secret(&rotated)? != secret(&first)?);
    tab.submit(&rotate, &fields).await?.of(412)?.says(&["It has changed meanwhile"])?;
    let revealed = tab.submit(&format!("{path}/reveal"), &[]).await?.of(200)?;
    revealed.says(&[&secret(&rotated)?, &secret(&first)?, "A secret from before"])?;
    for overlap in ["", "-1", "604801", "a"] {
        tab.submit(&rotate, &[("overlap", overlap)]).await?.of(422)?;
    }
    Ok(())
}

/// A form that changes everything.
fn change<'a>(version: &'a str, description: &'a str) -> [(&'a str, &'a str); 7] {
    [
        ("version", version),
        ("url", "https://b.example/"),
        ("description", description),
        ("events", SCHEDULED),
        ("others", "a.b"),
        ("payload", "full"),
        ("expand", "task"),
    ]
}
