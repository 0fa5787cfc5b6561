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

/// Why there was no answer. What a tenant sees of it never tells what lies inside our network.
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

    /// The status, when there was an answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(Answer { status, .. }) => Some(*status),
            Self::Failed(_) => None,
        }
    }
}
