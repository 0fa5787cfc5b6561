//! One delivery, as its pages tell it: what happened, what was sent, and sending it again.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{Decided, Records, micros_of};
use hyper::header::ORIGIN;
use time::{Duration, OffsetDateTime};

use super::logged::{Logged, listed};
use crate::amqp::Message;
use crate::appointment::{APPOINTMENT, COLLAPSED, SCHEDULED};
use crate::context::Context;
use crate::patience::eventually;
use crate::receiver::Answer;

/// What every page says about health data goes for these: nothing is seen that was not asked for, on record.
pub async fn a_payload_is_shown_when_asked_for_and_that_is_on_record(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, made) = logged.failed("evt-1", APPOINTMENT).await?;
    let page = format!("/console/test/deliveries/{}", told.addressed.delivery);
    let detail = logged.tab.get(&page).await?.of(200)?;
    let detail = detail.says(&[
        "Attempt 1 of 3",
        "500",
        "View payload",
        "Attempt 2 of 3",
        "apt_0JtGSvLh2oKx3fWcYq",
    ])?;
    detail.keeps_quiet_about(&["t0ken", "Venepuncture", "practitioner"])?;
    let reveal = format!("{page}/requests/{}/reveal", made.request);
    logged.tab.get(&reveal).await?.of(405)?;
    ensure!(logged.acts("payload.viewed").await?.is_empty(), "who only looks at the page has viewed nothing");

    let shown = logged.tab.submit(&reveal, &[]).await?.of(200)?;
    let body =
        COLLAPSED.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let shown =
        shown.says(&[&body, "webhook-signature: v1,c2lnbmVk", "&quot;sys&quot;: 112.50", "--data-raw '{"])?;
    let shown = shown.says(&["https://hooks.example/t0ken", "curl --globoff"])?;
    ensure!(shown.header("cache-control") == "no-store", "{shown:?}");
    let viewed = [(told.addressed.delivery.to_string(), "user".to_owned())];
    ensure!(logged.acts("payload.viewed").await? == viewed, "{:?}", logged.acts("payload.viewed").await?);

    logged.console.alter("UPDATE events SET expunged_at = now(), expunged_by = 'a case'").await?;
    logged.console.alter("DELETE FROM payloads").await?;
    logged.tab.submit(&reveal, &[]).await?.of(410)?.says(&["The payload is gone"])?;
    ensure!(logged.acts("payload.viewed").await?.len() == 2, "who looks in vain has looked");
    let unknown = format!("{page}/requests/00000000-0000-7000-8000-000000000000/reveal");
    logged.tab.submit(&unknown, &[]).await?.of(404)?;
    logged.tab.submit(&format!("{page}/requests/x/reveal"), &[]).await?.of(404)?;
    ensure!(logged.acts("payload.viewed").await?.len() == 2);
    Ok(())
}

/// Each form of these pages, sent in each way that is not the session's own.
pub async fn a_form_that_is_not_ours_shows_and_sends_nothing(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, made) = logged.failed("evt-1", APPOINTMENT).await?;
    logged.exhausted(1).await?;
    let fields = [("since", "2020-01-01T00:00"), ("states", "exhausted"), ("pace", "1"), ("force", "on")];
    let page = format!("/console/test/deliveries/{}", told.addressed.delivery);
    let begun = logged.tab.submit(&logged.path("/recover"), &fields).await?.of(303)?;
    let recovery = begun.header("location").split('?').next().context("a recovery")?.to_owned();
    let (origin, csrf) = (logged.tab.origin(), logged.tab.csrf().to_owned());
    let (ours, evil) = ((ORIGIN.as_str(), origin.as_str()), (ORIGIN.as_str(), "https://evil.example"));
    for path in [
        format!("{page}/requests/{}/reveal", made.request),
        format!("{page}/redeliver"),
        logged.path("/recover"),
        format!("{recovery}/cancel"),
    ] {
        for (headers, csrf) in
            [(vec![ours], ""), (vec![ours], "AAAA"), (vec![evil], csrf.as_str()), (vec![], &csrf)]
        {
            let fields = [&fields[..], &[("csrf", csrf)]].concat();
            let refused = logged.tab.submit_as(&path, &headers, &fields).await?.of(403)?;
            refused.keeps_quiet_about(&["Zo", "webhook-signature"])?;
        }
    }
    for action in ["payload.viewed", "delivery.redelivered", "recovery.cancelled"] {
        ensure!(logged.acts(action).await?.is_empty(), "{action}");
    }
    ensure!(logged.acts("recovery.begun").await?.len() == 1);
    Ok(())
}

