//! Reading one section: every method declares a key, reads it, and notes what is wrong with it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::declaration::{Declaration, Entry, Key, file_key};
use super::form::{self, Given, Integer};
use super::problem::Origin;
use super::secret::GivenSecret;
use super::{Sensitive, Settings, environment};

/// Most items of a list.
const LIST_ITEMS_MAX: usize = 256;

/// One section while it is being read.
///
/// A method that finds an illegal value notes the problem and gives the default, so that reading goes on and
/// all problems are found; [`Settings::finish`] then refuses the whole.
#[derive(Debug)]
pub struct Section<'s> {
    settings: &'s mut Settings,
    index: usize,
}

impl<'s> Section<'s> {
    pub(super) fn last_of(settings: &'s mut Settings) -> Self {
        let index = settings.sections.len() - 1;
        Self { settings, index }
    }

    /// Reads a whole number in `range`.
    ///
    /// # Panics
    /// When `default` is not in `range`.
    pub fn integer<T: Integer>(&mut self, key: Key, default: T, range: RangeInclusive<T>) -> T {
        assert!(range.contains(&default), "the default of `{}` is in its range", key.name);
        let form = format!("a whole number from {} to {}", range.start(), range.end());
        let entry = Entry::with_default(key, form, default.to_string());
        self.read(entry, |given| given.integer().filter(|number| range.contains(number))).unwrap_or(default)
    }

    /// Reads a number in `range`, fractions allowed.
    ///
    /// # Panics
    /// When `default` is not in `range`.
    pub fn ratio(&mut self, key: Key, default: f64, range: RangeInclusive<f64>) -> f64 {
        assert!(range.contains(&default), "the default of `{}` is in its range", key.name);
        let form = format!("a number from {:?} to {:?}", range.start(), range.end());
        let entry = Entry::with_default(key, form, format!("{default:?}"));
        self.read(entry, |given| given.ratio().filter(|number| range.contains(number))).unwrap_or(default)
    }

    /// Reads `true` or `false`.
    pub fn flag(&mut self, key: Key, default: bool) -> bool {
        let entry = Entry::with_default(key, "`true` or `false`".to_owned(), default.to_string());
        self.read(entry, Given::flag).unwrap_or(default)
    }

    /// Reads a time span with its unit (`500ms`, `30s`, `10m`, `1h`, `7d`) in `range`.
    ///
    /// # Panics
    /// When `default` is not in `range`.
    pub fn duration(&mut self, key: Key, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        assert!(range.contains(&default), "the default of `{}` is in its range", key.name);
        let form = format!("a time span with its unit (ms, s, m, h, d), {}", span(&range));
        let entry = Entry::with_default(key, form, form::write_text(&form::write_duration(default)));
        let decode =
            |given: &Given| given.text().and_then(form::read_duration).filter(|time| range.contains(time));
        self.read(entry, decode).unwrap_or(default)
    }

    /// Reads a list of time spans, each in `each`, as many as `count` allows.
    ///
    /// # Panics
    /// When `default` does not keep to `each` and `count`.
    pub fn durations(
        &mut self,
        key: Key,
        default: &[Duration],
        each: RangeInclusive<Duration>,
        count: RangeInclusive<usize>,
    ) -> Vec<Duration> {
        let is_legal =
            |times: &[Duration]| count.contains(&times.len()) && times.iter().all(|time| each.contains(time));
        assert!(is_legal(default), "the default of `{}` is in its range", key.name);
        let form = format!(
            "a list of {} to {} time spans with their unit (ms, s, m, h, d), each {}",
            count.start(),
            count.end(),
            span(&each)
        );
        let written: Vec<String> = default.iter().copied().map(form::write_duration).collect();
        let entry = Entry::with_default(key, form, form::write_list(&written));
        let decode = |given: &Given| {
            let times: Option<Vec<Duration>> = given.items()?.into_iter().map(form::read_duration).collect();
            times.filter(|times| is_legal(times))
        };
        self.read(entry, decode).unwrap_or_else(|| default.to_vec())
    }

