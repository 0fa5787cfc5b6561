//! The form of a webhook: the same for a new one and for a change.

use std::collections::BTreeSet;

use bellhop_model::{Catalogue, EventType, Mode, PayloadLevel, Webhook};
use maud::{Markup, html};

use crate::console::fields::Fields;
use crate::console::parts::{Choice, Field, Input, choices, text_input};
use crate::problem::FieldProblem;
use crate::routes::{WebhookPatch, WebhookRequest};

/// The objects that can be sent whole, and what that means.
const EXPANDABLE: [(&str, &str); 3] = [
    ("patient", "Name, contact and address of the patient instead of the id alone."),
    ("task", "What the practitioner is to carry out."),
    ("window", "When the appointment may take place."),
];

/// What stands in the form.
#[derive(Debug, Clone)]
pub(super) struct WebhookForm {
    url: String,
    description: String,
    /// Types that are ticked.
    ticked: Vec<String>,
    /// Types that are not in the catalogue, as they were typed.
    others: String,
    payload: String,
    expand: Vec<String>,
}

impl WebhookForm {
    /// That of a webhook which nobody has described yet.
    pub(super) fn empty() -> Self {
        Self {
            url: String::new(),
            description: String::new(),
            ticked: Vec::new(),
            others: String::new(),
            payload: PayloadLevel::default().name().to_owned(),
            expand: Vec::new(),
        }
    }

    /// That of a webhook as it is.
    pub(super) fn of(webhook: &Webhook, catalogue: &Catalogue) -> Self {
        let is_known = |event_type: &&EventType| catalogue.find(event_type).is_some();
        let (ticked, others): (Vec<&EventType>, Vec<&EventType>) =
            webhook.event_types.iter().partition(is_known);
        let texts = |types: Vec<&EventType>| types.iter().map(|one| one.to_string()).collect::<Vec<_>>();
        Self {
            url: webhook.url.expose().to_owned(),
            description: webhook.description.clone(),
            ticked: texts(ticked),
            others: texts(others).join(", "),
            payload: webhook.payload.name().to_owned(),
            expand: webhook.payload.expansion().names().map(ToOwned::to_owned).collect(),
        }
    }

    /// What was sent.
    pub(super) fn read(fields: &Fields) -> Self {
        let all = |name: &str| fields.all(name).map(ToOwned::to_owned).collect();
        Self {
            url: fields.text("url").to_owned(),
            description: fields.text("description").to_owned(),
            ticked: all("events"),
            others: fields.text("others").to_owned(),
            payload: fields.text("payload").to_owned(),
            expand: all("expand"),
        }
    }

    /// A registration, judged as that of the API is.
    pub(super) fn request(&self) -> WebhookRequest {
        WebhookRequest {
            url: self.url.clone(),
            events: self.events(),
            description: self.description.clone(),
            expand: self.expand.clone(),
            payload: self.payload.clone(),
        }
    }

    /// A change of everything, judged as that of the API is.
    pub(super) fn patch(&self) -> WebhookPatch {
        WebhookPatch {
            url: Some(self.url.clone()),
            events: Some(self.events()),
            description: Some(self.description.clone()),
            expand: Some(self.expand.clone()),
            payload: Some(self.payload.clone()),
        }
    }

    /// Every type that is asked for, once.
    fn events(&self) -> Vec<String> {
        let is_separator = |letter: char| letter == ',' || letter == ';' || letter.is_whitespace();
        let others = self.others.split(is_separator).filter(|word| !word.is_empty());
        let mut seen = BTreeSet::new();
        let all = self.ticked.iter().map(String::as_str).chain(others);
        all.filter(|word| seen.insert(*word)).map(ToOwned::to_owned).collect()
    }

    /// What is wrong, beside the field where a person can mend it.
    ///
    /// * `errors`: in the words of the API, which knows one list of event types.
    pub(super) fn placed(&self, errors: &[FieldProblem]) -> Vec<FieldProblem> {
        let place = |error: &FieldProblem| {
            let index = error.field().strip_prefix("events[").and_then(|rest| rest.strip_suffix(']'));
            let is_typed = index.and_then(|index| index.parse().ok()) >= Some(self.ticked.len());
            match error.field() {
                "events" if self.events().is_empty() => {
                    FieldProblem::new("events", "choose at least one event")
                }
                _ if index.is_some() && is_typed => FieldProblem::new("others", error.message()),
                _ => error.clone(),
            }
        };
        errors.iter().map(place).collect()
    }

