//! What a caller sends about a webhook, and how it is judged: every wrong field is named at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bellhop_model::{EndpointUrl, EventType, Expansion, Mode, PayloadLevel, check_description};
use bellhop_store::{EVENT_TYPES_PER_WEBHOOK_MAX, NewWebhook, WebhookChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Type};

use crate::identity::Caller;
use crate::options::EndpointRule;
use crate::problem::{FieldProblem, Problem};
use crate::state::Api;

/// The objects that can be sent whole.
const EXPANDABLE: [&str; 3] = ["patient", "task", "window"];

/// A webhook to be registered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookRequest {
    /// Where requests go: `https`, in Test Mode also `http`; no user information.
    #[schema(max_length = 2048, example = "https://example.org/webhooks")]
    pub(crate) url: String,
    /// Which event types it wants, 1 to 64.
    #[schema(min_items = 1, max_items = 64, example = json!(["appointment.scheduled"]))]
    pub(crate) events: Vec<String>,
    /// What a person calls it.
    #[serde(default)]
    #[schema(max_length = 500, example = "Staging")]
    pub(crate) description: String,
    /// Which objects are sent whole instead of as `{"id":…}`.
    #[serde(default)]
    #[schema(schema_with = expand_schema)]
    pub(crate) expand: Vec<String>,
    /// How much is sent: `full`, or `id_only`, which sends `{"data":{"id":…}}` and expands nothing.
    #[serde(default = "full")]
    #[schema(schema_with = payload_schema)]
    pub(crate) payload: String,
}

/// What is to be different; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookPatch {
    /// Where requests go.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 2048, nullable = false)]
    pub(crate) url: Option<String>,
    /// Which event types it wants, 1 to 64.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_items = 1, max_items = 64, nullable = false)]
    pub(crate) events: Option<Vec<String>>,
    /// What a person calls it.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 500, nullable = false)]
    pub(crate) description: Option<String>,
    /// Which objects are sent whole.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = expand_schema)]
    pub(crate) expand: Option<Vec<String>>,
    /// How much is sent. With `id_only` nothing is expanded, so `expand` must be, or be set to, `[]`.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = payload_schema)]
    pub(crate) payload: Option<String>,
}

/// What the edge knows about what may be registered.
pub(crate) struct Edge<'a> {
    rule: &'a EndpointRule,
}

impl<'a> Edge<'a> {
    pub(crate) fn of(api: &'a Api) -> Self {
        Self { rule: &api.options.endpoint_rule }
    }

    /// Judges a URL: its form, and its port and a literal address as they are judged when it is called.
    pub(crate) fn url(&self, text: &str, mode: Mode) -> Result<EndpointUrl, FieldProblem> {
        let wrong = |error: String| FieldProblem::new("url", format!("is wrong: {error}"));
        let url = EndpointUrl::parse(text, mode).map_err(|error| wrong(error.to_string()))?;
        url.check_port().map_err(|error| wrong(error.to_string()))?;
        let host = url.host().to_string();
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match literal.map(|address| (self.rule)(address)) {
            Some(Err(reason)) => Err(wrong(format!("{reason}: use an address that the internet can reach"))),
            _ => Ok(url),
        }
    }
}

impl WebhookRequest {
    /// Judges a registration.
    pub(crate) fn read(&self, caller: &Caller, edge: &Edge<'_>) -> Result<NewWebhook, Problem> {
        let mut errors = Vec::new();
        let url = collect(&mut errors, edge.url(&self.url, caller.mode));
        let event_types = collect_all(&mut errors, event_types(&self.events));
        collect(&mut errors, description(&self.description));
        let expansion = collect_all(&mut errors, expansion(&self.expand));
        let payload = expansion.and_then(|expansion| {
            let level = PayloadLevel::new(&self.payload, expansion);
            collect(
                &mut errors,
                level.map_err(|error| FieldProblem::new("payload", format!("is wrong: {error}"))),
            )
        });
        match (url, event_types, payload) {
            (Some(url), Some(event_types), Some(payload)) if errors.is_empty() => Ok(NewWebhook {
                mode: caller.mode,
                organisation: caller.organisation.clone(),
                url,
                event_types,
                payload,
                description: self.description.clone(),
            }),
            _ => Err(Problem::invalid(errors)),
        }
    }
}

