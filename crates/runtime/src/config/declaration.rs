//! What reading a section declares: its keys, what each may hold, and where the value came from.

use super::environment;
use super::problem::{Origin, Place, Problem};

/// One setting as an operator sees it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file, in `snake_case`.
    pub name: &'static str,
    /// Sentences for the reference file: meaning, unit, why this default, what goes wrong when too low and
    /// too high.
    pub meaning: &'static str,
}

/// A section as it was declared by reading it.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) given: toml::Table,
    pub(super) entries: Vec<Entry>,
}

impl Declaration {
    pub(super) fn new(name: &'static str, meaning: &'static str, given: toml::Table) -> Self {
        Self { name, meaning, given, entries: Vec::new() }
    }

    /// Every key that the file may contain here.
    pub(super) fn key_names(&self) -> impl Iterator<Item = String> {
        self.entries.iter().flat_map(Entry::key_names)
    }

    /// Every variable that is read for this section.
    pub(super) fn variable_names(&self) -> impl Iterator<Item = String> {
        self.entries.iter().flat_map(|entry| entry.variable_names(self.name))
    }

    pub(super) fn problem(&self, key: &str, message: String) -> Option<Problem> {
        let entry = self.entries.iter().find(|entry| entry.key.name == key)?;
        let (origin, value) = entry.given.clone().unwrap_or((Origin::Default, None));
        Some(Problem::new(Place::key(self.name, key), origin, value, message))
    }
}

/// A key as it was declared by reading it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// What is allowed, to follow "must be".
    pub(super) form: String,
    /// The default, or an example where there is none, as TOML.
    pub(super) written: String,
    pub(super) is_optional: bool,
    pub(super) is_secret: bool,
    /// Where the value came from and how to show it; a secret is not shown.
    pub(super) given: Option<(Origin, Option<String>)>,
}

impl Entry {
    pub(super) fn with_default(key: Key, form: String, written: String) -> Self {
        Self { key, form, written, is_optional: false, is_secret: false, given: None }
    }

    pub(super) fn optional(key: Key, form: String, written: String) -> Self {
        Self { is_optional: true, ..Self::with_default(key, form, written) }
    }

    pub(super) fn keeping_secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    fn key_names(&self) -> impl Iterator<Item = String> {
        let file = self.is_secret.then(|| file_key(self.key.name));
        std::iter::once(self.key.name.to_owned()).chain(file)
    }

    pub(super) fn variable_names(&self, section: &str) -> impl Iterator<Item = String> {
        self.key_names().map(move |key| environment::variable_name(section, &key))
    }
}

/// The key, beside that of a secret, that names the file which holds it.
pub(super) fn file_key(key: &str) -> String {
    format!("{key}_file")
}
