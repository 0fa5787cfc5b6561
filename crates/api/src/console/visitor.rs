//! Who looks at a page: somebody who is signed in, in the mode of the page's path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use bellhop_model::{Mode, Role, Webhook, WebhookId};
use bellhop_store::{Actor, Author, Session, SessionHolder, SessionToken, StoreError};
use time::OffsetDateTime;
use tokio::time::Instant;
use url::form_urlencoded;

use super::failure::Seen;
use super::notice::Notice;
use super::refresh::REFRESH;
use super::sender::is_led_from_elsewhere;
use super::{cookie, frame};
use crate::around::{Recognised, RequestId};
use crate::client::ClientAddress;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::state::Api;

/// What begins every path of the console.
const ROOT: &str = "/console/";

/// Somebody who is signed in and may manage webhooks, and the one mode that they see here.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Who they are to everything else.
    pub(crate) caller: Caller,
    /// What they are called: the user's name, or the key's.
    pub(crate) name: String,
    /// What their forms carry.
    pub(crate) csrf: String,
    /// Who they are in the other mode, if they may see it.
    pub(crate) other_mode: Option<Caller>,
    /// When they asked.
    pub(crate) now: OffsetDateTime,
    /// What was just done.
    pub(super) notice: Option<Notice>,
}

/// A visitor who may also manage keys and read the audit.
pub(crate) struct AdministratorVisitor(pub(crate) Visitor);

/// The one id in a page's path, beside its mode.
pub(crate) struct PathId<T>(pub(crate) T);

/// Who a browser says it is; nobody, if it says nothing or what opens nothing any more.
pub(super) struct Holder(pub(super) Option<(SessionToken, Session)>);

/// Where a request comes from and what it is called; by whom is yet to be found out.
pub(super) struct Whence(pub(super) Author);

impl Visitor {
    /// A path in the mode that is seen.
    ///
    /// * `rest`: what follows the mode, with a slash in front.
    pub(crate) fn path(&self, rest: &str) -> String {
        path_of(self.caller.mode, rest)
    }

    /// A webhook of theirs in the mode that is seen; `None` when there is none, or none any more.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub(crate) async fn webhook(&self, api: &Api, id: &WebhookId) -> Result<Option<Webhook>, Problem> {
        match self.caller.organisation(&api.store).webhook(id).await {
            Ok(webhook) => Ok(Some(webhook)),
            Err(StoreError::UnknownWebhook(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether they may manage keys and read the audit.
    pub(crate) fn is_administrator(&self) -> bool {
        self.caller.role == Role::Administrator
    }
}

/// A path of the console in a mode.
pub(crate) fn path_of(mode: Mode, rest: &str) -> String {
    format!("{ROOT}{mode}{rest}")
}

/// The mode that is not this one.
pub(crate) fn other(mode: Mode) -> Mode {
    match mode {
        Mode::Live => Mode::Test,
        Mode::Test => Mode::Live,
    }
}

impl FromRequestParts<Api> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let Holder(found) = Holder::from_request_parts(parts, api).await.map_err(Problem::into_response)?;
        let Some((token, session)) = found else { return Err(unknown(parts)) };
        let asked = mode_of(parts, api).await.map_err(Problem::into_response)?;
        let open = |mode| caller(&session, mode, parts);
        let mode = asked.or_else(|| [Mode::Test, Mode::Live].into_iter().find(|mode| open(*mode).is_some()));
        let mode = mode.unwrap_or(Mode::Test);
        let Some((caller, name)) = open(mode) else {
            return Err(Redirect::to(&sign_in_path(Some(mode), &parts.uri, None)).into_response());
        };
        let other_mode = open(other(mode)).map(|(caller, _)| caller);
        let visitor = Self {
            csrf: cookie::csrf(&token),
            other_mode: other_mode.filter(|caller| !matches!(caller.role, Role::Other(_))),
            now: OffsetDateTime::now_utc(),
            notice: Notice::of(&parts.uri),
            caller,
            name,
        };
        if let Some(seen) = parts.extensions.get::<Seen>() {
            seen.note(&visitor);
        }
        match &visitor.caller.role {
            Role::Administrator | Role::Developer => Ok(visitor),
            Role::Other(role) => Err(refused(role).into_response()),
        }
    }
}

impl FromRequestParts<Api> for AdministratorVisitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, api).await?;
        if visitor.is_administrator() {
            return Ok(Self(visitor));
        }
        let detail = "keys and the audit are open to the role `administrator` alone: ask an administrator of your organisation";
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not open this page", detail)
            .into_response())
    }
}

impl<T: FromStr + Send> FromRequestParts<Api> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("nothing of your organisation has this id in this mode");
        let id = parameter(parts, api, "id").await;
        id.and_then(|id| id.parse().ok()).map(Self).ok_or_else(unknown)
    }
}