    /// The fields.
    ///
    /// * `errors`: what is wrong with them.
    pub(super) fn shown(&self, mode: Mode, catalogue: &Catalogue, errors: &[FieldProblem]) -> Markup {
        let url_hint = match mode {
            Mode::Live => "Where requests go: `https`, reachable from the internet.",
            Mode::Test => "Where requests go: `https`, in Test Mode also `http`.",
        };
        let url = Field { name: "url", label: "URL", hint: url_hint, errors };
        let description = Field {
            name: "description",
            label: "Description",
            hint: "What you call it, so that others know it. It may be left empty.",
            errors,
        };
        let others = Field {
            name: "others",
            label: "Other event types",
            hint: "Types that are not listed above, such as `patient.created`, separated by commas. They are delivered once the platform fires them.",
            errors,
        };
        let input = |kind, value, placeholder, required| Input { kind, value, placeholder, required };
        html! {
            (text_input(&url, input("url", &self.url, "https://example.org/webhooks", true)))
            (text_input(&description, input("text", &self.description, "", false)))
            (self.event_choices(catalogue, errors))
            (text_input(&others, input("text", &self.others, "", false)))
            (self.payload_choices(errors))
        }
    }

    fn event_choices(&self, catalogue: &Catalogue, errors: &[FieldProblem]) -> Markup {
        let field = Field { name: "events", label: "Events", hint: "At least one.", errors };
        let options: Vec<Choice<'_>> = catalogue
            .types()
            .iter()
            .map(|known| Choice {
                value: known.event_type.as_str(),
                label: html! { code { (known.event_type) } },
                hint: &known.fires_when,
                chosen: self.ticked.iter().any(|ticked| ticked == known.event_type.as_str()),
            })
            .collect();
        choices(&field, "checkbox", &options)
    }

    fn payload_choices(&self, errors: &[FieldProblem]) -> Markup {
        let payload = Field { name: "payload", label: "Payload", hint: "", errors };
        let level = |value, label: &str, hint| Choice {
            value,
            label: html! { (label) },
            hint,
            chosen: self.payload == value,
        };
        let [full, id_only] = PayloadLevel::NAMES;
        let levels = [
            level(full, "The appointment", "As the guide describes it."),
            level(
                id_only,
                "Its id alone",
                "`{\"data\":{\"id\":…}}`: the receiver asks the platform for the rest.",
            ),
        ];
        let expand = Field {
            name: "expand",
            label: "Sent whole",
            hint: "Of the appointment, these are `{\"id\":…}` unless they are ticked. They are health data.",
            errors,
        };
        let objects = EXPANDABLE.map(|(value, hint)| Choice {
            value,
            label: html! { code { (value) } },
            hint,
            chosen: self.expand.iter().any(|expanded| expanded == value),
        });
        html! { (choices(&payload, "radio", &levels)) (choices(&expand, "checkbox", &objects)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_typed_join_those_that_are_ticked() {
        let form = WebhookForm {
            ticked: vec!["appointment.created".to_owned()],
            others: " patient.created, task.done;appointment.created  patient.created ".to_owned(),
            ..WebhookForm::empty()
        };
        assert_eq!(form.events(), ["appointment.created", "patient.created", "task.done"]);
        assert!(WebhookForm::empty().events().is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_typed_type_stands_where_it_was_typed() {
        let form = WebhookForm {
            ticked: vec!["appointment.created".to_owned()],
            others: "nonsense".to_owned(),
            ..WebhookForm::empty()
        };
        let placed = |field: &str| form.placed(&[FieldProblem::new(field, "is wrong")])[0].field().to_owned();
        assert_eq!(["events[0]", "events[1]", "url"].map(placed), ["events[0]", "others", "url"]);
        let empty = WebhookForm::empty().placed(&[FieldProblem::new("events", "must name 1 to 64")]);
        assert_eq!(empty, [FieldProblem::new("events", "choose at least one event")]);
    }
}
