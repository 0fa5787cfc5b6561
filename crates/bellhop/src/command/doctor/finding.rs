//! What an examination finds.

use serde::Serialize;

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    pub(super) subject: Subject,
    /// How bad it is.
    pub(super) mark: Mark,
    /// What was found, one sentence without its full stop.
    pub(super) what: String,
    /// Why it matters; empty where it goes without saying.
    pub(super) why: String,
    /// How to mend it; empty when nothing needs mending.
    pub(super) mend: String,
}

/// How bad a finding is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// As it should be.
    Ok,
    /// Worth knowing, nothing more.
    Note,
    /// Could not be checked.
    Skipped,
    /// Works, but somebody should look.
    Warning,
    /// Deliveries are or will be lost, late, repeated or refused.
    Problem,
}

/// What a finding is about, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Subject {
    /// Our own configuration.
    Configuration,
    /// RabbitMQ as a whole.
    Broker,
    /// Exchanges, queues, bindings, and what lies in them.
    Queues,
    /// Policies that change what a queue means.
    Policies,
    /// What our user may do.
    Permissions,
    /// The cached copy and the claims.
    Redis,
    /// The truth.
    Postgres,
    /// Whether the clocks agree.
    Clocks,
}

impl Subject {
    /// Its heading.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Broker => "RabbitMQ",
            Self::Queues => "Exchanges, queues and bindings",
            Self::Policies => "Effective policies",
            Self::Permissions => "Permissions",
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
            Self::Clocks => "Clocks",
        }
    }
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(subject: Subject, what: impl Into<String>) -> Self {
        Self::new(subject, Mark::Ok, what)
    }

    /// Worth knowing; `mend` says what could be better.
    pub(super) fn note(subject: Subject, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..Self::new(subject, Mark::Note, what) }
    }

    /// Not checked; `mend` says what it takes.
    pub(super) fn skipped(subject: Subject, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..Self::new(subject, Mark::Skipped, what) }
    }

    /// Works, but somebody should look.
    pub(super) fn warning(
        subject: Subject,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { why: why.into(), mend: mend.into(), ..Self::new(subject, Mark::Warning, what) }
    }

    /// Deliveries are or will be lost, late, repeated or refused.
    pub(super) fn problem(
        subject: Subject,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { why: why.into(), mend: mend.into(), ..Self::new(subject, Mark::Problem, what) }
    }

    fn new(subject: Subject, mark: Mark, what: impl Into<String>) -> Self {
        Self { subject, mark, what: what.into(), why: String::new(), mend: String::new() }
    }
}

/// A number with its noun: `1 queue`, `19 queues`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Names, quoted, the first few of many: `` `a`, `b` and 17 more ``.
pub(super) fn list(names: &[impl AsRef<str>]) -> String {
    const SHOWN_MAX: usize = 4;
    let shown: Vec<String> =
        names.iter().take(SHOWN_MAX).map(|name| format!("`{}`", name.as_ref())).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        hidden => format!("{shown} and {hidden} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_short_and_says_so() {
        assert_eq!((count(1, "queue"), count(0, "queue")), ("1 queue".to_owned(), "0 queues".to_owned()));
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&["a", "b", "c", "d"]), "`a`, `b`, `c`, `d`");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f"]), "`a`, `b`, `c`, `d` and 2 more");
    }
}
