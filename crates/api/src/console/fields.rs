//! Forms: what our own pages send, and nobody else's.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use super::cookie;
use super::sender::{check_sender, foreign};
use crate::body::Raw;
use crate::problem::Problem;
use crate::state::Api;

/// The field by which a form says which session it belongs to.
pub(super) const CSRF: &str = "csrf";

/// Most fields of a form.
const FIELDS_MAX: usize = 512;

/// What a form of the session that the browser has says.
#[derive(Debug)]
pub(crate) struct Fields(Form);

/// What a form says that needs no session: that of signing in.
#[derive(Debug)]
pub(crate) struct OpenFields(Form);

#[derive(Debug)]
struct Form(Vec<(String, String)>);

impl Fields {
    /// The first value of a name, without the blanks around it; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.text(name)
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.all(name)
    }

    /// The version that a page showed, for a change that is for no other.
    pub(crate) fn version(&self) -> Option<i64> {
        self.0.text("version").parse().ok()
    }
}

impl OpenFields {
    /// The first value of a name, without the blanks around it; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.text(name)
    }
}

impl Form {
    fn text(&self, name: &str) -> &str {
        let first = self.0.iter().find(|(found, _)| found == name);
        first.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Reads a form that a page of ours sent.
    async fn read(request: Request, api: &Api) -> Result<Self, Problem> {
        check_sender(request.headers(), request.uri())?;
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let title = "The body is not a form";
            let detail = "the console takes forms; programs use `/v1`, which `/openapi.json` describes";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-form", title, detail));
        }
        let Raw(bytes) = Raw::from_request(request, api).await?;
        let pairs = form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

impl FromRequest<Api> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let expected = cookie::token(request.headers()).map(|token| cookie::csrf(&token));
        let form = Form::read(request, api).await?;
        let is_ours =
            expected.is_some_and(|expected| form.text(CSRF).as_bytes().ct_eq(expected.as_bytes()).into());
        if is_ours { Ok(Self(form)) } else { Err(foreign()) }
    }
}

impl FromRequest<Api> for OpenFields {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Form::read(request, api).await.map(Self)
    }
}
