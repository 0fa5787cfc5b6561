//! The API's description, OpenAPI 3.1, made from the routes that are served.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Contact, Info, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required,
    SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

use crate::identity::{MODE, ORGANISATION};
use crate::problem::{FieldProblem, PROBLEM_JSON, Problem};
use crate::routes;

/// What the groups of routes are about.
const TAGS: [(&str, &str); 8] = [
    ("webhooks", "What the organisation registered: URL, events, secret; and test events for one."),
    ("event types", "What can happen, and what an event carries."),
    (
        "events",
        "What happened, as the log tells it; and publishing, for platforms that are not on the broker.",
    ),
    (
        "deliveries",
        "What became of each event at each webhook, request by request; and delivering one again.",
    ),
    ("recoveries", "Delivering many of a webhook again, at a pace."),
    ("keys", "Keys by which the organisation calls this API; for administrators."),
    ("audit", "Who did what to webhooks, keys and secrets; for administrators."),
    ("console", "Sign-ins to the console, which the platform's own backend asks for."),
];

/// What the platform's own backend shows.
const OPERATOR: &str = "The credential of the platform's own backend (`operator_…`), as the whole value of the header or \
    after `Bearer`. The headers `bellhop-organisation` and `bellhop-mode` say for whom it acts, as an administrator.";

/// What the headers are called by which the platform's own backend says for whom it acts.
const ORGANISATION_PARAMETER: &str = "actingForOrganisation";
const MODE_PARAMETER: &str = "actingInMode";

/// Refusals that any route may answer with.
const REFUSALS: [(&str, &str); 6] = [
    ("401", "No valid key was given"),
    ("403", "The key's role may not do that; the detail says which may"),
    ("429", "Too many requests; `Retry-After` says when to ask again"),
    ("500", "Something went wrong here"),
    ("503", "Something we need is away for a moment; `Retry-After` says when to ask again"),
    ("400", "A parameter, a header or the JSON itself cannot be read"),
];

/// Refusals of routes that take a body.
const BODY_REFUSALS: [(&str, &str); 4] = [
    ("408", "The body took too long to arrive"),
    ("413", "The body is too large"),
    ("415", "The body is not JSON, or does not say so"),
    ("422", "The request is invalid; `errors` names each field"),
];

/// Describes the API.
pub(crate) fn openapi() -> OpenApi {
    let mut document = routes::described().into_openapi();
    document.info = info();
    // Wherever it is served, perhaps behind a proxy that nobody here knows of.
    document.servers = Some(vec![Server::new("/")]);
    document.tags = Some(
        TAGS.iter()
            .map(|(name, meaning)| TagBuilder::new().name(*name).description(Some(*meaning)).build())
            .collect(),
    );
    document.security =
        Some(["key", "bearer", "operator"].map(|name| SecurityRequirement::new(name, [""; 0])).into());
    let components = document.components.take().unwrap_or_default();
    document.components = Some(
        ComponentsBuilder::from(components)
            .schema(Problem::name(), Problem::schema())
            .schema(FieldProblem::name(), FieldProblem::schema())
            .security_scheme(
                "key",
                SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                    "Authorization",
                    "The key as the whole value of the header.",
                ))),
            )
            .security_scheme(
                "bearer",
                SecurityScheme::Http(
                    HttpBuilder::new()
                        .scheme(HttpAuthScheme::Bearer)
                        .description(Some("The key after `Bearer`."))
                        .build(),
                ),
            )
            .security_scheme(
                "operator",
                SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                    "Authorization",
                    OPERATOR,
                ))),
            )
            .parameter(
                ORGANISATION_PARAMETER,
                acting_for(ORGANISATION, "The organisation", organisation_schema()),
            )
            .parameter(MODE_PARAMETER, acting_for(MODE, "The mode, `live` or `test`,", mode_schema()))
            .build(),
    );
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            refuse(operation, path.contains('{'));
            let parameters = [ORGANISATION_PARAMETER, MODE_PARAMETER]
                .map(|name| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
            operation.parameters.get_or_insert_default().extend(parameters);
        }
    }
    document
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Bellhop")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Webhooks of an organisation. The key decides organisation and mode: keys that begin with `test_` see \
             and change what is in Test Mode, those that begin with `live_` the rest, and neither can tell that the \
             other exists. Every answer carries `x-request-id`; a request may bring its own. Refusals are \
             `application/problem+json` (RFC 9457), but for requests whose head cannot be read: what is no HTTP/1.1 is \
             answered with 400, and a head of more than 16 KiB or 64 fields with 431, both empty, without any of these \
             headers, and with the end of the connection. Rates hold for each process that serves this.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .contact(None::<Contact>)
        .build()
}

/// Declares what a route may refuse with, unless it says more about it itself.
fn refuse(operation: &mut Operation, names_something: bool) {
    let mut refusals: Vec<(&str, &str)> = REFUSALS.to_vec();
    if names_something {
        refusals.push(("404", "Nothing here has this id"));
    }
    if operation.request_body.is_some() {
        refusals.extend(BODY_REFUSALS);
    }
    for (status, meaning) in refusals {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response = ResponseBuilder::new().description(meaning).content(PROBLEM_JSON, problem).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let id = HeaderBuilder::new()
                .schema(Some(Object::with_type(Type::String)))
                .description(Some("The request's id."))
                .build();
            response.headers.entry("x-request-id".to_owned()).or_insert(id.into());
        }
    }
}

/// A header that means something beside the operator's credential only.
fn acting_for(name: &str, what: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(format!(
            "{what} that the operator acts for: required with the operator's credential, passed over with a key."
        )))
        .schema(Some(schema))
        .build()
}

fn organisation_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^org_[A-Za-z0-9_-]+$"))
        .examples(["org_7eUZfyQq3xxxXXXxJlf"])
        .build()
}

fn mode_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["live", "test"])).build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_openapi_3_1_and_declares_what_every_route_may_refuse_with() {
        let document = serde_json::to_value(openapi()).expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().expect("paths");
        assert!(paths.contains_key("/v1/keys"), "{paths:?}");
        for (path, item) in paths {
            for (method, operation) in item.as_object().expect("operations") {
                for status in ["401", "403", "429", "500", "503"] {
                    let content = &operation["responses"][status]["content"];
                    assert!(content[PROBLEM_JSON].is_object(), "{method} {path} {status}");
                }
                let parameters = operation["parameters"].to_string();
                for name in [ORGANISATION_PARAMETER, MODE_PARAMETER] {
                    assert!(parameters.contains(name), "{method} {path} lacks {name}: {parameters}");
                }
                assert!(operation["operationId"].is_string(), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
    }
}
