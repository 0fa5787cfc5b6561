//! How the dialog looks in which a recovery is asked for, counted and begun.

use bellhop_model::{EventType, Webhook};
use bellhop_store::{Recovery, RecoveryCount, RecoveryState};
use maud::{Markup, html};

use super::asked::Asked;
use crate::console::parts::{
    Choice, Field, Input, badge, below_webhook, choices, count, csrf_field, field, moment, prose, seconds,
    select, sentence, text_input, webhook_path,
};
use crate::console::picker::picked;
use crate::console::visitor::Visitor;
use crate::problem::{FieldProblem, Problem};
use crate::recovering::{ENDED, PACE_MAX, seconds_at};

/// How far somebody is.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing was asked for yet.
    Asking,
    /// Something that was asked for is wrong.
    Wrong(Vec<FieldProblem>),
    /// It was counted.
    Counted { count: RecoveryCount, pace: u32 },
    /// It could not be counted, or was not begun.
    Refused(Problem),
}

/// The dialog.
pub(super) struct Dialog<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) webhook: &'a Webhook,
    /// The last recovery, if there was any.
    pub(super) last: Option<&'a Recovery>,
    pub(super) asked: &'a Asked,
    pub(super) step: &'a Step,
}

impl Dialog<'_> {
    /// The page's body.
    pub(super) fn whole(&self) -> Markup {
        html! {
            (below_webhook(self.visitor, self.webhook, "Recover"))
            @if let Some(running) = self.last.filter(|last| last.state == RecoveryState::Running) {
                p.warning-box {
                    "A recovery of this webhook is running, since " (moment(running.created_at, self.visitor.now)) ". "
                    a href=(self.visitor.path(&format!("/recoveries/{}", running.id))) { "See how far it is" }
                }
            }
            @match self.step {
                Step::Refused(problem) => div.problem role="alert" {
                    p { strong { (problem.title()) "." } " " (prose(&sentence(problem.detail()))) }
                },
                Step::Counted { count, pace } => (self.counted(count, *pace)),
                Step::Asking | Step::Wrong(_) => {},
            }
            section.panel aria-labelledby="ask" {
                h2 id="ask" { "Deliver many again" }
                p {
                    "Each event that is as asked for gets another series of three attempts, with the same "
                    code { "webhook-id" } ", one after the other. First they are only counted: nothing is sent."
                }
                (self.form())
            }
        }
    }

    /// What would be delivered again, and the button that does it.
    fn counted(&self, found: &RecoveryCount, pace: u32) -> Markup {
        let deliverable = found.found() - found.payload_gone;
        html! {
            section.panel.counted aria-labelledby="counted" {
                h2 id="counted" {
                    @match found.found() {
                        0 => "No event is as asked for",
                        1 => "1 event is as asked for",
                        many => { (count(many)) " events are as asked for" },
                    }
                }
                @if found.found() == 0 {
                    p { "Nothing is to be recovered. Begin earlier, or ask for more states." }
                } @else {
                    dl.figures {
                        div { dt { "Exhausted" } dd { (count(found.exhausted)) } }
                        div { dt { "Cancelled" } dd { (count(found.cancelled)) } }
                        div { dt { "Delivered" } dd { (count(found.delivered)) } }
                    }
                    @if found.payload_gone != 0 {
                        p { (count(found.payload_gone)) " of them are passed over: their payload is no longer on record." }
                    }
                    @if deliverable != 0 {
                        p { "At " (pace) " a second it takes about " (seconds(seconds_at(pace, found))) "." }
                        form method="post" action=(self.path()) {
                            (csrf_field(self.visitor))
                            @for (name, value) in self.asked.pairs() { input type="hidden" name=(name) value=(value); }
                            button type="submit" { "Start recovery of " (count(deliverable)) }
                        }
                    }
                }
            }
        }
    }

    fn form(&self) -> Markup {
        let errors: &[FieldProblem] = if let Step::Wrong(errors) = self.step { errors } else { &[] };
        let of = |name, label, hint| Field { name, label, hint, errors };
        let picker = |of: &Field<'_>, value: &str| {
            field(
                of,
                &html! {
                    input id=(of.name) name=(of.name) type="datetime-local" value=(picked(value))
                        aria-describedby=[of.described_by()] aria-invalid=[of.is_wrong().then_some("true")];
                },
            )
        };
        let pace = Input { kind: "number", value: &self.asked.pace, placeholder: "", required: false };
        let pace_hint = format!("How many a second, 1 to {PACE_MAX}.");
        html! {
            form.form method="get" action=(self.path()) {
                (picker(&of("since", "Since (UTC)", "Events that began then or later."), &self.asked.since))
                (picker(&of("until", "Until (UTC)", "And earlier than this; until now, if empty."), &self.asked.until))
                (choices(&of("states", "Which", ""), "checkbox", &self.states()))
                (select(&of("type", "Event type", ""), &self.event_types()))
                (text_input(&of("pace", "Pace", &pace_hint), pace))
                div.buttons {
                    button type="submit" { "Count" }
                    a.button.plain href=(webhook_path(self.visitor, &self.webhook.id, "/recoveries")) {
                        "Earlier recoveries"
                    }
                }
            }
        }
    }

    fn states(&self) -> Vec<Choice<'static>> {
        let hints = [
            "Three attempts failed.",
            "The webhook was disabled first.",
            "The endpoint took it already; it gets it again.",
        ];
        let choice = |(state, hint): (bellhop_model::DeliveryStateName, &'static str)| Choice {
            value: state.as_str(),
            label: badge::delivery_state(state),
            hint,
            chosen: self.asked.has(state),
        };
        ENDED.into_iter().zip(hints).map(choice).collect()
    }

    fn event_types(&self) -> Vec<Choice<'_>> {
        let asked = self.asked.event_type.as_str();
        let mut types: Vec<&str> = self.webhook.event_types.iter().map(EventType::as_str).collect();
        if !asked.is_empty() && !types.contains(&asked) {
            types.push(asked);
        }
        types.insert(0, "");
        let choice = |value: &str| html! { @if value.is_empty() { "Any" } @else { (value) } };
        types
            .into_iter()
            .map(|value| Choice { value, label: choice(value), hint: "", chosen: value == asked })
            .collect()
    }

    fn path(&self) -> String {
        webhook_path(self.visitor, &self.webhook.id, "/recover")
    }
}

#[cfg(test)]
mod tests;
