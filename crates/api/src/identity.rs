//! Who calls: the holder of a key, or the platform's own backend acting for an organisation.
//!
//! A handler takes one of the extractors here as its first argument; then nobody else reaches its body.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use bellhop_model::{ApiKey, ApiKeyId, Mode, OrganisationId, Role};
use bellhop_store::{Actor, Authentication, Author, KeyHolder, Organisation, Store};
use tokio::time::Instant;

use crate::around::{Recognised, RequestId};
use crate::client::ClientAddress;
use crate::options::OperatorCredential;
use crate::problem::Problem;
use crate::state::Api;

/// The headers by which the platform's backend says for whom it acts.
pub(crate) const ORGANISATION: &str = "bellhop-organisation";
pub(crate) const MODE: &str = "bellhop-mode";

/// The header with a key of the mode that something is copied from.
pub(crate) const SOURCE_AUTHORIZATION: &str = "bellhop-source-authorization";

/// Somebody recognised, and the one organisation and mode that they see.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) mode: Mode,
    pub(crate) organisation: OrganisationId,
    pub(crate) role: Role,
    pub(crate) author: Author,
}

/// Who may manage webhooks: developers, administrators and the platform's backend.
pub(crate) struct Developer(pub(crate) Caller);

/// Who may manage keys and read the audit: administrators and the platform's backend.
pub(crate) struct Administrator(pub(crate) Caller);

/// The platform's own backend, acting for an organisation.
pub(crate) struct Operator(pub(crate) Caller);

impl Caller {
    /// What they see and change, on record as theirs.
    pub(crate) fn organisation<'a>(&'a self, store: &'a Store) -> Organisation<'a> {
        store.organisation(self.mode, &self.organisation, &self.author)
    }
}

impl FromRequestParts<Api> for Developer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = recognise(parts, api).await?;
        match &caller.role {
            Role::Administrator | Role::Developer => Ok(Self(caller)),
            Role::Other(role) => Err(no_webhooks_for(role)),
        }
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = recognise(parts, api).await?;
        match &caller.role {
            Role::Administrator => Ok(Self(caller)),
            role => Err(Problem::forbidden(format!(
                "the role `{role}` may not manage keys or read the audit: only `administrator` may; use an administrator's key"
            ))),
        }
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = recognise(parts, api).await?;
        if caller.author.actor == Actor::Operator {
            return Ok(Self(caller));
        }
        Err(Problem::forbidden("no organisation's key may do this: it takes the operator's credential"))
    }
}

/// Who calls for the other mode as well, for what concerns both.
///
/// An organisation's key sees one mode, so it takes a second key; the platform's backend sees both.
pub(crate) async fn other_mode(caller: &Caller, headers: &HeaderMap, api: &Api) -> Result<Caller, Problem> {
    let other = match caller.mode {
        Mode::Live => Mode::Test,
        Mode::Test => Mode::Live,
    };
    if caller.author.actor == Actor::Operator {
        return Ok(Caller { mode: other, ..caller.clone() });
    }
    let wrong = |message: String| Problem::malformed(SOURCE_AUTHORIZATION, message);
    if !headers.contains_key(SOURCE_AUTHORIZATION) {
        return Err(wrong(format!("is missing: it holds a key of your organisation for {other} mode")));
    }
    let credential = credential(headers, &HeaderName::from_static(SOURCE_AUTHORIZATION))?;
    let KeyHolder { id, mode, organisation, role } = holder(credential, api).await?;
    if mode != other {
        return Err(wrong(format!("holds a key for {mode} mode, too: one for {other} mode is needed")));
    }
    if let Role::Other(role) = &role {
        return Err(no_webhooks_for(role));
    }
    limit(&id, api)?;
    let author = Author { actor: Actor::Key(id), ..caller.author.clone() };
    Ok(Caller { mode, organisation, role, author })
}

fn no_webhooks_for(role: &str) -> Problem {
    Problem::forbidden(format!(
        "the role `{role}` may not manage webhooks: only `administrator` and `developer` may; ask an administrator of your organisation for a key with one of these roles"
    ))
}

