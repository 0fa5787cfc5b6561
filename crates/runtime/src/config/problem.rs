//! What is wrong with a configuration, in words an operator can act on.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Longest part of a refused value that is repeated back, in characters.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// Why a process refuses its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing, may not be read, is too large or is not UTF-8.
    #[error("read the configuration file `{}`", path.display())]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML. The parser's own error is not kept: it quotes the line, which may hold a secret.
    #[error("parse the configuration file `{}`: line {line}: {message}", path.display())]
    Malformed {
        /// The file as it was named.
        path: PathBuf,
        /// Where the parser stumbled, counted from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// Values, keys, sections or variables are wrong; all of them are listed.
    #[error("accept the configuration: {0}")]
    Invalid(Problems),
}

/// Every problem of a configuration; never empty.
#[derive(Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "a refused configuration has a problem");
        Self(problems)
    }

    /// The problems in the order of discovery: values first, then what nothing reads.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(formatter, "{} {noun}", self.0.len())?;
        for problem in &self.0 {
            write!(formatter, "\n  - {problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong: where, what was given (never a secret), and what is allowed instead.
#[derive(Clone, Debug)]
pub struct Problem {
    place: Place,
    origin: Origin,
    value: Option<String>,
    message: String,
}

impl Problem {
    pub(super) fn new(place: Place, origin: Origin, value: Option<String>, message: String) -> Self {
        let value = value.map(|value| value.chars().take(SHOWN_CHARACTERS_MAX).collect());
        Self { place, origin, value, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.place)?;
        if let Some(value) = &self.value {
            write!(formatter, "= `{value}` ")?;
        }
        write!(formatter, "({}) {}", self.origin, self.message)
    }
}

/// What a problem is about: `[section]`, `[section] key` or a variable.
#[derive(Clone, Debug)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn section(name: &str) -> Self {
        Self(format!("`[{name}]`"))
    }

    pub(super) fn key(section: &str, key: &str) -> Self {
        Self(format!("`[{section}] {key}`"))
    }

    pub(super) fn variable(name: &str) -> Self {
        Self(format!("`{name}`"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Default,
    Environment,
    Variable(String),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "not set"),
            Self::Environment => write!(formatter, "in the environment"),
            Self::Variable(name) => write!(formatter, "from variable `{name}`"),
            Self::File(path) => write!(formatter, "in file `{}`", path.display()),
        }
    }
}
