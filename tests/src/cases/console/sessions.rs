//! Who is signed in, until when, and what ends it.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Role};
use bellhop_store::Author;
use hyper::header::{ORIGIN, SET_COOKIE};

use super::ground::Console;
use crate::appointment::ORGANISATION;
use crate::context::Context;

const WEBHOOKS: &str = "/console/test/webhooks";

/// A link is looked at by programs that look ahead; only its button uses it up.
pub async fn a_link_opens_once_and_not_by_being_looked_at(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let token = console.token(ORGANISATION, Role::Developer).await?;
    let mut tab = console.tab();
    let link = format!("/console/sign-in?token={token}");
    for _ in 0..3 {
        tab.get(&link).await?.of(200)?.says(&["Continue to the console"])?;
        ensure!(tab.cookie().is_none());
    }
    let shown = tab.open_link(&token).await?.of(200)?;
    shown
        .says(&["Anna &lt;b&gt;Müller&lt;/b&gt;", "Developer", "Test Mode"])?
        .keeps_quiet_about(&["<b>M"])?;

    let mut late = console.tab();
    late.get(&link).await?.of(200)?;
    for token in [token.as_str(), "signin_AAAA", "x", "' OR 1=1"] {
        let refused = late.submit("/console/sign-in", &[("token", token)]).await?.of(401)?;
        refused.says(&["does not open any more"])?;
    }
    ensure!(late.cookie().is_none());
    late.get(WEBHOOKS).await?.of(303)?;
    Ok(())
}

/// The cookie, to the letter; and that nobody who knows an old token gets in by it.
pub async fn the_cookie_is_for_this_host_and_no_script_and_is_new_each_time(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let (key, _) = console.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let mut tab = console.tab();
    tab.get("/console/sign-in").await?.of(200)?;
    let shown = tab.submit("/console/sign-in", &[("key", &key)]).await?.of(303)?;
    let cookie = shown.header(SET_COOKIE.as_str()).to_owned();
    let (pair, attributes) = cookie.split_once("; ").context("attributes")?;
    ensure!(attributes == "Path=/; Secure; HttpOnly; SameSite=Strict", "{attributes}");
    let (name, token) = pair.split_once('=').context("a pair")?;
    ensure!(name == "bellhop-session" && token.len() == 43, "{pair}");

    let before = pair.to_owned();
    tab.sign_in(&key).await?.of(200)?;
    ensure!(tab.cookie() != Some(&before), "the token stayed when somebody signed in again");
    let mut old = console.tab();
    old.take_cookie(&before);
    old.get(WEBHOOKS).await?.of(303)?;
    let stored =
        console.alter(&format!("DELETE FROM bellhop.sessions WHERE hash = '\\x{}'", hex(token))).await?;
    ensure!(stored == 0, "the token itself is stored");
    Ok(())
}

/// The server forgets, whatever the browser still shows.
pub async fn signing_out_ends_the_session_here_and_not_only_in_the_browser(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Administrator).await?;
    let cookie = tab.cookie().context("a cookie")?.to_owned();
    let left = tab.submit("/console/sign-out", &[]).await?.of(303)?;
    ensure!(left.header(SET_COOKIE.as_str()).contains("Max-Age=0"));
    tab.follow(&left).await?.says(&["You are signed out."])?;
    ensure!(tab.cookie().is_none());
    tab.take_cookie(&cookie);
    tab.get(WEBHOOKS).await?.of(303)?;

    let organisation = ORGANISATION.parse()?;
    let organisation = console.store.organisation(Mode::Test, &organisation, &Author::SYSTEM);
    for action in ["sign_in.used", "session.ended"] {
        let filter = bellhop_store::AuditFilter {
            action: Some(action.to_owned()),
            limit: 10,
            ..bellhop_store::AuditFilter::default()
        };
        let entries = organisation.audit(&filter).await?;
        ensure!(entries.len() == 1 && entries[0].actor_kind == "user", "{action}: {entries:?}");
    }
    Ok(())
}

