//! Configuration: one TOML file, overlaid by the environment, read into typed values with all problems at
//! once.
//!
//! Each concern of a process declares its settings by reading them; the same declarations yield the values,
//! the list of problems and the documented reference file, so the three cannot disagree.
//!
//! Every process reads every section, also those of concerns it does not have. One file then serves the whole
//! fleet, a mistake in it is found by whichever process starts first, and a key that nobody reads is
//! certainly a typing error.
//!
//! The environment name of key `request_timeout` in section `[sender]` is `BELLHOP_SENDER_REQUEST_TIMEOUT`;
//! it beats the file. A secret may also lie in a file of its own, named by `…_FILE` or by the key `…_file`.

mod declaration;
mod environment;
mod form;
mod problem;
mod reference;
mod secret;
mod section;
mod sensitive;
mod suggestion;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::declaration::Declaration;
use self::environment::Pattern;
use self::problem::{Origin, Place};

pub use self::declaration::Key;
pub use self::form::Integer;
pub use self::problem::{ConfigError, Problem, Problems};
pub use self::section::Section;
pub use self::sensitive::Sensitive;

/// Largest configuration file that is read; ours is a hundredth of it.
const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The settings of one process while they are being read.
///
/// Read every section, then call [`Settings::finish`]: only when it agrees are the values that were read
/// valid.
#[derive(Debug)]
#[must_use = "values read from settings are valid only once `finish` agrees"]
pub struct Settings {
    file: Option<PathBuf>,
    table: toml::Table,
    environment: BTreeMap<String, String>,
    ignored: Vec<Pattern>,
    sections: Vec<Declaration>,
    problems: Vec<Problem>,
}

impl Settings {
    /// Settings without file or environment: every value is its default. For [`Settings::reference`] and for
    /// tests.
    pub fn defaults() -> Self {
        Self {
            file: None,
            table: toml::Table::new(),
            environment: BTreeMap::new(),
            ignored: Vec::new(),
            sections: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Opens the settings of a process.
    ///
    /// * `file`: TOML file of at most 1 MiB; without one, only environment and defaults count.
    /// * `environment`: usually [`std::env::vars_os`]; names that do not begin with `BELLHOP_` are skipped,
    ///   as are those that Kubernetes sets for services called `bellhop-…`.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] or [`ConfigError::Malformed`] when the file cannot be read or is not TOML.
    /// Anything else that is wrong waits for [`Settings::finish`].
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::defaults();
        if let Some(path) = file {
            settings.table = read_table(path)?;
            settings.file = Some(path.to_owned());
        }
        for (name, value) in environment {
            settings.take_variable(&name.into(), value.into());
        }
        Ok(settings)
    }

    /// Declares variables that begin with `BELLHOP_` and are not settings, so that they are not called
    /// unknown.
    ///
    /// * `patterns`: whole names (`BELLHOP_CONFIG`), or beginnings that end in `*` (`BELLHOP_STACK_*`).
    pub fn ignore(&mut self, patterns: &[&str]) {
        self.ignored.extend(patterns.iter().copied().map(Pattern::parse));
    }

    /// Starts reading section `[name]`.
    ///
    /// * `meaning`: what this concern is about, in sentences, for the reference file.
    ///
    /// # Panics
    /// When the section was read before: a section belongs to one concern.
    pub fn section(&mut self, name: &'static str, meaning: &'static str) -> Section<'_> {
        assert!(
            self.sections.iter().all(|section| section.name != name),
            "section `[{name}]` is read by one concern only"
        );
        let given = match self.table.remove(name) {
            None => toml::Table::new(),
            Some(toml::Value::Table(table)) => table,
            Some(_) => {
                self.refuse(Place::section(name), self.file_origin(), "must be a section");
                toml::Table::new()
            }
        };
        self.sections.push(Declaration::new(name, meaning, given));
        Section::last_of(self)
    }