    /// Reads an amount of memory with its unit (`512B`, `64KiB`, `1MiB`, `1GiB`) in `range`, given in bytes.
    ///
    /// # Panics
    /// When `default` is not in `range`.
    pub fn bytes<T: Integer>(&mut self, key: Key, default: T, range: RangeInclusive<T>) -> T {
        assert!(range.contains(&default), "the default of `{}` is in its range", key.name);
        let (least, most) = (form::write_bytes(*range.start()), form::write_bytes(*range.end()));
        let form = format!("an amount of memory with its unit (B, KiB, MiB, GiB), {least} to {most}");
        let entry = Entry::with_default(key, form, form::write_text(&form::write_bytes(default)));
        let decode =
            |given: &Given| given.text().and_then(form::read_bytes).filter(|bytes| range.contains(bytes));
        self.read(entry, decode).unwrap_or(default)
    }

    /// Reads a text that is not empty.
    pub fn text(&mut self, key: Key, default: &str) -> String {
        let entry =
            Entry::with_default(key, "a text that is not empty".to_owned(), form::write_text(default));
        self.read(entry, |given| given.text().map(str::to_owned)).unwrap_or_else(|| default.to_owned())
    }

    /// Reads a text that may be absent, but not empty.
    ///
    /// * `example`: a legal value for the reference file.
    pub fn optional_text(&mut self, key: Key, example: &str) -> Option<String> {
        let entry = Entry::optional(key, "a text that is not empty".to_owned(), form::write_text(example));
        self.read(entry, |given| given.text().map(str::to_owned))
    }

