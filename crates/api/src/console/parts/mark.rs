//! The program's mark: a desk bell.

use maud::{Markup, html};

/// The mark, beside words that say the name.
pub(crate) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false" {
            path d="M4 17a8 8 0 0 1 16 0z" {}
            path d="M3 19.5h18" {}
            path d="M12 9V6.5M10 5.5h4" {}
        }
    }
}
