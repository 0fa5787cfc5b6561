//! Live and test in the console: the path decides, and they never meet.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Mode, Role};

use super::ground::Console;
use crate::appointment::ORGANISATION;
use crate::context::Context;

/// Two tabs of one session, one in each mode.
pub async fn the_path_decides_the_mode_and_nothing_of_the_other_is_seen(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Administrator).await?;
    let (test, _) = console.add_webhook(&mut tab, "test", "https://test.example/hook").await?;
    let (live, _) = console.add_webhook(&mut tab, "live", "https://live.example/hook").await?;
    let shown = tab.get("/console/test/webhooks").await?.of(200)?;
    let shown = shown.says(&["https://test.example", "nothing here touches live", "Test Mode · Bellhop"])?;
    shown.keeps_quiet_about(&["https://live.example"])?;
    let shown = tab.get("/console/live/webhooks").await?.of(200)?;
    let shown = shown.says(&["https://live.example", "real patients", "live · Bellhop"])?;
    shown.keeps_quiet_about(&["https://test.example"])?;
    for (mode, foreign) in [("test", &live), ("live", &test)] {
        for rest in ["", "/edit", "/copy", "/rotate", "/disable", "/delete"] {
            tab.get(&format!("/console/{mode}/webhooks/{foreign}{rest}")).await?.of(404)?;
        }
        for rest in ["/edit", "/copy", "/rotate", "/disable", "/delete", "/enable", "/reveal", "/test-event"]
        {
            let fields = [("overlap", "0"), ("type", "appointment.scheduled"), ("url", "https://c.example/")];
            let answered = tab.submit(&format!("/console/{mode}/webhooks/{foreign}{rest}"), &fields).await?;
            ensure!(answered.status == 404 || (rest == "/edit" && answered.status == 422), "{rest}");
        }
    }
    for path in
        ["/console/both/webhooks", "/console/TEST/webhooks", "/console/test/webhooks/x", "/console/x/y/z"]
    {
        let shown = tab.get(path).await?;
        ensure!(shown.status == 404, "{path} answered {}", shown.status);
    }
    Ok(())
}

/// A key opens its own mode; the switch asks for one of the other, which must be of the same organisation.
pub async fn a_key_opens_one_mode_and_another_key_joins_it(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let (test, _) = console.key(Mode::Test, ORGANISATION, Role::Administrator).await?;
    let (live, live_id) = console.key(Mode::Live, ORGANISATION, Role::Developer).await?;
    let (foreign, _) = console.key(Mode::Live, "org_other", Role::Administrator).await?;
    let mut tab = console.tab();
    tab.sign_in(&test).await?.of(200)?;
    let (webhook, _) = console.add_webhook(&mut tab, "test", "https://test.example/hook").await?;
    let copy = format!("/console/test/webhooks/{webhook}/copy");
    tab.get(&copy).await?.of(200)?.says(&["a key opens one mode", "Add a key for live"])?;
    tab.submit(&copy, &[("url", "https://live.example/")]).await?.of(403)?;
    let switched = tab.get("/console/live/webhooks").await?.of(303)?;
    tab.follow(&switched).await?.of(200)?.says(&["A key for live", "<code>live_</code>"])?;
    let join = [("mode", "live"), ("next", "/console/live/webhooks")];
    for (key, reason) in [(&test, "one for live mode is needed"), (&foreign, "another organisation")] {
        let refused =
            tab.submit("/console/sign-in", &[&join[..], &[("key", key)]].concat()).await?.of(401)?;
        refused.says(&[reason])?;
    }
    let before = tab.cookie().context("a cookie")?.to_owned();
    let joined = tab.submit("/console/sign-in", &[&join[..], &[("key", &live)]].concat()).await?.of(303)?;
    ensure!(tab.cookie() != Some(&before), "the token stayed although it opens more");
    tab.follow(&joined).await?.of(200)?.says(&["Developer", "real patients"])?;
    tab.get("/console/test/webhooks").await?.of(200)?.says(&["Administrator", "https://test.example"])?;
    tab.get(&copy).await?.of(200)?;
    let copied = tab.submit(&copy, &[("url", "https://live.example/")]).await?.of(303)?;
    tab.follow(&copied).await?.of(200)?.says(&["Copied.", "https://live.example/"])?;

    let organisation = ORGANISATION.parse()?;
    let organisation = console.store.organisation(Mode::Live, &organisation, &bellhop_store::Author::SYSTEM);
    organisation.revoke_key(&live_id.parse()?).await?;
    tab.get("/console/live/webhooks").await?.of(303)?;
    tab.get("/console/test/webhooks").await?.of(200)?;
    Ok(())
}
