//! Forms: what is not ours is refused, and what is hostile is shown as it is.

use anyhow::{Context as _, Result, ensure};
use bellhop_model::Role;
use hyper::header::ORIGIN;

use super::ground::Console;
use crate::appointment::SCHEDULED;
use crate::context::Context;

const NEW: &str = "/console/test/webhooks/new";

/// Markup, attributes, controls and texts that are too long.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\" autofocus onfocus=alert(1) x=\"",
    "'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</textarea></title><svg/onload=alert(1)>",
];

/// Each way to send a form that is not the session's own.
pub async fn a_form_that_is_not_ours_changes_nothing(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Administrator).await?;
    let (webhook, _) = console.add_webhook(&mut tab, "test", "https://a.example/hook").await?;
    let mut other = console.signed_in(Role::Administrator).await?;
    other.get("/console/test/webhooks").await?;
    let (origin, csrf, foreign) = (tab.origin(), tab.csrf().to_owned(), other.csrf().to_owned());
    ensure!(!csrf.is_empty() && csrf != foreign);
    let ours = (ORIGIN.as_str(), origin.as_str());
    let evil = (ORIGIN.as_str(), "https://evil.example");
    let actions = ["/edit", "/enable", "/disable", "/delete", "/reveal", "/rotate", "/test-event", "/copy"];
    for path in actions.map(|rest| format!("/console/test/webhooks/{webhook}{rest}")) {
        let fields =
            |csrf| [("csrf", csrf), ("overlap", "0"), ("url", "https://b.example/"), ("type", SCHEDULED)];
        for (headers, csrf) in [
            (vec![ours], ""),
            (vec![ours], "AAAA"),
            (vec![ours], foreign.as_str()),
            (vec![evil], csrf.as_str()),
            (vec![(ORIGIN.as_str(), "null")], csrf.as_str()),
            (vec![], csrf.as_str()),
            (vec![ours, ("sec-fetch-site", "same-site")], csrf.as_str()),
        ] {
            let refused = tab.submit_as(&path, &headers, &fields(csrf)).await?.of(403)?;
            refused.says(&["This form was not accepted"])?.keeps_quiet_about(&["whsec_"])?;
        }
    }
    tab.submit_as("/console/sign-out", &[evil], &[("csrf", &csrf)]).await?.of(403)?;
    let json = [ours, ("content-type", "application/json")];
    tab.submit_as(NEW, &json, &[("csrf", &csrf)]).await?.of(415)?;
    let shown = tab.get(&format!("/console/test/webhooks/{webhook}")).await?.of(200)?;
    shown.says(&["Enabled", "https://a.example/hook"])?;
    Ok(())
}

/// What was typed stands in the form again, and is nothing but text.
pub async fn hostile_words_are_shown_as_words(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Administrator).await?;
    for hostile in HOSTILE {
        let form = tab.get(NEW).await?.field("form").context("a form")?;
        let wrong = [
            ("form", form.as_str()),
            ("url", hostile),
            ("description", hostile),
            ("others", hostile),
            ("payload", hostile),
        ];
        let again = tab.submit(NEW, &wrong).await?.of(422)?;
        again.says(&["Nothing was saved.", "aria-invalid"])?.keeps_quiet_about(&[
            "<script>",
            "<img",
            "<svg/onload",
            "\" autofocus onfocus",
        ])?;
        let right = [
            ("form", form.as_str()),
            ("url", &format!("https://a.example/{form}")),
            ("description", hostile),
            ("events", SCHEDULED),
            ("payload", "full"),
        ];
        tab.submit(NEW, &right).await?.of(200)?;
        for query in ["cursor", "done", "span", "next", "token"] {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair(query, hostile).finish();
            for path in ["/console/test/webhooks", "/console/sign-in"] {
                let shown = tab.get(&format!("{path}?{query}")).await?;
                shown.keeps_quiet_about(&["<script>", "<img", "<svg/onload", "\" autofocus onfocus"])?;
            }
        }
    }
    let list = tab.get("/console/test/webhooks").await?.of(200)?;
    list.says(&["&lt;script&gt;alert(1)&lt;/script&gt;"])?.keeps_quiet_about(&[
        "<script>",
        "<img",
        "<svg/onload",
    ])?;
    for body in [vec![("url", "x".repeat(200 * 1024))], vec![("a", "b".to_owned()); 2_000]] {
        let fields: Vec<(&str, &str)> = body.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = tab.submit(NEW, &fields).await?;
        ensure!([413, 422].contains(&refused.status), "{}", refused.status);
    }
    Ok(())
}

/// Every wrong field is named beside itself, and what was right stays.
pub async fn errors_stand_beside_their_fields(context: Context) -> Result<()> {
    let console = Console::prepare(&context).await?;
    let mut tab = console.signed_in(Role::Developer).await?;
    let form = tab.get(NEW).await?.field("form").context("a form")?;
    let name = ("form", form.as_str());
    let empty = tab.submit(NEW, &[name]).await?.of(422)?;
    let empty =
        empty.says(&["id=\"url-error\"", "id=\"events-error\"", "id=\"payload-error\"", "href=\"#url\""])?;
    ensure!(empty.text.contains("3 fields are wrong"), "{}", empty.text);
    let fields = [
        name,
        ("url", "https://a.example/"),
        ("events", SCHEDULED),
        ("payload", "id_only"),
        ("expand", "task"),
    ];
    let contradiction = tab.submit(NEW, &fields).await?.of(422)?;
    let shown = contradiction.says(&["id=\"payload-error\"", "value=\"https://a.example/\"", "checked"])?;
    shown.keeps_quiet_about(&["id=\"url-error\""])?;
    console.add_webhook(&mut tab, "test", "https://a.example/").await?;
    let fields = [name, ("url", "https://a.example/"), ("events", SCHEDULED), ("payload", "full")];
    let duplicate = tab.submit(NEW, &fields).await?.of(409)?;
    duplicate.says(&["already registered", "id=\"url-error\""])?;
    let live = "/console/live/webhooks/new";
    let form = tab.get(live).await?.field("form").context("a form")?;
    let fields =
        [("form", form.as_str()), ("url", "http://a.example/"), ("events", SCHEDULED), ("payload", "full")];
    tab.submit(live, &fields).await?.of(422)?.says(&["not allowed in live mode"])?;
    Ok(())
}
