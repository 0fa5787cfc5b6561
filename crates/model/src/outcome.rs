//! What an endpoint did with one request.

use std::time::Duration;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered with a final status.
    Answered(Answer),
    /// No answer was had.
    Failed(Failure),
}

/// An endpoint's answer, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 200 to 999.
    pub status: u16,
    /// How long the endpoint asked us to wait, clamped; only of 429 and 503.
    pub retry_after: Option<Duration>,
}

/// Why there was no answer. An organisation is told [`Failure::tenant_label`], never this: it would tell what lies inside
/// our network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The deadline over everything passed.
    TimedOut,
    /// The name could not be resolved.
    Dns,
    /// The host is, or resolves to, an address that must not be called.
    ForbiddenAddress,
    /// No TCP connection.
    Connect,
    /// TLS was not agreed or the certificate not accepted.
    Tls,
    /// The connection broke after something was sent, before the answer was whole.
    Interrupted,
    /// What came back is not HTTP as we accept it.
    Protocol,
}

/// What an organisation is told in place of [`HIDDEN`].
const UNREACHABLE_HOST: &str = "unreachable_host";

/// Failures that, told apart, say whether a name exists inside.
const HIDDEN: [Failure; 2] = [Failure::Dns, Failure::ForbiddenAddress];

impl Failure {
    /// The word used in metrics, tables and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Dns => "dns",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Interrupted => "interrupted",
            Self::Protocol => "protocol",
        }
    }

    /// The word that the organisation is told, see [`Outcome::tenant_label`].
    #[must_use]
    pub const fn tenant_label(self) -> &'static str {
        match self {
            Self::Dns | Self::ForbiddenAddress => UNREACHABLE_HOST,
            Self::TimedOut | Self::Connect | Self::Tls | Self::Interrupted | Self::Protocol => self.as_str(),
        }
    }
}

impl Outcome {
    /// Every label that [`Outcome::label`] can return, for metrics that start at zero.
    pub const LABELS: [&'static str; 12] = [
        "2xx",
        "3xx",
        "4xx",
        "5xx",
        "other",
        "timed_out",
        "dns",
        "forbidden_address",
        "connect",
        "tls",
        "interrupted",
        "protocol",
    ];

    /// Whether the endpoint took the event: any 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Answered(Answer { status: 200..=299, .. }))
    }

    /// A label with few values: the status class or the failure.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Answered(Answer { status: 200..=299, .. }) => "2xx",
            Self::Answered(Answer { status: 300..=399, .. }) => "3xx",
            Self::Answered(Answer { status: 400..=499, .. }) => "4xx",
            Self::Answered(Answer { status: 500..=599, .. }) => "5xx",
            Self::Answered(_) => "other",
            Self::Failed(failure) => failure.as_str(),
        }
    }

    /// The label that the organisation is told.
    ///
    /// It differs from [`Outcome::label`] in one word: `unreachable_host` stands for `dns` and for `forbidden_address`.
    /// Of a name that our own name servers alone know, the two would say whether it exists inside. The other failures tell
    /// of hosts only that may be called: nobody else is connected to. Whoever shows this to an organisation keeps to
    /// itself what would tell the two apart all the same: how long such an attempt took, and any detail of its error.
    #[must_use]
    pub const fn tenant_label(&self) -> &'static str {
        match self {
            Self::Answered(_) => self.label(),
            Self::Failed(failure) => failure.tenant_label(),
        }
    }

    /// The label that the organisation is told, for an outcome on record.
    ///
    /// * `label`: what [`Outcome::label`] said, or a word of another version of this program.
    /// * returns as [`Outcome::tenant_label`]; a word that is not known is not repeated, because it may say what a known
    ///   one hides: it becomes `other`.
    #[must_use]
    pub fn tenant_label_of(label: &str) -> &'static str {
        if HIDDEN.iter().any(|hidden| hidden.as_str() == label) {
            return UNREACHABLE_HOST;
        }
        Self::LABELS.into_iter().find(|known| *known == label).unwrap_or("other")
    }

    /// The status, when there was an answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(Answer { status, .. }) => Some(*status),
            Self::Failed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: [Failure; 7] = [
        Failure::TimedOut,
        Failure::Dns,
        Failure::ForbiddenAddress,
        Failure::Connect,
        Failure::Tls,
        Failure::Interrupted,
        Failure::Protocol,
    ];

    fn outcomes() -> impl Iterator<Item = Outcome> {
        let answered = [200, 302, 410, 503, 600].map(|status| Answer { status, retry_after: None });
        answered.into_iter().map(Outcome::Answered).chain(FAILURES.map(Outcome::Failed))
    }

    #[test]
    fn every_outcome_has_a_label_of_the_list() {
        let labels: Vec<_> = outcomes().map(|outcome| outcome.label()).collect();
        assert_eq!(labels, Outcome::LABELS);
    }

    #[test]
    fn an_organisation_is_not_told_whether_a_name_exists_inside() {
        for outcome in outcomes() {
            let told = outcome.tenant_label();
            let is_hidden = matches!(outcome, Outcome::Failed(Failure::Dns | Failure::ForbiddenAddress));
            assert_eq!(told, if is_hidden { "unreachable_host" } else { outcome.label() });
            assert_eq!(Outcome::tenant_label_of(outcome.label()), told, "on record as in memory");
        }
    }

    #[test]
    fn a_word_on_record_that_is_not_known_is_not_repeated() {
        for label in ["", "dns_internal", "DNS", "unreachable_host"] {
            assert_eq!(Outcome::tenant_label_of(label), "other", "{label}");
        }
    }
}