/// Counts a request of a key.
fn limit(id: &ApiKeyId, api: &Api) -> Result<(), Problem> {
    let taken = api.rates.keys.take(id, Instant::now());
    taken.map_err(|too_often| Problem::too_often(too_often.retry_after, "this key"))
}

async fn recognise(parts: &Parts, api: &Api) -> Result<Caller, Problem> {
    let credential = credential(&parts.headers, &AUTHORIZATION)?;
    let (mode, organisation, role, actor) = if OperatorCredential::is_shaped(credential) {
        // Every one is compared, so that time does not tell which.
        let is_ours =
            api.options.operators.iter().fold(false, |is_ours, operator| is_ours | operator.is(credential));
        if !is_ours {
            return Err(Problem::unauthenticated("this operator's credential is not configured here"));
        }
        let (mode, organisation) = acting_for(&parts.headers)?;
        (mode, organisation, Role::Administrator, Actor::Operator)
    } else {
        let KeyHolder { id, mode, organisation, role } = holder(credential, api).await?;
        (mode, organisation, role, Actor::Key(id))
    };
    let who = match &actor {
        Actor::Key(id) => id.as_str(),
        _ => "operator",
    };
    if let Some(recognised) = parts.extensions.get::<Recognised>() {
        let _ = recognised.0.set(who.to_owned());
    }
    if let Actor::Key(id) = &actor {
        limit(id, api)?;
    }
    let author = Author {
        actor,
        address: parts.extensions.get::<ClientAddress>().map(|client| client.0),
        request: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
    };
    Ok(Caller { mode, organisation, role, author })
}

/// The header's whole value, or what follows `Bearer`.
fn credential<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Problem> {
    let mut values = headers.get_all(name).iter();
    let (value, second) = (values.next(), values.next());
    let value = value.and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty());
    let Some(value) = value.filter(|_| second.is_none()) else {
        return Err(Problem::unauthenticated(format!(
            "send your key as the whole value of one header `{name}`, or after `Bearer`"
        )));
    };
    let bearer = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map_or(value, |(_, credential)| credential.trim_start()))
}

async fn holder(credential: &str, api: &Api) -> Result<KeyHolder, Problem> {
    let key: ApiKey = credential.parse().map_err(|error| Problem::unauthenticated(format!("{error}")))?;
    match api.store.authenticate(&key).await? {
        Authentication::Known(holder) => Ok(holder),
        Authentication::Unknown => Err(Problem::unauthenticated("this key is not known here")),
        Authentication::Expired => {
            Err(Problem::unauthenticated("this key has expired: ask an administrator for a new one"))
        }
        Authentication::Revoked => {
            Err(Problem::unauthenticated("this key was revoked: ask an administrator for a new one"))
        }
    }
}

fn acting_for(headers: &HeaderMap) -> Result<(Mode, OrganisationId), Problem> {
    let text = |name: &'static str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| Problem::malformed(name, "is missing: the operator says by it for whom it acts"))
    };
    let mode = text(MODE)?.parse().map_err(|error| Problem::malformed(MODE, format!("is wrong: {error}")))?;
    let organisation = text(ORGANISATION)?
        .parse()
        .map_err(|error| Problem::malformed(ORGANISATION, format!("is wrong: {error}")))?;
    Ok((mode, organisation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_the_whole_header_or_what_follows_bearer() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().expect("a header"));
            }
            credential(&headers, &AUTHORIZATION).map(ToOwned::to_owned).ok()
        };
        for value in ["test_1", " test_1 ", "Bearer test_1", "bearer  test_1"] {
            assert_eq!(of(&[value]).as_deref(), Some("test_1"), "{value}");
        }
        assert_eq!(of(&["Basic dGVzdA=="]).as_deref(), Some("Basic dGVzdA=="), "which is no key");
        for values in [&[][..], &[""], &[" "], &["test_1", "test_2"]] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }
}