    /// Reports a problem between sections: `[section] key` is legal by itself but not beside another value.
    ///
    /// * `message`: completes "`[section] key` …", such as "must exceed `[sender] request_timeout`".
    ///
    /// # Panics
    /// When the key was not read before.
    pub fn problem(&mut self, section: &str, key: &str, message: impl Into<String>) {
        let problem = self
            .sections
            .iter()
            .find(|declaration| declaration.name == section)
            .and_then(|declaration| declaration.problem(key, message.into()))
            .expect("a problem names a key that was read");
        self.problems.push(problem);
    }

    /// Renders the documented reference file: every section and key read so far with meaning, form and
    /// default.
    ///
    /// Keys are commented out (`#prefetch = 200`); prose has a blank after the `#`. The file is TOML either
    /// way.
    pub fn reference(&self) -> String {
        reference::render(&self.sections)
    }

    /// Ends the reading: from here on every value read is valid.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem: values that are not allowed, failed checks, and sections,
    /// keys and `BELLHOP_` variables that nothing reads.
    pub fn finish(mut self) -> Result<(), ConfigError> {
        self.refuse_unknown_sections();
        self.refuse_unknown_keys();
        self.refuse_unknown_variables();
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid(Problems::new(self.problems)))
    }

    fn take_variable(&mut self, name: &OsString, value: OsString) {
        let Some(name) = name.to_str().filter(|name| name.starts_with(environment::PREFIX)) else {
            return;
        };
        match value.into_string() {
            Ok(value) => {
                self.environment.insert(name.to_owned(), value);
            }
            Err(_) => self.refuse(Place::variable(name), Origin::Environment, "is not UTF-8"),
        }
    }

    fn refuse_unknown_sections(&mut self) {
        let known: Vec<&str> = self.sections.iter().map(|section| section.name).collect();
        let unknown: Vec<(String, String)> = self
            .table
            .keys()
            .map(|name| (name.clone(), suggestion::unknown("section", name, known.iter().copied())))
            .collect();
        for (name, message) in unknown {
            self.refuse(Place::section(&name), self.file_origin(), &message);
        }
    }

    fn refuse_unknown_keys(&mut self) {
        let mut unknown = Vec::new();
        for section in &self.sections {
            let known: BTreeSet<String> = section.key_names().collect();
            for name in section.given.keys().filter(|name| !known.contains(*name)) {
                let message = suggestion::unknown("key", name, known.iter().map(String::as_str));
                unknown.push((Place::key(section.name, name), message));
            }
        }
        for (place, message) in unknown {
            self.refuse(place, self.file_origin(), &message);
        }
    }

    fn refuse_unknown_variables(&mut self) {
        let known: BTreeSet<String> = self.sections.iter().flat_map(Declaration::variable_names).collect();
        let unknown: Vec<(String, String)> = self
            .environment
            .iter()
            .filter(|(name, _)| !known.contains(*name))
            .filter(|(name, _)| !self.ignored.iter().any(|pattern| pattern.covers(name)))
            .filter(|(name, value)| !environment::is_service_link(name, value))
            .map(|(name, _)| {
                (name.clone(), suggestion::unknown("variable", name, known.iter().map(String::as_str)))
            })
            .collect();
        for (name, message) in unknown {
            self.refuse(Place::variable(&name), Origin::Environment, &message);
        }
    }

    /// Reports a problem whose value is not shown: it may be a secret under a mistyped name.
    fn refuse(&mut self, place: Place, origin: Origin, message: &str) {
        self.problems.push(Problem::new(place, origin, None, message.to_owned()));
    }

    fn file_origin(&self) -> Origin {
        Origin::File(self.file.clone().unwrap_or_default())
    }
}

fn read_table(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = read_bounded(path, CONFIG_FILE_BYTES_MAX)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        message: error.message().to_owned(),
    })
}

/// Reads a text file, refusing one that is larger than expected: a path that leads astray must not fill the
/// memory.
fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if bytes_max < length as u64 {
        let message = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
