//! The document around every page, and pages that need nobody signed in.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::Assets;
use super::parts::mark;

/// What a page may do: show itself, with what this host serves, and send forms back to it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Forms must say which origin they come from, and other hosts must hear nothing.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");

/// No other site's window holds on to this one.
const OPENER_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));

/// A document.
pub(super) struct Document<'a> {
    /// Its title, without the name of the program.
    pub(super) title: &'a str,
    /// What the stylesheet tells the mode by: `test`, `live` or `bare`.
    pub(super) class: &'a str,
    /// How often it asks for itself again, for pages that do so without a script.
    pub(super) again: bool,
}

impl Document<'_> {
    /// The whole document.
    pub(super) fn around(&self, body: &Markup) -> Markup {
        let Assets { style, script, mark } = Assets::get();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if self.again { meta http-equiv="refresh" content="0"; }
                    title { (self.title) " · Bellhop" }
                    link rel="icon" type="image/svg+xml" href=(mark.path());
                    link rel="stylesheet" href=(style.path());
                    script type="module" src=(script.path()) {}
                }
                body class=(self.class) { (body) }
            }
        }
    }
}

/// Answers with a document.
pub(super) fn answer(status: StatusCode, document: Markup) -> Response {
    let mut response = (status, document.into_string()).into_response();
    dress(response.headers_mut());
    response
}

/// Adds what every page's answer says.
pub(super) fn dress(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, REFERRER);
    let (name, value) = OPENER_POLICY;
    headers.insert(name, value);
}

/// A page for somebody who is not signed in, or not yet: a card in the middle.
pub(super) fn bare(title: &str, body: &Markup) -> Markup {
    let body = html! {
        main.card id="content" {
            p.brand { (mark()) "Bellhop" }
            h1 { (title) }
            (body)
        }
    };
    Document { title, class: "bare", again: false }.around(&body)
}

/// Has the browser ask again by itself: it keeps its cookie to itself when another site's page led here, and sends it when
/// our own does.
pub(super) fn again() -> Response {
    let body = html! {
        main.card id="content" {
            p.brand { (mark()) "Bellhop" }
            h1 { "One moment" }
            p { "If nothing happens, load this page again." }
        }
    };
    answer(StatusCode::OK, Document { title: "One moment", class: "bare", again: true }.around(&body))
}
