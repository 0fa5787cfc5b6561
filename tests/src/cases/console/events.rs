//! A webhook's events, as its page lists them.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::{AnswerRecord, Records, Role};
use time::{Duration, OffsetDateTime};

use super::logged::{Logged, listed, seven};
use crate::appointment::{APPOINTMENT, ORGANISATION};
use crate::context::Context;

/// What markup an event can bring along, and the same in a query.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";
const ENCODED: &str = "%3Cimg%20src=x%20onerror=alert(1)%3E";

/// Each field of the form alone, two together, and what is wrong with each.
pub async fn events_are_found_by_what_they_are(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let empty = logged.tab.get(&logged.path("/events")).await?.of(200)?;
    empty.says(&["No events yet", "send a test event", "data-refresh", "<noscript>"])?;
    let ids = seven(&logged).await?;
    let minute_ago = OffsetDateTime::now_utc() - Duration::seconds(90);
    let picked = format!("{}T{:02}:{:02}", minute_ago.date(), minute_ago.hour(), minute_ago.minute());
    let of =
        |numbers: &[usize]| -> Vec<String> { numbers.iter().map(|number| ids[*number].clone()).collect() };
    for (query, expected) in [
        ("", of(&[0, 1, 2, 3, 4, 5, 6])),
        ("?state=&type=&appointment=&status=&within=&since=&until=", of(&[0, 1, 2, 3, 4, 5, 6])),
        ("?state=delivered", of(&[1, 3, 5])),
        ("?state=exhausted", of(&[4])),
        ("?type=appointment.scheduled&status=5XX", of(&[0, 2, 4, 6])),
        ("?status=503", of(&[4])),
        ("?appointment=apt_other", of(&[6])),
        ("?within=1h&state=retrying", of(&[0, 2, 6])),
        (&format!("?since={picked}&until=2999-01-01T00:00&state=exhausted"), of(&[])),
    ] {
        let shown = logged.tab.get(&logged.path(&format!("/events{query}"))).await?.of(200)?;
        ensure!(listed(&shown)? == expected, "{query} finds {:?}", listed(&shown)?);
        shown.keeps_quiet_about(&["Zo", "t0ken"])?;
    }
    let nothing = logged.tab.get(&logged.path("/events?type=a.b&state=delivered")).await?.of(200)?;
    nothing.says(&["No event matches", "Leave out", "?state=delivered\"", "?type=a.b\""])?;
    for (field, value) in
        [("state", "lost"), ("type", "x"), ("status", "1xx"), ("since", "today"), ("within", "1y")]
    {
        let wrong = logged.tab.get(&logged.path(&format!("/events?{field}={value}"))).await?.of(400)?;
        wrong.says(&[&format!("id=\"{field}-error\"")])?.keeps_quiet_about(&["No event matches"])?;
    }
    logged.tab.get(&logged.path("/events?cursor=x")).await?.of(400)?;
    Ok(())
}

/// More begin between the pages, before all that is shown and amid it.
pub async fn pages_show_every_event_once_while_more_begin(context: Context) -> Result<()> {
    const EVENTS: i64 = 120;
    let mut logged = Logged::prepare(&context).await?;
    let (now, mut records, mut expected) = (OffsetDateTime::now_utc(), Records::default(), Vec::new());
    for number in 0..EVENTS {
        let told = logged.told(&format!("evt-{number}"), APPOINTMENT)?;
        records.push_attempt(&told.attempt(now - Duration::minutes(number), "5xx"));
        expected.push(told.addressed.delivery.to_string());
    }
    logged.record(records).await?;
    let (mut path, mut seen, mut pages) = (logged.path("/events?status=500"), Vec::new(), 0);
    loop {
        let shown = logged.tab.get(&path).await?.of(200)?;
        seen.extend(listed(&shown)?);
        pages += 1;
        ensure!(shown.text.contains("Back to the beginning") == (1 < pages), "{}", shown.text);
        let mut records = Records::default();
        for at in [now + Duration::minutes(pages), now - Duration::seconds(30)] {
            let event = format!("evt-later-{}", at.unix_timestamp() * 10 + pages);
            records.push_attempt(&logged.told(&event, APPOINTMENT)?.attempt(at, "5xx"));
        }
        logged.record(records).await?;
        let Ok(next) = shown.between("class=\"button\" href=\"", "\" rel=\"next\"") else { break };
        ensure!(next.contains("status=500"), "the next page forgets what was asked for: {next}");
        path = next.replace("&amp;", "&");
    }
    ensure!(pages == 3 && seen == expected, "{pages} pages: {seen:?}");
    Ok(())
}

/// What the script asks for: the list alone, with what came meanwhile.
pub async fn a_new_event_appears_without_the_page_being_loaded(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, _) = logged.failed("evt-1", APPOINTMENT).await?;
    let path = logged.path("/events");
    let whole = logged.tab.get(&path).await?.of(200)?;
    let (later, _) = logged.failed("evt-2", APPOINTMENT).await?;
    let refresh = [("bellhop-refresh", "1")];
    let part = logged.tab.get_with(&path, &refresh).await?.of(200)?;
    let expected = [&later, &told].map(|told| told.addressed.delivery.to_string());
    ensure!(listed(&part)? == expected, "{}", part.text);
    ensure!(part.text.len() < whole.text.len() && !part.text.contains("<html"), "{}", part.text);
    ensure!(
        part.text.starts_with("<div class=\"part\" id=\"deliveries\" data-refresh=\"5\""),
        "{}",
        part.text
    );
    // Nobody is led to a form by it.
    logged.console.tab().get_with(&path, &refresh).await?.of(401)?;
    Ok(())
}

