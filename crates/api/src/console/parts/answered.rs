//! What came of a request: the status it was answered with, or why there was no answer, in words for the organisation.

use maud::{Markup, html};

use crate::told::told;

/// What came of a request.
///
/// * `outcome`: as it is on record; empty when no request was made yet.
pub(crate) fn answered(status: Option<u16>, outcome: &str) -> Markup {
    if outcome.is_empty() && status.is_none() {
        return html! { span.quiet { "None yet" } };
    }
    let tone = if told(outcome) == "2xx" { "good" } else { "bad" };
    match status {
        Some(status) => html! { strong class=(format!("answer {tone}")) { (status) } },
        None => html! { span class=(format!("answer {tone}")) { (why_not(outcome)) } },
    }
}

/// Why there was no answer; of an answer whose status is not at hand, its hundred.
pub(crate) fn why_not(outcome: &str) -> &'static str {
    match told(outcome) {
        "timed_out" => "Timed out",
        "unreachable_host" => "Host cannot be reached",
        "connect" => "No connection",
        "tls" => "TLS failed",
        "interrupted" => "Connection broke",
        "protocol" => "Not HTTP",
        "other" => "Another answer",
        hundred => hundred,
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::Outcome;

    use super::*;

    #[test]
    fn every_outcome_is_told_in_words_of_its_own_save_those_that_must_not_be_told_apart() {
        let mut words: Vec<&str> = Outcome::LABELS.iter().map(|label| why_not(label)).collect();
        assert_eq!(why_not("dns"), why_not("forbidden_address"));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Outcome::LABELS.len() - 1);
    }

    #[test]
    fn a_status_says_more_than_its_hundred() {
        let shown = answered(Some(503), "5xx").into_string();
        assert!(shown.contains("503") && shown.contains("bad") && !shown.contains("5xx"), "{shown}");
        assert!(answered(Some(204), "2xx").into_string().contains("good"));
        assert!(answered(None, "").into_string().contains("None yet"));
        assert!(answered(None, "a word of tomorrow").into_string().contains("Another answer"));
    }
}
