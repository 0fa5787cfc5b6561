//! How verifying looks.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::judged::{Judged, Part, Soundness};
use super::pasted::{BODY, HEADERS, SECRET};
use super::receivers::{RECEIVERS, Receiver};
use crate::console::page::{Page, Section};
use crate::console::parts::{Field, Input, badge, csrf_field, field, heading, prose, text_input};
use crate::console::visitor::Visitor;
use crate::problem::FieldProblem;

/// What was pasted, save for the secret, and what came of it.
#[derive(Default)]
pub(super) struct Checked<'a> {
    pub(super) headers: &'a str,
    pub(super) body: &'a str,
    pub(super) errors: &'a [FieldProblem],
    pub(super) judged: Option<&'a Judged>,
}

pub(super) fn page(visitor: &Visitor, status: StatusCode, checked: &Checked<'_>) -> Response {
    let body = html! {
        (heading("Verify a signature", &html! {}))
        p.lead {
            "Each request is signed with its webhook's secret, as "
            a href="https://www.standardwebhooks.com" rel="noreferrer" { "Standard Webhooks" }
            " 1.0.0 asks. A receiver that verifies takes nothing from anybody else."
        }
        (rules())
        section.panel aria-labelledby="receivers" {
            h2 id="receivers" { "A receiver that verifies" }
            p.quiet { "Complete programs that need their language alone. Take the one function into yours." }
            (tabs())
        }
        section.panel aria-labelledby="checker" {
            h2 id="checker" { "Check a request" }
            p.quiet {
                "Paste a request that your receiver refuses: this says whether its signature holds, and if not, which part "
                "is wrong. Nothing of it is stored or logged."
            }
            @if let Some(judged) = checked.judged { (verdict(judged)) }
            (form(visitor, checked))
        }
    };
    Page { visitor, section: Section::Verify, title: "Verify a signature" }.render_as(status, body)
}

fn rules() -> Markup {
    html! {
        ol.rules {
            li {
                "Join the header " code { "webhook-id" } ", a dot, " code { "webhook-timestamp" }
                ", a dot, and the body, byte for byte as it came."
            }
            li {
                "Make an HMAC-SHA256 of it. The key is what follows " code { "whsec_" } " in the secret, decoded from base64."
            }
            li {
                "Encode it in base64 and compare it, in constant time, with each signature in "
                code { "webhook-signature" } ": they look like " code { "v1,…" }
                " and are separated by spaces, several while a secret is rotated."
            }
            li { "Refuse what is more than 5 minutes old, so that nobody can send it a second time." }
        }
    }
}

/// Tabs that need no script: a group of radio buttons, each before the panel that it opens.
fn tabs() -> Markup {
    html! {
        div.languages role="radiogroup" aria-label="Language" {
            @for (index, receiver) in RECEIVERS.iter().enumerate() { (tab(index, receiver)) }
        }
    }
}

fn tab(index: usize, receiver: &Receiver) -> Markup {
    let Receiver { language, file, source } = receiver;
    let id = format!("language-{index}");
    html! {
        input.unseen type="radio" name="language" id=(id) checked[index == 0];
        label for=(id) { (language) }
        div.listing {
            pre tabindex="0" role="region" aria-label=(file) { code { (source) } }
            button.quiet type="button" hidden data-copy aria-label=(format!("Copy {file}")) { "Copy" }
        }
    }
}

fn form(visitor: &Visitor, checked: &Checked<'_>) -> Markup {
    let Checked { headers, body, errors, .. } = *checked;
    let of = |name, label, hint| Field { name, label, hint, errors };
    let secret = Input { kind: "password", value: "", placeholder: "whsec_…", required: true };
    html! {
        @if !errors.is_empty() {
            div.problem role="alert" { p { "This cannot be checked yet: what is missing or wrong is said at its field." } }
        }
        form.form method="post" action=(visitor.path("/verify#checker")) novalidate {
            (csrf_field(visitor))
            (text_input(&of(SECRET, "Secret", "The webhook's, which begins with `whsec_`."), secret))
            (text_area(
                &of(HEADERS, "Headers", "As your log, browser or program prints them; others do not matter."),
                headers,
                "webhook-id: evt_…\nwebhook-timestamp: 1732600000\nwebhook-signature: v1,…",
            ))
            (text_area(&of(BODY, "Body", "The bytes as they came, before anything parses them."), body, "{\"data\":{…}}"))
            div.buttons { button type="submit" { "Check" } }
        }
    }
}

fn text_area(of: &Field<'_>, value: &str, placeholder: &str) -> Markup {
    field(
        of,
        &html! {
            // A browser drops one line end that follows the tag.
            textarea id=(of.name) name=(of.name) rows="5" placeholder=(placeholder) required
                autocomplete="off" spellcheck="false" autocapitalize="off"
                aria-describedby=[of.described_by()] aria-invalid=[of.is_wrong().then_some("true")] { "\n" (value) }
        },
    )
}

fn verdict(judged: &Judged) -> Markup {
    let class = if judged.holds { "notice judged" } else { "problem judged" };
    html! {
        div class=(class) role="status" {
            h3 { (judged.headline) }
            p { (prose(judged.advice)) }
            dl { @for part in &judged.parts { (line(part)) } }
        }
    }
}

fn line(part: &Part) -> Markup {
    let (tone, word) = match part.soundness {
        Soundness::Sound => ("good", "As signed"),
        Soundness::Doubtful => ("warning", "Mind"),
        Soundness::Unknown => ("quiet", "Cannot be told"),
        Soundness::Wrong => ("bad", "Wrong"),
    };
    html! {
        div {
            dt { (part.name) }
            dd { (badge::badge(tone, word)) " " (part.text) }
        }
    }
}
