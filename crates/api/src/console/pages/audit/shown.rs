//! How the audit looks.

use axum::response::Response;
use bellhop_store::{Action, AuditEntry};
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded;

use crate::console::page::{Page, Section, name_of};
use crate::console::parts::{Choice, Field, Input, empty, heading, moment, pager, select, text_input};
use crate::console::visitor::Visitor;

/// What a list is narrowed by; empty is everything.
pub(super) struct Choices<'a> {
    pub(super) target: &'a str,
    pub(super) action: &'a str,
    /// Whether a page comes before.
    pub(super) is_later: bool,
}

impl Choices<'_> {
    fn is_narrow(&self) -> bool {
        !self.target.is_empty() || !self.action.is_empty()
    }

    /// The same list from its beginning, or from a place in it.
    fn path(&self, base: &str, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let pairs =
            [("action", self.action), ("target", self.target), ("cursor", cursor.unwrap_or_default())];
        query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") }
    }
}

/// * `next`: the cursor of the next page.
pub(super) fn list_page(
    visitor: &Visitor,
    choices: &Choices<'_>,
    entries: &[AuditEntry],
    next: Option<&str>,
) -> Response {
    let path = visitor.path("/audit");
    let first = choices.is_later.then(|| choices.path(&path, None));
    let next = next.map(|cursor| choices.path(&path, Some(cursor)));
    let body = html! {
        (heading("Audit", &html! {}))
        (filter(&path, choices))
        @if entries.is_empty() {
            @if choices.is_narrow() {
                (empty("Nothing like that is on record.", &html! {
                    p { "What was done in the other mode is on record there." }
                }))
            } @else {
                (empty("Nothing is on record yet.", &html! {
                    p {
                        "Whoever changes a webhook or a key, or looks at a secret or a payload, in "
                        (name_of(visitor.caller.mode)) ", is named here with when and from where."
                    }
                }))
            }
        } @else {
            (table(visitor, entries))
        }
        (pager(first.as_deref(), next.as_deref()))
    };
    Page { visitor, section: Section::Audit, title: "Audit" }.render(body)
}

fn filter(path: &str, choices: &Choices<'_>) -> Markup {
    let field = |name, label, hint| Field { name, label, hint, errors: &[] };
    let option = |value: &'static str| Choice {
        value,
        label: html! { (words(value)) },
        hint: "",
        chosen: value == choices.action,
    };
    let all =
        Choice { value: "", label: html! { "Everything" }, hint: "", chosen: choices.action.is_empty() };
    let mut actions = vec![all];
    actions.extend(Action::ALL.iter().map(|action| option(action.as_str())));
    let input =
        Input { kind: "text", value: choices.target, placeholder: "wh_… or key_…", required: false };
    html! {
        form.inline method="get" action=(path) role="search" aria-label="Audit" {
            (select(&field("action", "What was done", ""), &actions))
            (text_input(&field("target", "To what", ""), input))
            button type="submit" { "Show" }
            @if choices.is_narrow() { a.button.plain href=(path) { "Show everything" } }
        }
    }
}

fn table(visitor: &Visitor, entries: &[AuditEntry]) -> Markup {
    html! {
        table.list {
            thead {
                tr {
                    th scope="col" { "When" }
                    th scope="col" { "What" }
                    th scope="col" { "To what" }
                    th scope="col" { "Who" }
                    th scope="col" { "From where" }
                }
            }
            tbody { @for entry in entries { (row(visitor, entry)) } }
        }
    }
}

fn row(visitor: &Visitor, entry: &AuditEntry) -> Markup {
    let same_target = Choices { target: &entry.target, action: "", is_later: false };
    html! {
        tr {
            td data-label="When" { (moment(entry.at, visitor.now)) }
            th scope="row" data-label="What" {
                (words(&entry.action))
                @if !entry.details.is_empty() {
                    details {
                        summary { "Details" }
                        dl.facts { @for (name, value) in &entry.details { dt { (name) } dd { (shown(value)) } } }
                    }
                }
            }
            td data-label="To what" {
                a href=(same_target.path(&visitor.path("/audit"), None)) { code { (entry.target) } }
            }
            td data-label="Who" { (who(&entry.actor_kind, &entry.actor)) }
            td data-label="From where" {
                @if let Some(address) = &entry.address { code { (address) } } @else { span.quiet { "no request" } }
                @if let Some(request) = &entry.request { br; code.quiet { (request) } }
            }
        }
    }
}

/// The word of an action as people say it: `webhook.updated` is “Webhook updated”. Later versions bring more of them.
fn words(action: &str) -> String {
    let plain = action.replace(['.', '_'], " ");
    let mut letters = plain.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

fn who(kind: &str, name: &str) -> Markup {
    match kind {
        "user" => html! { (name) },
        "key" => html! { "Key" br; code.quiet { (name) } },
        "operator" => html! { "The platform" },
        "cli" => html! { (name) br; span.quiet { "at the operator's shell" } },
        "system" => html! { "Bellhop itself" },
        _ => html! { (kind) " " (name) },
    }
}

/// A text as it is; everything else as JSON.
fn shown(value: &Value) -> Markup {
    match value {
        Value::String(text) => html! { (text) },
        other => html! { code { (other) } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_told_in_words() {
        assert_eq!(words("webhook.updated"), "Webhook updated");
        assert_eq!(words("test_event.sent"), "Test event sent");
        assert_eq!(words(""), "");
    }

    #[test]
    fn the_next_page_keeps_to_what_was_chosen() {
        let choices = Choices { target: "wh_a&b", action: "secret.revealed", is_later: true };
        let base = "/console/test/audit";
        assert_eq!(
            choices.path(base, Some("Zm9v")),
            format!("{base}?action=secret.revealed&target=wh_a%26b&cursor=Zm9v")
        );
        let all = Choices { target: "", action: "", is_later: false };
        assert_eq!(all.path(base, None), base);
    }
}
