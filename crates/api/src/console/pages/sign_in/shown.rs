//! How signing in looks.

use axum::http::StatusCode;
use axum::response::Response;
use bellhop_model::Mode;
use maud::html;

use crate::console::frame::{answer, bare};
use crate::console::notice::Notice;
use crate::console::page::name_of;
use crate::console::parts::{Field, Input, text_input};
use crate::problem::FieldProblem;

/// The form that takes a key.
pub(super) struct KeyForm<'a> {
    /// The mode that a key is asked for, of somebody who has one of the other mode.
    pub(super) mode: Option<Mode>,
    /// The page to go to.
    pub(super) next: &'a str,
    /// What was just done.
    pub(super) notice: Option<Notice>,
    /// What is wrong with the key that was given.
    pub(super) wrong: Option<&'a str>,
}

/// Asks for a key.
pub(super) fn key_page(status: StatusCode, form: &KeyForm<'_>) -> Response {
    let KeyForm { mode, next, notice, wrong } = *form;
    let errors: Vec<FieldProblem> = wrong.map(|wrong| FieldProblem::new("key", wrong)).into_iter().collect();
    let hint = match mode {
        Some(Mode::Live) => "It begins with `live_`.",
        Some(Mode::Test) => "It begins with `test_`.",
        None => "It begins with `test_` or `live_`, and opens that mode alone.",
    };
    let field = Field { name: "key", label: "API key", hint, errors: &errors };
    let input = Input { kind: "password", value: "", placeholder: "", required: true };
    let title = mode.map_or_else(|| "Sign in".to_owned(), |mode| format!("A key for {}", name_of(mode)));
    let body = html! {
        @if let Some(notice) = notice { (notice.shown()) }
        @if let Some(mode) = mode {
            p {
                "You are signed in by a key, and a key opens one mode. To see " (name_of(mode))
                " as well, add a key of your organisation for it."
            }
        }
        form method="post" action="/console/sign-in" {
            @if let Some(mode) = mode { input type="hidden" name="mode" value=(mode); }
            @if !next.is_empty() { input type="hidden" name="next" value=(next); }
            (text_input(&field, input))
            div.buttons { button type="submit" { @if mode.is_some() { "Add key" } @else { "Sign in" } } }
        }
        @if mode.is_some() {
            p.quiet { a href="/console" { "Stay where you are" } }
        } @else {
            p.quiet { "Coming from the platform? Open the console there: it signs you in by itself." }
        }
    };
    answer(status, bare(&title, &body))
}

/// Asks whether to use a link.
pub(super) fn link_page(token: &str) -> Response {
    let body = html! {
        p { "The platform sent you here, and vouches for you." }
        form method="post" action="/console/sign-in" {
            input type="hidden" name="token" value=(token);
            div.buttons { button type="submit" autofocus { "Continue to the console" } }
        }
        p.quiet { "This link opens once, and for a short time." }
    };
    answer(StatusCode::OK, bare("Sign in", &body))
}

/// Says that a link opens nothing any more.
pub(super) fn link_refused() -> Response {
    let body = html! {
        div.problem role="alert" {
            p { "This link was used already, or its time is over." }
        }
        p { "Go back to the platform and open the console from there once more." }
        p.quiet { a href="/console/sign-in" { "Sign in with an API key instead" } }
    };
    answer(StatusCode::UNAUTHORIZED, bare("This link does not open any more", &body))
}
