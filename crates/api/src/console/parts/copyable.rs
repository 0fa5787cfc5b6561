//! A text to be taken elsewhere: whole in a box, with a button where there is a script.

use maud::{Markup, html};

/// * `label`: what it is; read out with the button.
pub(crate) fn copyable(label: &str, text: &str) -> Markup {
    html! {
        div.copyable role="group" aria-label=(label) {
            code { (text) }
            button.quiet type="button" hidden data-copy aria-label=(format!("Copy {label}")) { "Copy" }
        }
    }
}
