//! Pages as such: what they carry, weigh and say when something is amiss.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Role;
use hyper::Method;

use super::ground::Console;
use crate::api::Call;
use crate::context::Context;

/// Another organisation's things are like what never was, for everybody and everything.
pub async fn what_is_another_organisations_is_not_found(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Administrator).await?;
    let (id, _) = console.add_webhook(&mut tab, "test", "https://a.example/").await?;
    let mut other = console.tab();
    other.open_link(&console.token("org_other", Role::Administrator).await?).await?.of(200)?;
    other.get("/console/test/webhooks").await?.keeps_quiet_about(&["https://a.example", &id])?;
    for path in [id.as_str(), "wh_00000000000000000000000000000000", "not-an-id", "%00", "..%2f.."] {
        let path = format!("/console/test/webhooks/{path}");
        let shown = other.get(&path).await?.of(404)?;
        shown.says(&["There is no such thing", "Anna"])?;
        for rest in ["/reveal", "/delete", "/enable"] {
            other.submit(&format!("{path}{rest}"), &[]).await?.of(404)?;
        }
    }
    tab.get(&format!("/console/test/webhooks/{id}")).await?.of(200)?;
    Ok(())
}

/// Refusals are pages in the console, and JSON beside it; each names its request.
pub async fn a_refusal_is_a_page_here_and_json_there(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.tab();
    let missing = tab.get("/console/nothing/of/the/kind").await?.of(404)?;
    ensure!(missing.text.contains(missing.header("x-request-id")), "{}", missing.text);
    tab.get("/console").await?.of(303)?;
    tab.submit("/console/test/webhooks", &[]).await?.of(405)?;
    tab.submit("/console/assets/style.css", &[]).await?.of(405)?;
    let mut tab = console.signed_in(Role::Developer).await?;
    let missing = tab.get("/console/nothing/of/the/kind").await?.of(404)?;
    ensure!(missing.text.contains(missing.header("x-request-id")), "{}", missing.text);
    Call::to(console.api.url(), Method::GET, "/consoles").expect(404).await?;
    // A cookie opens no part of the API, and a key no page.
    let (key, _) =
        console.key(bellhop_model::Mode::Test, crate::appointment::ORGANISATION, Role::Developer).await?;
    let cookie = tab.cookie().context("a cookie")?.to_owned();
    let call = Call::to(console.api.url(), Method::GET, "/v1/webhooks").header("cookie", &cookie);
    call.expect(401).await?;
    console.tab().get_with("/console/test/webhooks", &[("authorization", &key)]).await?.of(303)?;
    Ok(())
}

/// What pages refer to is there, light, kept for ever under its name, and of nobody else's.
pub async fn assets_are_light_and_kept_for_ever(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.tab();
    let page = tab.get("/console/sign-in").await?.of(200)?;
    let mut bytes = page.text.len();
    let mut names = Vec::new();
    for (before, media_type) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("type=\"module\" src=\"", "text/javascript; charset=utf-8"),
        ("type=\"image/svg+xml\" href=\"", "image/svg+xml"),
    ] {
        let path = page.between(before, "\"")?;
        let url = console.api.url().join(&path)?;
        let served = crate::http::get(url.as_str()).await?;
        ensure!(served.status == 200, "{path}: {}", served.status);
        let header =
            |name: &str| served.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(header("content-type") == media_type, "{path}");
        ensure!(header("cache-control") == "public, max-age=31536000, immutable", "{path}");
        ensure!(
            header("x-content-type-options") == "nosniff"
                && header("cross-origin-resource-policy") == "same-origin"
        );
        bytes += served.body.len();
        names.push(path);
    }
    ensure!(bytes < 100 * 1024, "the sign-in weighs {bytes} bytes");
    let style = names.first().context("a stylesheet")?;
    let (_, rest) = style.rsplit_once("style.").context("a name")?;
    let older = console.api.url().join(&style.replace(rest, "0000000000000000.css"))?;
    let served = crate::http::get(older.as_str()).await?;
    ensure!(
        served.status == 200 && served.headers["cache-control"] == "no-store",
        "an older page has no style"
    );
    tab.get("/console/assets/passwd").await?.of(404)?;
    Ok(())
}

/// A link made at the shell, for whoever operates the place.
pub async fn a_link_is_made_at_the_shell(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let program = console.site.operator.program();
    let address = console.api.url().as_str();
    let whose = ["--organisation", crate::appointment::ORGANISATION, "--address", address, "--user", "Zoë"];
    let made = program
        .run(&[&["console", "sign-in", "--role", "developer"][..], &whose].concat())
        .await?
        .succeeded()?;
    let (_, token) = made.stdout.trim().split_once("/console/sign-in?token=").context("a link")?;
    ensure!(made.stdout.starts_with(address), "{}", made.stdout);
    let mut tab = console.tab();
    tab.open_link(token).await?.of(200)?.says(&["Zoë", "Developer"])?;
    program.run(&[&["console", "sign-in", "--opens-for", "0"][..], &whose].concat()).await?.ended_with(2)?;
    Ok(())
}
