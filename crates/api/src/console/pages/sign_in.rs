//! Signing in: with a key, or by a link that the platform asked for. A key of the other mode joins a session by key.

mod shown;
use shown::{KeyForm, key_page, link_page, link_refused};

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bellhop_model::{ApiKey, Mode, OrganisationId};
use bellhop_store::{
    Actor, Authentication, Author, KeyHolder, NewSession, Session, SessionHolder, SessionKey, SessionToken,
    SignIn,
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::console::cookie::CookieName;
use crate::console::fields::OpenFields;
use crate::console::notice::Notice;
use crate::console::visitor::{Holder, Whence, next_page, path_of};
use crate::page::Query;
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/sign-in", get(show).post(sign_in))
}

/// How somebody comes to sign in.
#[derive(Debug, Deserialize)]
struct SignInQuery {
    /// What a link of the platform shows.
    token: Option<String>,
    /// The mode that a key is asked for, of somebody who is signed in by a key of the other one.
    mode: Option<String>,
    /// The page to go to.
    next: Option<String>,
}

/// A link is opened by a button, not by being looked at: programs that look ahead would use it up, and a browser that
/// another site led here would keep the session to itself.
async fn show(
    Holder(found): Holder,
    uri: Uri,
    Query(query): Query<SignInQuery>,
) -> Result<Response, Problem> {
    if let Some(token) = &query.token {
        return Ok(link_page(token));
    }
    let form = KeyForm {
        mode: query.mode.as_deref().and_then(|mode| mode.parse().ok()).filter(|_| is_by_key(found.as_ref())),
        next: query.next.as_deref().and_then(next_page).unwrap_or_default(),
        notice: Notice::of(&uri),
        wrong: None,
    };
    Ok(key_page(StatusCode::OK, &form))
}

async fn sign_in(
    Holder(before): Holder,
    Whence(whence): Whence,
    State(api): State<Api>,
    cookie: CookieName,
    fields: OpenFields,
) -> Result<Response, Problem> {
    let token = fields.text("token");
    if !token.is_empty() {
        let Some(SignIn { mode, organisation, role, user }) =
            api.store.redeem_sign_in(token, &whence).await?
        else {
            return Ok(link_refused());
        };
        let author = Author { actor: Actor::User(user.clone()), ..whence };
        let holder = SessionHolder::User { name: user, role };
        let begun = Begun { mode, organisation, holder, next: None, cookie };
        return begun.answer(&api, &author, before).await;
    }
    let asked = fields.text("mode").parse().ok().filter(|_| is_by_key(before.as_ref()));
    let next = next_page(fields.text("next"));
    let wrong = match recognise(&api, fields.text("key")).await? {
        Err(wrong) => wrong,
        Ok(key) => match joined(key, asked, before.as_ref()) {
            Err(wrong) => wrong,
            Ok((holder, organisation, key)) => {
                let author = Author { actor: Actor::Key(key.id.clone()), ..whence };
                let begun = Begun { mode: key.mode, organisation, holder, next, cookie };
                return begun.answer(&api, &author, before).await;
            }
        },
    };
    let form = KeyForm { mode: asked, next: next.unwrap_or_default(), notice: None, wrong: Some(&wrong) };
    Ok(key_page(StatusCode::UNAUTHORIZED, &form))
}

/// Somebody who is about to be signed in.
struct Begun<'a> {
    mode: Mode,
    organisation: OrganisationId,
    holder: SessionHolder,
    next: Option<&'a str>,
    cookie: CookieName,
}

impl Begun<'_> {
    /// Signs in, with a token that nobody knew before, in place of what the browser had.
    async fn answer(
        self,
        api: &Api,
        author: &Author,
        before: Option<(SessionToken, Session)>,
    ) -> Result<Response, Problem> {
        let Self { mode, organisation, holder, next, cookie } = self;
        let lifetime = api.options.sessions.lifetime;
        let replaces = before.map(|(token, _)| token);
        let new = NewSession { mode, organisation, holder, lifetime, replaces };
        let token = api.store.begin_session(&new, author).await?;
        let page = next.map_or_else(|| path_of(mode, "/webhooks"), ToOwned::to_owned);
        Ok(([(SET_COOKIE, cookie.set(&token))], Redirect::to(&page)).into_response())
    }
}

