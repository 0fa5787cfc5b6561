//! Parts of pages that show what is new by themselves: the script asks for the page again, and is given the part alone.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};

use super::frame;
use crate::state::Api;

/// The header by which the script says that nobody did anything: it only looks for what is new.
pub(super) const REFRESH: &str = "bellhop-refresh";

/// How many seconds lie between two looks at a list, and at one thing that is under way.
pub(crate) const LIST_SECONDS: u32 = 5;
pub(crate) const ONE_SECONDS: u32 = 3;

/// Whether it is the script that asks.
pub(crate) struct Refresh(pub(crate) bool);

impl FromRequestParts<Api> for Refresh {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.contains_key(REFRESH)))
    }
}

/// A part that is refreshed.
///
/// * `id`: by which the script finds it on the page and in the answer.
/// * `seconds`: between two looks; none when nothing new is to come.
pub(crate) fn part(id: &str, seconds: Option<u32>, content: &Markup) -> Markup {
    html! { div.part id=(id) data-refresh=[seconds] { (content) } }
}

/// What stands beside such a part: news for those who do not see it, and a way to them without a script.
///
/// * `path`: of the page.
pub(crate) fn refresh_link(path: &str) -> Markup {
    html! {
        p.unseen role="status" data-news {}
        noscript { a.button.plain href=(path) { "Refresh" } }
    }
}

/// Answers the script with a part alone.
pub(crate) fn answer(part: Markup) -> Response {
    frame::answer(StatusCode::OK, part)
}