impl FromRequestParts<Api> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Some(token) = cookie::token(&parts.headers) else { return Ok(Self(None)) };
        let idle_max = api.options.sessions.idle_max;
        let session = if parts.headers.contains_key(REFRESH) {
            api.store.session(&token, idle_max).await?
        } else {
            api.store.session_in_use(&token, idle_max).await?
        };
        let Some(session) = session else { return Ok(Self(None)) };
        let taken = api.rates.sessions.take(&token.hash(), Instant::now());
        taken.map_err(|too_often| Problem::too_often(too_often.retry_after, "this session"))?;
        if let Some(recognised) = parts.extensions.get::<Recognised>() {
            // A user's name is a person's.
            let who = match &session.holder {
                SessionHolder::User { .. } => "user".to_owned(),
                SessionHolder::Keys(keys) => keys.first().map(|key| key.id.to_string()).unwrap_or_default(),
            };
            let _ = recognised.0.set(who);
        }
        Ok(Self(Some((token, session))))
    }
}

impl FromRequestParts<Api> for Whence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        Ok(Self(author(parts, Actor::System)))
    }
}

fn author(parts: &Parts, actor: Actor) -> Author {
    Author {
        actor,
        address: parts.extensions.get::<ClientAddress>().map(|client| client.0),
        request: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
    }
}

/// Where somebody signs in, and is led back from.
///
/// * `mode`: the one that takes a key of its own.
/// * `from`: where they are; led back to when it is a page.
pub(super) fn sign_in_path(mode: Option<Mode>, from: &Uri, notice: Option<Notice>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(mode) = mode {
        query.append_pair("mode", mode.as_str());
    }
    query.append_pair("next", from.path());
    let path = format!("{ROOT}sign-in?{}", query.finish());
    notice.map_or(path.clone(), |notice| notice.at(&path))
}

/// The page that somebody is led to after signing in, if it is one.
pub(super) fn next_page(given: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-');
    let is_page = given.starts_with(ROOT) && given.bytes().all(is_plain) && !given.contains("//");
    (is_page && !given.starts_with("/console/sign-")).then_some(given)
}

/// The mode that a page's path names, if its pages have one.
async fn mode_of(parts: &mut Parts, api: &Api) -> Result<Option<Mode>, Problem> {
    let Some(mode) = parameter(parts, api, "mode").await else { return Ok(None) };
    let unknown = |_| Problem::not_found("the console has no such page: its modes are `test` and `live`");
    mode.parse().map(Some).map_err(unknown)
}

/// What stands in a page's path.
async fn parameter(parts: &mut Parts, api: &Api, name: &str) -> Option<String> {
    let values = RawPathParams::from_request_parts(parts, api).await.ok()?;
    values.iter().find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

/// Who somebody is in a mode, and what they are called, if that mode is open to them.
fn caller(session: &Session, mode: Mode, parts: &Parts) -> Option<(Caller, String)> {
    let (role, actor, name) = match &session.holder {
        SessionHolder::User { name, role } => (role.clone(), Actor::User(name.clone()), name.clone()),
        SessionHolder::Keys(keys) => {
            let key = keys.iter().find(|key| key.mode == mode)?;
            (key.role.clone(), Actor::Key(key.id.clone()), format!("Key “{}”", key.name))
        }
    };
    let organisation = session.organisation.clone();
    Some((Caller { mode, organisation, role, author: author(parts, actor) }, name))
}

/// What is answered to nobody: a way to become somebody.
fn unknown(parts: &Parts) -> Response {
    if parts.headers.contains_key(REFRESH) {
        return Problem::unauthenticated("your session has ended: sign in again").into_response();
    }
    let is_cookie_shown = cookie::token(&parts.headers).is_some();
    if !is_cookie_shown && parts.method == Method::GET && is_led_from_elsewhere(&parts.headers) {
        return frame::again();
    }
    let notice = is_cookie_shown.then_some(Notice::SessionEnded);
    let page = Uri::from_static("/console");
    let from = if parts.method == Method::GET { &parts.uri } else { &page };
    Redirect::to(&sign_in_path(None, from, notice)).into_response()
}

fn refused(role: &str) -> Problem {
    let detail = format!(
        "your role is `{role}`, and webhooks are open to the roles `administrator` and `developer` alone: ask an administrator of your organisation for one of them"
    );
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not open the console", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_from_the_console() {
        for page in ["/console/test/webhooks", "/console/live/webhooks/wh_0a/edit", "/console/verify"] {
            assert_eq!(next_page(page), Some(page));
        }
        for page in [
            "",
            "/console",
            "/",
            "https://evil.example/console/",
            "//evil.example",
            "/console//evil.example",
            "/console/\\evil.example",
            "/console/../v1",
            "/console/a?b",
            "/console/sign-in",
            "/console/sign-out",
        ] {
            assert_eq!(next_page(page), None, "{page}");
        }
    }
}