impl WebhookPatch {
    /// Judges a change.
    pub(crate) fn read(&self, mode: Mode, edge: &Edge<'_>) -> Result<WebhookChange, Problem> {
        let mut errors = Vec::new();
        let url = self.url.as_deref().and_then(|url| collect(&mut errors, edge.url(url, mode)));
        let types = self.events.as_deref().and_then(|events| collect_all(&mut errors, event_types(events)));
        if let Some(text) = &self.description {
            collect(&mut errors, description(text));
        }
        let expansion = self.expand.as_deref().and_then(|names| collect_all(&mut errors, expansion(names)));
        if let Some(name) = self.payload.as_deref().filter(|name| !PayloadLevel::NAMES.contains(name)) {
            let names = PayloadLevel::NAMES.map(|name| format!("`{name}`")).join(" or ");
            errors.push(FieldProblem::new("payload", format!("is `{}`: it must be {names}", cut(name))));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let (description, payload) = (self.description.clone(), self.payload.clone());
        Ok(WebhookChange { url, event_types: types, description, payload, expansion })
    }
}

fn event_types(events: &[String]) -> Result<BTreeSet<EventType>, Vec<FieldProblem>> {
    if !(1..=EVENT_TYPES_PER_WEBHOOK_MAX).contains(&events.len()) {
        let message = format!("must name 1 to {EVENT_TYPES_PER_WEBHOOK_MAX} event types");
        return Err(vec![FieldProblem::new("events", message)]);
    }
    let (mut types, mut errors) = (BTreeSet::new(), Vec::new());
    for (index, text) in events.iter().enumerate() {
        match text.parse() {
            Ok(event_type) => {
                types.insert(event_type);
            }
            Err(error) => {
                errors.push(FieldProblem::new(format!("events[{index}]"), format!("is wrong: {error}")));
            }
        }
    }
    if errors.is_empty() { Ok(types) } else { Err(errors) }
}

fn expansion(names: &[String]) -> Result<Expansion, Vec<FieldProblem>> {
    let (mut expansion, mut errors) = (Expansion::default(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        if let Err(error) = expansion.add(name) {
            errors.push(FieldProblem::new(format!("expand[{index}]"), format!("is wrong: {error}")));
        }
    }
    if errors.is_empty() { Ok(expansion) } else { Err(errors) }
}

fn description(text: &str) -> Result<(), FieldProblem> {
    check_description(text).map_err(|error| FieldProblem::new("description", format!("is wrong: {error}")))
}

fn collect<T>(errors: &mut Vec<FieldProblem>, result: Result<T, FieldProblem>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn collect_all<T>(errors: &mut Vec<FieldProblem>, result: Result<T, Vec<FieldProblem>>) -> Option<T> {
    result.map_err(|several| errors.extend(several)).ok()
}

/// What a stranger sent, short and harmless enough to be shown.
fn cut(text: &str) -> String {
    text.chars().take(32).flat_map(char::escape_debug).collect()
}

/// Reads a field that may be left out, but not be null.
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn full() -> String {
    PayloadLevel::default().name().to_owned()
}

fn expand_schema() -> Array {
    let item = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(EXPANDABLE));
    ArrayBuilder::new().items(item).description(Some("Which objects are sent whole.")).build()
}

fn payload_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(PayloadLevel::NAMES))
        .description(Some(
            "How much is sent: `full`, or `id_only`, which sends the appointment's id and expands nothing.",
        ))
        .build()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bellhop_model::Role;
    use bellhop_store::Author;
    use serde_json::{Value, json};

    use super::*;

    fn judge(body: Value, mode: Mode) -> Result<NewWebhook, Vec<String>> {
        let request: WebhookRequest = serde_json::from_value(body).expect("of the right shape");
        let organisation = "org_a".parse().expect("valid");
        let caller = Caller { mode, organisation, role: Role::Developer, author: Author::SYSTEM };
        let rule: EndpointRule =
            Arc::new(
                |address| {
                    if address.is_loopback() { Err(format!("{address} is forbidden")) } else { Ok(()) }
                },
            );
        request.read(&caller, &Edge { rule: &rule }).map_err(|problem| {
            let shown = serde_json::to_value(&problem).expect("JSON");
            let errors = shown["errors"].as_array().expect("errors");
            errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
        })
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let fields = judge(
            json!({ "url": "ftp://a", "events": ["a.b", "c"], "expand": ["patient", "doctor"], "description": "a\u{7}" }),
            Mode::Test,
        );
        assert_eq!(fields.expect_err("four are wrong"), ["url", "events[1]", "description", "expand[1]"]);
    }

    #[test]
    fn a_url_is_judged_by_mode_and_a_literal_by_where_it_leads() {
        let url = |url: &str, mode| judge(json!({ "url": url, "events": ["a.b"] }), mode).is_ok();
        assert!(url("http://example.org/", Mode::Test) && !url("http://example.org/", Mode::Live));
        for forbidden in ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/"] {
            assert!(!url(forbidden, Mode::Live), "{forbidden}");
        }
        assert!(url("https://192.0.2.1/", Mode::Live) && url("https://192.0.2.1:8443/", Mode::Live));
        for odd in ["https://example.org:25/", "https://example.org:22/", "https://192.0.2.1:6667/"] {
            assert!(!url(odd, Mode::Live), "{odd}");
        }
    }

    #[test]
    fn nothing_is_expanded_in_what_is_not_sent() {
        let body = |expand: Value| json!({ "url": "https://a.example/", "events": ["a.b"], "payload": "id_only", "expand": expand });
        assert_eq!(judge(body(json!([])), Mode::Live).expect("right").payload, PayloadLevel::IdOnly);
        assert_eq!(judge(body(json!(["task"])), Mode::Live).expect_err("wrong"), ["payload"]);
    }

    #[test]
    fn what_is_null_is_not_left_out() {
        assert!(serde_json::from_str::<WebhookPatch>("{}").is_ok());
        assert!(serde_json::from_str::<WebhookPatch>(r#"{"url":null}"#).is_err());
    }
}
