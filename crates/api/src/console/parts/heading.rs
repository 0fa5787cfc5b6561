//! The head of a page: where it is, what it is, what can be done.

use maud::{Markup, html};

/// A page above this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crumb<'a> {
    /// Where it is.
    pub(crate) path: &'a str,
    /// What it is called.
    pub(crate) name: &'a str,
}

/// The head of a page at the top.
///
/// * `actions`: links and buttons.
pub(crate) fn heading(title: &str, actions: &Markup) -> Markup {
    heading_below(&[], title, actions)
}

/// The head of a page below others.
pub(crate) fn heading_below(crumbs: &[Crumb<'_>], title: &str, actions: &Markup) -> Markup {
    html! {
        (trail(crumbs))
        div.heading {
            h1 { (title) }
            div.actions { (actions) }
        }
    }
}

/// The pages above a page.
pub(super) fn trail(crumbs: &[Crumb<'_>]) -> Markup {
    html! {
        @if !crumbs.is_empty() {
            nav.crumbs aria-label="Breadcrumb" {
                ol { @for crumb in crumbs { li { a href=(crumb.path) { (crumb.name) } } } }
            }
        }
    }
}