    /// Reads one of a few words.
    ///
    /// * `choices`: each word and what it stands for.
    ///
    /// # Panics
    /// When `default` is not among the choices.
    pub fn choice<T: Copy + PartialEq>(&mut self, key: Key, default: T, choices: &[(&'static str, T)]) -> T {
        let (word, _) =
            choices.iter().find(|(_, choice)| *choice == default).expect("the default is among the choices");
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        let entry = Entry::with_default(key, format!("one of {}", words.join(", ")), form::write_text(word));
        let decode = |given: &Given| {
            let chosen = given.text()?;
            choices.iter().find(|(word, _)| *word == chosen).map(|(_, choice)| *choice)
        };
        self.read(entry, decode).unwrap_or(default)
    }

    /// Reads a value that knows how to parse itself from text.
    ///
    /// * `form`: what is allowed, to follow "must be": "a socket address such as `0.0.0.0:9464`".
    /// * `default`: its `Display` is what `T` parses.
    pub fn parsed<T>(&mut self, key: Key, form: &str, default: T) -> T
    where
        T: FromStr<Err: Display> + Display,
    {
        let entry = Entry::with_default(key, form.to_owned(), form::write_text(&default.to_string()));
        self.try_read(entry, |given| parse(given.text())).unwrap_or(default)
    }

    /// Reads a value that may be absent and knows how to parse itself from text.
    ///
    /// * `form`: what is allowed, to follow "must be".
    /// * `example`: a legal value for the reference file.
    pub fn optional_parsed<T>(&mut self, key: Key, form: &str, example: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let entry = Entry::optional(key, form.to_owned(), form::write_text(example));
        self.try_read(entry, |given| parse(given.text()))
    }

    /// Reads a list of values that parse themselves: an array of strings in the file, separated by commas in
    /// a variable.
    ///
    /// * `form`: what each item must be, in the plural, to follow "a list of": "networks such as
    ///   `10.0.0.0/8`".
    pub fn list<T>(&mut self, key: Key, form: &str, default: &[T]) -> Vec<T>
    where
        T: FromStr<Err: Display> + Display + Clone,
    {
        let written: Vec<String> = default.iter().map(T::to_string).collect();
        let form = format!("a list of at most {LIST_ITEMS_MAX} {form}");
        let entry = Entry::with_default(key, form, form::write_list(&written));
        let decode = |given: &Given| {
            let items = given.items().filter(|items| items.len() <= LIST_ITEMS_MAX).ok_or(None)?;
            items.into_iter().map(|item| parse(Some(item).filter(|item| !item.is_empty()))).collect()
        };
        self.try_read(entry, decode).unwrap_or_else(|| default.to_vec())
    }

    /// Reads a secret that may be absent: from the variable, from the file that `…_FILE` names, or from the
    /// same two keys of the configuration file. A trailing line break is no part of it. No problem ever shows
    /// it.
    ///
    /// * `form`: what is allowed, to follow "must be"; the caller checks it and reports with
    ///   [`Section::problem`].
    /// * `example`: a legal value for the reference file.
    pub fn secret(&mut self, key: Key, form: &str, example: &str) -> Option<Sensitive> {
        let mut entry = Entry::optional(key, form.to_owned(), form::write_text(example)).keeping_secret();
        let layers = [self.secret_variables(key.name), self.secret_keys(key.name)];
        let given = layers.into_iter().flatten().next();
        entry.given = given.as_ref().map(|given| (given.origin.clone(), None));
        self.declare(entry);
        match given?.read() {
            Ok(secret) => Some(secret),
            Err(message) => {
                self.problem(key.name, message);
                None
            }
        }
    }

    /// Reports that a key which was read is legal by itself but not beside another value.
    ///
    /// * `message`: completes "`[section] key` …", such as "must exceed `connect_timeout`"; never contains a
    ///   secret.
    ///
    /// # Panics
    /// When the key was not read before.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let problem =
            self.declaration().problem(key, message.into()).expect("a problem names a key that was read");
        self.settings.problems.push(problem);
    }

    fn read<T>(&mut self, entry: Entry, decode: impl FnOnce(&Given) -> Option<T>) -> Option<T> {
        self.try_read(entry, |given| decode(given).ok_or(None))
    }

    /// Declares a key and reads it; a refusal may carry the reason.
    fn try_read<T>(
        &mut self,
        mut entry: Entry,
        decode: impl FnOnce(&Given) -> Result<T, Option<String>>,
    ) -> Option<T> {
        let name = entry.key.name;
        let given = self.variable(name).or_else(|| self.key(name));
        entry.given = given.as_ref().map(|(origin, given)| (origin.clone(), Some(given.shown())));
        let form = entry.form.clone();
        self.declare(entry);
        match decode(&given?.1) {
            Ok(value) => Some(value),
            Err(reason) => {
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.problem(name, format!("must be {form}{reason}"));
                None
            }
        }
    }

    fn declare(&mut self, entry: Entry) {
        let names: Vec<String> = entry.variable_names(self.declaration().name).collect();
        let is_taken =
            self.settings.sections.iter().flat_map(Declaration::variable_names).any(|n| names.contains(&n));
        assert!(!is_taken, "key `{}` has a variable of its own", entry.key.name);
        self.settings.sections[self.index].entries.push(entry);
    }

    fn variable(&self, key: &str) -> Option<(Origin, Given)> {
        let name = environment::variable_name(self.declaration().name, key);
        let value = self.settings.environment.get(&name)?.clone();
        Some((Origin::Variable(name), Given::Variable(value)))
    }

    fn key(&self, key: &str) -> Option<(Origin, Given)> {
        let value = self.declaration().given.get(key)?.clone();
        Some((self.settings.file_origin(), Given::File(value)))
    }

    fn secret_variables(&self, key: &str) -> Option<GivenSecret> {
        GivenSecret::new(self.variable(key), self.variable(&file_key(key)))
    }

    fn secret_keys(&self, key: &str) -> Option<GivenSecret> {
        GivenSecret::new(self.key(key), self.key(&file_key(key)))
    }

    fn declaration(&self) -> &Declaration {
        &self.settings.sections[self.index]
    }
}

fn span(range: &RangeInclusive<Duration>) -> String {
    format!("{} to {}", form::write_duration(*range.start()), form::write_duration(*range.end()))
}

fn parse<T: FromStr<Err: Display>>(text: Option<&str>) -> Result<T, Option<String>> {
    text.ok_or(None)?.parse().map_err(|error: T::Err| Some(error.to_string()))
}
