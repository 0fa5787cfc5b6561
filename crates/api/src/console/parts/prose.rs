//! Our own messages as sentences on a page: what stands between backticks is shown as code.

use maud::{Markup, html};

/// A message, with what it quotes set apart.
pub(crate) fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// A fragment that completes something said before, as a sentence of its own.
pub(crate) fn sentence(fragment: &str) -> String {
    let fragment = fragment.strip_prefix("is wrong: ").unwrap_or(fragment).trim_end_matches('.');
    let mut letters = fragment.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_code_and_nothing_is_markup() {
        assert_eq!(prose("use `https` <b>").into_string(), "use <code>https</code> &lt;b&gt;");
        assert_eq!(prose("`a` and `b`").into_string(), "<code>a</code> and <code>b</code>");
    }

    #[test]
    fn a_fragment_becomes_a_sentence() {
        assert_eq!(sentence("is wrong: the URL is empty"), "The URL is empty.");
        assert_eq!(sentence("must be shorter."), "Must be shorter.");
    }
}