fn is_by_key(found: Option<&(SessionToken, Session)>) -> bool {
    found.is_some_and(|(_, session)| matches!(session.holder, SessionHolder::Keys(_)))
}

/// Whose a key is, or what is wrong with it.
async fn recognise(api: &Api, text: &str) -> Result<Result<KeyHolder, String>, Problem> {
    let key: ApiKey = match text.parse() {
        Ok(key) => key,
        Err(error) => return Ok(Err(format!("{error}"))),
    };
    Ok(match api.store.authenticate(&key).await? {
        Authentication::Known(holder) => {
            let taken = api.rates.keys.take(&holder.id, Instant::now());
            taken.map_err(|too_often| Problem::too_often(too_often.retry_after, "this key"))?;
            Ok(holder)
        }
        Authentication::Unknown => Err("this key is not known here".to_owned()),
        Authentication::Expired => Err("this key has run out: ask an administrator for a new one".to_owned()),
        Authentication::Revoked => Err("this key was revoked: ask an administrator for a new one".to_owned()),
    })
}

/// Who somebody is with a key, and with the one they have.
///
/// * `asked`: the mode that a key was asked for, of somebody who has one of the other mode.
/// * returns who they are then, of which organisation, and the key; or what is wrong with it.
fn joined(
    holder: KeyHolder,
    asked: Option<Mode>,
    before: Option<&(SessionToken, Session)>,
) -> Result<(SessionHolder, OrganisationId, SessionKey), String> {
    let KeyHolder { id, mode, organisation, role } = holder;
    let key = SessionKey { mode, id, role, name: String::new() };
    let Some((asked, (_, session))) = asked.zip(before) else {
        return Ok((SessionHolder::Keys(vec![key.clone()]), organisation, key));
    };
    if mode != asked {
        return Err(format!("this is a key for {mode} mode: one for {asked} mode is needed"));
    }
    if organisation != session.organisation {
        return Err("this key is of another organisation: sign out first to see that one".to_owned());
    }
    let kept = match &session.holder {
        SessionHolder::Keys(keys) => keys.iter().filter(|kept| kept.mode != mode).cloned().collect(),
        SessionHolder::User { .. } => Vec::new(),
    };
    Ok((SessionHolder::Keys([kept, vec![key.clone()]].concat()), organisation, key))
}

#[cfg(test)]
mod tests {
    use bellhop_model::{ApiKeyId, Role};

    use super::*;

    fn holder(mode: Mode, organisation: &str, id: u8) -> KeyHolder {
        KeyHolder {
            id: ApiKeyId::from_uuid(&[id; 16]),
            mode,
            organisation: organisation.parse().expect("valid"),
            role: Role::Developer,
        }
    }

    fn by_test_key() -> (SessionToken, Session) {
        let (holder, organisation, _) =
            joined(holder(Mode::Test, "org_a", 1), None, None).expect("a key opens its own mode");
        (SessionToken::parse(&"a".repeat(43)).expect("well formed"), Session { organisation, holder })
    }

    #[test]
    fn a_key_of_the_other_mode_joins_and_no_other_does() {
        let before = by_test_key();
        let join = |key| joined(key, Some(Mode::Live), Some(&before));
        let (both, ..) = join(holder(Mode::Live, "org_a", 2)).expect("it joins");
        let SessionHolder::Keys(keys) = both else { panic!("it is by keys") };
        assert_eq!(keys.iter().map(|key| key.mode).collect::<Vec<_>>(), [Mode::Test, Mode::Live]);
        assert!(join(holder(Mode::Test, "org_a", 2)).is_err(), "of the same mode");
        assert!(join(holder(Mode::Live, "org_b", 2)).is_err(), "of another organisation");
    }

    #[test]
    fn who_was_not_asked_for_a_second_key_begins_anew() {
        let before = by_test_key();
        let (alone, organisation, _) =
            joined(holder(Mode::Live, "org_b", 2), None, Some(&before)).expect("it opens");
        assert!(matches!(alone, SessionHolder::Keys(keys) if keys.len() == 1));
        assert_eq!(organisation.as_str(), "org_b");
    }
}