/// Another organisation's and the other mode's are like what never was.
pub async fn what_is_anothers_is_not_found(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let (told, made) = logged.failed("evt-1", APPOINTMENT).await?;
    logged.exhausted(2).await?;
    let ask = "since=2020-01-01T00:00&states=exhausted";
    let counted = logged.tab.get(&logged.path(&format!("/recover?{ask}"))).await?.of(200)?;
    counted.says(&["2 events are as asked for"])?;
    let fields = [("since", "2020-01-01T00:00"), ("states", "exhausted"), ("pace", "1")];
    let begun = logged.tab.submit(&logged.path("/recover"), &fields).await?.of(303)?;
    let recovery = begun.header("location").split(['?', '/']).nth(4).context("a recovery")?.to_owned();
    let (webhook, delivery) = (&logged.webhook, &told.addressed.delivery);
    let pages = [
        format!("/webhooks/{webhook}/events"),
        format!("/webhooks/{webhook}/recover"),
        format!("/webhooks/{webhook}/recover?{ask}"),
        format!("/webhooks/{webhook}/recoveries"),
        format!("/deliveries/{delivery}"),
        format!("/deliveries/{delivery}/redeliver"),
        format!("/recoveries/{recovery}"),
    ];
    let forms = [
        format!("/webhooks/{webhook}/recover"),
        format!("/deliveries/{delivery}/redeliver"),
        format!("/deliveries/{delivery}/requests/{}/reveal", made.request),
        format!("/recoveries/{recovery}/cancel"),
    ];
    let mut other = logged.console.tab();
    other.open_link(&logged.console.token("org_other", Role::Administrator).await?).await?.of(200)?;
    for (mut tab, mode) in [(other.clone(), "test"), (other, "live"), (logged.tab.clone(), "live")] {
        tab.get(&format!("/console/{mode}/webhooks")).await?.of(200)?;
        for page in &pages {
            let shown = tab.get(&format!("/console/{mode}{page}")).await?.of(404)?;
            shown.keeps_quiet_about(&["hooks.example", "evt-1"])?;
        }
        for form in &forms {
            tab.submit(&format!("/console/{mode}{form}"), &fields).await?.of(404)?;
        }
    }
    for page in &pages[..2] {
        logged.tab.get(&format!("/console/test{page}")).await?.of(200)?;
    }
    for nonsense in ["x", "dlv_0", "%00", "%3Cb%3E"] {
        logged.tab.get(&format!("/console/test/deliveries/{nonsense}")).await?.of(404)?;
        logged.tab.get(&format!("/console/test/recoveries/{nonsense}")).await?.of(404)?;
    }
    Ok(())
}

/// Whatever an event, a filter or an answer says is text.
pub async fn hostile_events_are_shown_as_text(context: Context) -> Result<()> {
    let mut logged = Logged::prepare(&context).await?;
    let data = format!(
        r#"{{"id":"{HOSTILE}","organisationId":"{ORGANISATION}","note":"{HOSTILE}","patient":{{"id":"{HOSTILE}"}}}}"#
    );
    let told = logged.told("evt-hostile", &data)?;
    let at = OffsetDateTime::now_utc() - Duration::MINUTE;
    let mut made = told.attempt(at, HOSTILE);
    made.answer = Some(AnswerRecord {
        headers: vec![("x-hostile".to_owned(), HOSTILE.to_owned())],
        body: HOSTILE.to_owned(),
        is_truncated: true,
    });
    made.sent.user_agent = Some(HOSTILE.into());
    let mut records = Records::default();
    records.push_event(&told.event, &told.body, at);
    records.push_attempt(&made);
    logged.record(records).await?;
    let delivery = format!("/console/test/deliveries/{}", told.addressed.delivery);
    let events = logged.path("/events");
    for path in [
        events.clone(),
        format!("{events}?appointment={ENCODED}"),
        format!("{events}?type={ENCODED}"),
        format!("{events}?state={ENCODED}&since={ENCODED}&within={ENCODED}"),
        logged.path(&format!("/recover?since={ENCODED}&states={ENCODED}&type={ENCODED}&pace={ENCODED}")),
        delivery.clone(),
        format!("{delivery}/redeliver"),
    ] {
        let shown = logged.tab.get(&path).await?;
        ensure!([200, 400, 422].contains(&shown.status), "{path} is answered with {}", shown.status);
        shown.keeps_quiet_about(&["<img"])?;
    }
    let found = logged.tab.get(&format!("{events}?appointment={ENCODED}")).await?.of(200)?;
    found.says(&["&lt;img src=x", told.addressed.delivery.as_str()])?;
    logged.tab.get(&delivery).await?.of(200)?;
    let reveal = format!("{delivery}/requests/{}/reveal", made.request);
    let shown = logged.tab.submit(&reveal, &[]).await?.of(200)?;
    shown.says(&["&lt;img src=x"])?.keeps_quiet_about(&["<img"])?;
    Ok(())
}
