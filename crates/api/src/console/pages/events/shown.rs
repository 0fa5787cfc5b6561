//! How the list looks.

use bellhop_model::limits::ATTEMPTS_MAX;
use bellhop_model::{DeliveryStateName, EventType, KnownEventType, Webhook};
use bellhop_store::LoggedDelivery;
use maud::{Markup, html};

use super::asked::{Asked, SPANS};
use crate::console::parts::{
    Choice, Field, Input, WebhookTab, answered, empty, field, moment, pager, select, standing, text_input,
    webhook_head, webhook_path,
};
use crate::console::picker::picked;
use crate::console::refresh::{self, LIST_SECONDS};
use crate::console::visitor::Visitor;
use crate::problem::FieldProblem;

/// What is on the page.
pub(super) struct Events<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) webhook: &'a Webhook,
    /// The types that there are.
    pub(super) types: &'a [KnownEventType],
    pub(super) asked: &'a Asked,
    pub(super) errors: &'a [FieldProblem],
    pub(super) deliveries: &'a [LoggedDelivery],
    /// The cursor of the next page.
    pub(super) next: Option<&'a str>,
}

impl Events<'_> {
    /// The page's body.
    pub(super) fn whole(&self) -> Markup {
        let here = self.asked.path(&self.path(), "", &self.asked.cursor);
        html! {
            (webhook_head(self.visitor, self.webhook, WebhookTab::Events))
            div.above-list {
                (self.form())
                div.actions {
                    (refresh::refresh_link(&here))
                    a.button.plain href=(self.webhook_path("/recover")) { "Recover" }
                }
            }
            (self.list())
        }
    }

    /// The part that is refreshed.
    pub(super) fn list(&self) -> Markup {
        let first = (!self.asked.cursor.is_empty()).then(|| self.asked.path(&self.path(), "", ""));
        let next = self.next.map(|next| self.asked.path(&self.path(), "", next));
        let content = html! {
            @if !self.deliveries.is_empty() {
                (self.table())
            } @else if self.errors.is_empty() {
                (self.nothing())
            }
            (pager(first.as_deref(), next.as_deref()))
        };
        refresh::part("deliveries", self.errors.is_empty().then_some(LIST_SECONDS), &content)
    }

    fn path(&self) -> String {
        self.webhook_path("/events")
    }

    fn webhook_path(&self, rest: &str) -> String {
        webhook_path(self.visitor, &self.webhook.id, rest)
    }

    fn table(&self) -> Markup {
        html! {
            table.list.deliveries {
                caption.unseen { "Events, the newest first" }
                thead {
                    tr {
                        th scope="col" { "Event" }
                        th scope="col" { "State" }
                        th scope="col" { "Appointment" }
                        th scope="col" { "Attempts" }
                        th scope="col" { "Last answer" }
                        th scope="col" { "When" }
                    }
                }
                tbody { @for delivery in self.deliveries { (self.row(delivery)) } }
            }
        }
    }

    fn row(&self, delivery: &LoggedDelivery) -> Markup {
        let of = &delivery.standing;
        let path = self.visitor.path(&format!("/deliveries/{}", delivery.id));
        html! {
            tr data-key=(delivery.id) {
                th scope="row" {
                    a href=(path) { (delivery.event_type) }
                    @if delivery.is_test { " " span.badge.quiet { "Test event" } }
                }
                td data-label="State" { div { (standing(of, self.visitor.now)) } }
                td data-label="Appointment" {
                    @match &delivery.appointment {
                        Some(appointment) => code { (appointment) },
                        None => span.quiet { "Unknown" },
                    }
                }
                td data-label="Attempts" {
                    span {
                        @match of.attempt {
                            Some(attempt) => { (attempt) " of " (ATTEMPTS_MAX) },
                            None => span.quiet { "None yet" },
                        }
                        @if 1 < of.series.0 { span.quiet { " · series " (of.series.0) } }
                    }
                }
                td data-label="Last answer" { (answered(of.status, &of.outcome)) }
                td data-label="When" { (moment(delivery.begun_at, self.visitor.now)) }
            }
        }
    }

    /// Says what would be here, or how to see more.
    fn nothing(&self) -> Markup {
        if !self.asked.cursor.is_empty() {
            let lesson = html! { p { "Whatever there was is on the pages before, or too old to be kept." } };
            return empty("There are no more events", &lesson);
        }
        let narrowing = self.asked.narrowing();
        if narrowing.is_empty() {
            return empty(
                "No events yet",
                &html! {
                    p { "Each event that is sent to this webhook appears here by itself, with every attempt." }
                    @if self.webhook.status != bellhop_model::WebhookStatus::Enabled {
                        p { "The webhook is disabled, so nothing is sent. Enable it on its page." }
                    } @else {
                        p { "To see one now, send a test event from the webhook's page: it is signed and delivered like any other." }
                    }
                    a.button href=(self.webhook_path("")) { "Go to the webhook" }
                },
            );
        }
        empty(
            "No event matches",
            &html! {
                p { "Of this webhook's events none is as asked for. Leave something out to see more:" }
                ul.chips {
                    @for (name, label, value) in &narrowing {
                        li {
                            a.chip href=(self.asked.path(&self.path(), name, "")) {
                                span.unseen { "Leave out " } (label) ": " strong { (value) } span aria-hidden="true" { " ×" }
                            }
                        }
                    }
                }
                a.button.plain href=(self.path()) { "Show all events" }
            },
        )
    }

    fn form(&self) -> Markup {
        let asked = self.asked;
        let narrowing = asked.narrowing();
        let is_open = !narrowing.is_empty() || !self.errors.is_empty();
        html! {
            details.filters open[is_open] {
                summary { "Filter" @if !narrowing.is_empty() { " (" (narrowing.len()) ")" } }
                form method="get" action=(self.path()) {
                    (select(&self.field("state", "State", ""), &self.states()))
                    (select(&self.field("type", "Event type", ""), &self.event_types()))
                    (text_input(&self.field("appointment", "Appointment", ""), line("search", &asked.appointment, "apt_…")))
                    (text_input(&self.field("status", "Status", ""), line("search", &asked.status, "503 or 5xx")))
                    (select(&self.field("within", "Time", ""), &self.spans()))
                    (self.picker("since", "From (UTC)", &asked.since))
                    (self.picker("until", "To (UTC)", &asked.until))
                    div.buttons {
                        button type="submit" { "Apply" }
                        @if is_open { a.button.plain href=(self.path()) { "Clear" } }
                    }
                }
            }
        }
    }

    fn field<'f>(&'f self, name: &'f str, label: &'f str, hint: &'f str) -> Field<'f> {
        Field { name, label, hint, errors: self.errors }
    }

    fn picker(&self, name: &str, label: &str, value: &str) -> Markup {
        let of = self.field(name, label, "");
        field(
            &of,
            &html! {
                input id=(name) name=(name) type="datetime-local" value=(picked(value))
                    aria-describedby=[of.described_by()] aria-invalid=[of.is_wrong().then_some("true")];
            },
        )
    }

    fn states(&self) -> Vec<Choice<'static>> {
        let states = DeliveryStateName::ALL.map(|state| (state.as_str(), capital(state.as_str())));
        options("Any", &self.asked.state, states)
    }

    fn spans(&self) -> Vec<Choice<'static>> {
        options("Any", &self.asked.within, SPANS.map(|(word, name, _)| (word, name.to_owned())))
    }

    /// Those that the webhook wants, the others that there are, and the one that is asked for.
    fn event_types(&self) -> Vec<Choice<'_>> {
        let wanted = self.webhook.event_types.iter();
        let known = self.types.iter().map(|known| &known.event_type);
        let others = known.filter(|known| !self.webhook.event_types.contains(known));
        let mut types: Vec<&str> = wanted.chain(others).map(EventType::as_str).collect();
        let asked = self.asked.event_type.as_str();
        if !asked.is_empty() && !types.contains(&asked) {
            types.push(asked);
        }
        options("Any", asked, types.into_iter().map(|name| (name, name.to_owned())))
    }
}

fn line<'a>(kind: &'a str, value: &'a str, placeholder: &'a str) -> Input<'a> {
    Input { kind, value, placeholder, required: false }
}

/// What can be chosen, after not choosing at all.
fn options<'a>(
    any: &'a str,
    chosen: &str,
    all: impl IntoIterator<Item = (&'a str, String)>,
) -> Vec<Choice<'a>> {
    let choice = |value: &'a str, label: String| Choice {
        value,
        label: html! { (label) },
        hint: "",
        chosen: value == chosen,
    };
    let all = all.into_iter().map(|(value, label)| choice(value, label));
    std::iter::once(choice("", any.to_owned())).chain(all).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
