//! The way from one page of a list to the next.

use maud::{Markup, html};

/// * `first`: where the list begins; given on every page but the first.
/// * `next`: where it goes on; given on every page but the last.
pub(crate) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a href=(first) { "Back to the beginning" } }
                @if let Some(next) = next { a.button href=(next) rel="next" { "Next page" } }
            }
        }
    }
}