/// Three attempts fail; somebody asks twice, and the endpoint gets the same event once more.
pub async fn a_delivery_is_made_again_when_that_is_confirmed(context: Context) -> Result<()> {
    let receiver = context.receiver().await?;
    let failures = vec![Answer::status(500), Answer::status(500), Answer::status(500), Answer::status(200)];
    let endpoint = receiver.endpoint_in_turn("hook", failures);
    let mut logged = Logged::prepare_at(&context, &endpoint.url).await?;
    let site = &logged.console.site;
    let (worker, _recorder) = tokio::try_join!(site.worker(), site.recorder())?;
    site.amqp().await?.publish(&Message::event("test", SCHEDULED, "evt-again", APPOINTMENT)).await?;
    let exhausted = await_listed(&logged, "exhausted").await?;
    let page = format!("/console/test/deliveries/{exhausted}");
    let confirm = logged.tab.get(&format!("{page}/redeliver")).await?.of(200)?;
    confirm.says(&["method=\"post\"", "once more"])?.keeps_quiet_about(&["name=\"force\""])?;
    ensure!(endpoint.requests().len() == 3, "asking whether to is not asking to");

    let asked = logged.tab.submit(&format!("{page}/redeliver"), &[]).await?.of(303)?;
    logged.tab.follow(&asked).await?.of(200)?.says(&[
        "Another series of three attempts",
        "Series 2",
        "Manual",
    ])?;
    let requests = endpoint.await_requests(4).await?;
    ensure!(requests.iter().all(|request| request.webhook_id() == "evt-again"), "{requests:?}");
    ensure!(await_listed(&logged, "delivered").await? == exhausted);
    let look = async || {
        let shown = logged.tab.clone().get_with(&page, &[("bellhop-refresh", "1")]).await?.of(200)?;
        Ok((shown.text.matches("View payload").count() == 4).then_some(shown))
    };
    let shown = eventually("four requests on the page", look).await?;
    let shown = shown.says(&[
        "asked for by Anna &lt;b&gt;Müller&lt;/b&gt;",
        "Delivered",
        "data-says=\"delivered\"",
    ])?;
    shown.keeps_quiet_about(&["data-refresh"])?;
    ensure!(logged.acts("delivery.redelivered").await? == [(exhausted.clone(), "user".to_owned())]);

    logged.tab.get(&logged.path("")).await?.of(200)?;
    let version = logged.tab.get(&logged.path("/disable")).await?.field("version").unwrap_or_default();
    logged.tab.submit(&logged.path("/disable"), &[("version", &version)]).await?.of(303)?;
    let refused = logged.tab.submit(&format!("{page}/redeliver"), &[("force", "on")]).await?.of(409)?;
    refused.says(&["The webhook is disabled", "role=\"alert\""])?;
    site.ensure_nothing_owed(worker).await
}

/// One is under way: another beside it is begun only by who insists.
pub async fn a_series_under_way_is_not_begun_beside_unless_somebody_insists(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, _) = logged.failed("evt-1", APPOINTMENT).await?;
    let path = format!("/console/test/deliveries/{}/redeliver", told.addressed.delivery);
    logged.tab.get(&path).await?.of(200)?.says(&["name=\"force\"", "from both"])?;
    let refused = logged.tab.submit(&path, &[]).await?.of(409)?;
    refused.says(&["It is under way", "name=\"force\""])?;
    logged.tab.submit(&path, &[("force", "on")]).await?.of(303)?;
    ensure!(logged.acts("delivery.redelivered").await?.len() == 1);
    logged.tab.submit(&path, &[("force", "on")]).await?.of(409)?.says(&["asked for already"])?;
    Ok(())
}

/// What each state says about what comes next, in the list and on the page.
pub async fn what_comes_next_is_told_by_state(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, now) = (logged.told("evt-later", APPOINTMENT)?, OffsetDateTime::now_utc());
    let mut made = told.attempt(now, "timed_out");
    (made.status, made.timing.head_us) = (None, None);
    made.verdict = Decided::Retry { at_us: micros_of(now + Duration::minutes(30)) };
    let mut records = Records::default();
    records.push_attempt(&made);
    logged.record(records).await?;
    let page = format!("/console/test/deliveries/{}", told.addressed.delivery);
    for path in [logged.path("/events"), page.clone()] {
        let shown = logged.tab.get(&path).await?.of(200)?;
        shown.says(&["Retrying", "next attempt", "in 29 minutes", "Timed out"])?;
    }
    logged.tab.get(&page).await?.says(&["data-refresh=\"3\"", "Attempt 2 of 3", "took 1.0 ms"])?;
    Ok(())
}

/// Waits until the only delivery to the webhook is listed in a state, and gives it.
async fn await_listed(logged: &Logged, state: &str) -> Result<String> {
    let (path, tab) = (logged.path(&format!("/events?state={state}")), logged.tab.clone());
    let look = async || {
        let shown = tab.clone().get(&path).await?.of(200)?;
        Ok(listed(&shown)?.into_iter().next())
    };
    eventually(format!("a delivery that is {state}"), look).await
}
