//! Sign-ins to the console: the platform's backend asks for one, and sends its user's browser there with it.

use axum::extract::State;
use bellhop_model::Role;
use bellhop_store::NewSignIn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Answer, moment};
use crate::body::Json;
use crate::identity::Operator;
use crate::problem::{FieldProblem, Problem};
use crate::state::Api;

/// Greatest length of a user's name, in characters.
const USER_CHARS_MAX: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Who is to be signed in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    /// What the console and the audit call the user: 1 to 100 characters, none of them a control character.
    #[schema(min_length = 1, max_length = 100, example = "anna@example.org")]
    user: String,
    /// The user's role in the organisation. Only `administrator` and `developer` may use the console.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z_]+$", example = "developer")]
    role: String,
}

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedSignIn {
    /// What the browser shows to the console, once.
    #[schema(example = "signin_…")]
    token: String,
    /// When it stops to open.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Make a sign-in to the console
///
/// For the platform's own backend, which knows its users and says by `bellhop-organisation` and `bellhop-mode` what they
/// see; it opens once, and for a minute unless configured otherwise.
#[utoipa::path(post, path = "/v1/console/sign-ins", tag = "console", operation_id = "createSignIn",
    request_body = SignInRequest,
    responses((status = 201, description = "The sign-in, shown this once", body = CreatedSignIn)))]
async fn create(
    Operator(caller): Operator,
    State(api): State<Api>,
    Json(request): Json<SignInRequest>,
) -> Result<Answer, Problem> {
    let new = read(request, &api)?;
    let minted = caller.organisation(&api.store).mint_sign_in(&new).await?;
    let shown = CreatedSignIn { token: minted.token, expires_at: moment(minted.expires_at) };
    Ok(Answer::of(axum::http::StatusCode::CREATED, &shown))
}

fn read(request: SignInRequest, api: &Api) -> Result<NewSignIn, Problem> {
    let SignInRequest { user, role } = request;
    let mut errors = Vec::new();
    let chars = user.chars().count();
    if !(1..=USER_CHARS_MAX).contains(&chars) || user.chars().any(char::is_control) {
        let message = format!("must have 1 to {USER_CHARS_MAX} characters, none of them a control character");
        errors.push(FieldProblem::new("user", message));
    }
    match role.parse() {
        Ok(Role::Other(role)) if errors.is_empty() => Err(Problem::forbidden(format!(
            "the role `{role}` may not use the console: only `administrator` and `developer` may"
        ))),
        Ok(role) if errors.is_empty() => Ok(NewSignIn { role, user, lifetime: api.options.sign_in_lifetime }),
        result => {
            let role = result.err().map(|error| FieldProblem::new("role", format!("is wrong: {error}")));
            Err(Problem::invalid(errors.into_iter().chain(role).collect()))
        }
    }
}
