//! A text of several lines to be taken elsewhere: as it is, in a box, with a button where there is a script.

use maud::{Markup, html};

/// * `label`: what it is; read out with the button.
pub(crate) fn copyable_block(label: &str, text: &str) -> Markup {
    html! {
        div.copyable.block role="group" aria-label=(label) {
            pre tabindex="0" { (text) }
            button.quiet type="button" hidden data-copy aria-label=(format!("Copy {label}")) { "Copy" }
        }
    }
}
