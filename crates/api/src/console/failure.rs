//! What is shown of a refusal: the same words as the API's, as a page, in the frame of whoever was recognised.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::Response;
use bellhop_model::Role;
use maud::{Markup, html};

use super::frame;
use super::page::{Page, Section};
use super::parts::{heading, prose, sentence};
use super::visitor::Visitor;
use crate::problem::Problem;

/// Who asked for a page, as soon as that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<OnceLock<Visitor>>);

impl Seen {
    pub(super) fn note(&self, visitor: &Visitor) {
        let _ = self.0.set(visitor.clone());
    }
}

/// Whether a path is one of the console's.
pub(crate) fn is_page(path: &str) -> bool {
    path.strip_prefix("/console").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Makes a page of a problem that a handler answered with.
///
/// * `id`: of the request.
pub(crate) fn show_problem(response: &mut Response, problem: &Problem, id: &str, seen: &Seen) {
    let body = told(problem, id);
    let document = match seen.0.get() {
        Some(visitor) => {
            let webhooks = visitor.path("/webhooks");
            let body = html! {
                (heading(problem.title(), &html! {}))
                div.panel {
                    (body)
                    @if !matches!(visitor.caller.role, Role::Other(_)) {
                        div.buttons { a.button.plain href=(webhooks) { "Go to the webhooks" } }
                    }
                }
            };
            Page { visitor, section: Section::None, title: problem.title() }.document(&body)
        }
        None => {
            frame::bare(problem.title(), &html! { (body) p { a href="/console" { "Go to the console" } } })
        }
    };
    *response.body_mut() = Body::from(document.into_string());
    response.headers_mut().remove(WWW_AUTHENTICATE);
    frame::dress(response.headers_mut());
}

fn told(problem: &Problem, id: &str) -> Markup {
    html! {
        p.lead { (prose(&sentence(problem.detail()))) }
        p.quiet { "Request " code { (id) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_a_path_and_what_lies_below_it() {
        for page in ["/console", "/console/", "/console/test/webhooks"] {
            assert!(is_page(page), "{page}");
        }
        for other in ["/", "/consoles", "/v1/console/sign-ins", "/openapi.json"] {
            assert!(!is_page(other), "{other}");
        }
    }
}