/// Both ends; and that a page which looks for what is new by itself keeps nobody signed in.
pub async fn a_session_ends_by_its_age_and_for_want_of_use(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Developer).await?;
    console.alter("UPDATE bellhop.sessions SET seen_at = now() - interval '29 minutes'").await?;
    tab.get_with(WEBHOOKS, &[("bellhop-refresh", "1")]).await?.of(200)?;
    let stale = console
        .alter("UPDATE bellhop.sessions SET begun_at = now() WHERE seen_at < now() - interval '28 minutes'");
    ensure!(stale.await? == 1, "a look for what is new counts as use");
    tab.get(WEBHOOKS).await?.of(200)?;
    let used = console.alter("UPDATE bellhop.sessions SET seen_at = now() - interval '31 minutes' WHERE now() - interval '1 minute' < seen_at");
    ensure!(used.await? == 1, "a look at a page does not count as use");
    tab.get_with(WEBHOOKS, &[("bellhop-refresh", "1")]).await?.of(401)?;
    let idle = tab.get(&format!("{WEBHOOKS}/wh_1")).await?.of(303)?;
    let back = idle.header("location");
    ensure!(back == "/console/sign-in?next=%2Fconsole%2Ftest%2Fwebhooks%2Fwh_1&done=session-ended", "{back}");
    tab.follow(&idle).await?.says(&["Your session has ended."])?;

    let mut tab = console.signed_in(Role::Developer).await?;
    console
        .alter("UPDATE bellhop.sessions SET expires_at = now() WHERE now() - interval '5 minutes' < seen_at")
        .await?;
    tab.get(WEBHOOKS).await?.of(303)?;
    Ok(())
}

/// A key is asked each time; one that is revoked in the middle of the work ends it.
pub async fn a_session_by_key_ends_with_the_key(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let (key, id) = console.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let (other, other_id) = console.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let organisation = ORGANISATION.parse()?;
    let organisation = console.store.organisation(Mode::Test, &organisation, &Author::SYSTEM);
    let mut tab = console.tab();
    tab.sign_in(&key).await?.of(200)?.says(&["Key “a case's”"])?;
    organisation.revoke_key(&id.parse()?).await?;
    tab.get(WEBHOOKS).await?.of(303)?;
    let refused = tab.submit("/console/sign-in", &[("key", &key)]).await?.of(401)?;
    refused.says(&["was revoked", "aria-invalid"])?.keeps_quiet_about(&[&key])?;

    tab.sign_in(&other).await?.of(200)?;
    console.alter(&format!("UPDATE bellhop.api_keys SET expires_at = now() WHERE id = '{other_id}'")).await?;
    tab.get(WEBHOOKS).await?.of(303)?;
    for key in ["", "test_1", "<script>", &format!("test_{}", "0".repeat(96))] {
        tab.submit("/console/sign-in", &[("key", key)]).await?.of(401)?;
    }
    Ok(())
}

/// A session opens what its holder's role does, and says which it is.
pub async fn other_roles_are_refused_with_the_reason(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.tab();
    let nurse = Role::Other("nurse".into());
    let shown = tab.open_link(&console.token(ORGANISATION, nurse.clone()).await?).await?.of(403)?;
    let shown = shown.says(&["<code>nurse</code>", "<code>administrator</code>", "Sign out"])?;
    shown.keeps_quiet_about(&["Add webhook"])?;
    for path in [WEBHOOKS, "/console/test/webhooks/new", "/console/live/webhooks"] {
        tab.get(path).await?.of(403)?;
    }
    tab.submit("/console/test/webhooks/new", &[("url", "https://a.example/")]).await?.of(403)?;
    let (key, _) = console.key(Mode::Live, ORGANISATION, nurse).await?;
    let mut by_key = console.tab();
    by_key.sign_in(&key).await?.of(403)?.says(&["nurse"])?;
    Ok(())
}

/// A form by which a stranger would sign somebody in to the stranger's own organisation.
pub async fn nobody_is_signed_in_by_another_sites_form(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let (key, _) = console.key(Mode::Test, ORGANISATION, Role::Developer).await?;
    let mut tab = console.tab();
    for headers in [
        vec![(ORIGIN.as_str(), "https://evil.example")],
        vec![(ORIGIN.as_str(), "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![],
    ] {
        tab.submit_as("/console/sign-in", &headers, &[("key", &key)]).await?.of(403)?;
        ensure!(tab.cookie().is_none(), "{headers:?}");
    }
    Ok(())
}

/// Who comes from another site shows no cookie at first; the page then asks again by itself, and once.
pub async fn a_link_on_another_site_leads_to_the_page(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut stranger = console.tab();
    let again = stranger.get_with(WEBHOOKS, &[("sec-fetch-site", "cross-site")]).await?.of(200)?;
    again.says(&["http-equiv=\"refresh\""])?;
    stranger.get_with(WEBHOOKS, &[("sec-fetch-site", "same-origin")]).await?.of(303)?;
    let mut tab = console.signed_in(Role::Developer).await?;
    tab.get_with(WEBHOOKS, &[("sec-fetch-site", "same-origin")]).await?.of(200)?.says(&["Webhooks"])?;
    Ok(())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
