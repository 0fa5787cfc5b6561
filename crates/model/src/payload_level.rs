//! How much of an event a webhook is sent.

use std::fmt;
use std::ops::Not;

use serde::{Deserialize, Serialize};

use crate::{Expansion, ExpansionError};

/// Stands in the place of the objects that are sent whole. A program from before there was a choice knows no such object
/// and refuses it, instead of sending what nobody asked for.
const ID_ONLY: &str = "id_only";

/// How much of an event a webhook is sent.
///
/// What is expanded belongs to the full payload alone: whoever wants nothing but ids cannot want a patient whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum PayloadLevel {
    /// The appointment, with these objects whole.
    Full(Expansion),
    /// `{"data":{"id":…}}` and nothing else; the receiver asks the platform for the rest.
    IdOnly,
}

/// Words that contradict each other, or that name no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadLevelError {
    /// An unknown object.
    #[error(transparent)]
    Expansion(#[from] ExpansionError),
    /// An object is to be sent whole of a payload that is not sent.
    #[error(
        "nothing can be expanded in a payload that is `id_only`: expand nothing, or send the full payload"
    )]
    Contradiction,
    /// Neither of the two.
    #[error("`{0}` is no payload level: expected `full` or `id_only`")]
    Unknown(String),
}

impl PayloadLevel {
    /// The two names, as [`PayloadLevel::name`] gives them.
    pub const NAMES: [&str; 2] = ["full", ID_ONLY];

    /// Puts a level together.
    ///
    /// * `name`: `full` or `id_only`.
    ///
    /// # Errors
    /// [`PayloadLevelError`] for another name, and when something is to be expanded in what is `id_only`.
    pub fn new(name: &str, expansion: Expansion) -> Result<Self, PayloadLevelError> {
        match name {
            "full" => Ok(Self::Full(expansion)),
            ID_ONLY if expansion == Expansion::default() => Ok(Self::IdOnly),
            ID_ONLY => Err(PayloadLevelError::Contradiction),
            _ => {
                Err(PayloadLevelError::Unknown(name.chars().take(32).flat_map(char::escape_debug).collect()))
            }
        }
    }

    /// The level without what it expands: `full` or `id_only`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::IdOnly => ID_ONLY,
        }
    }

    /// Which objects are sent whole.
    #[must_use]
    pub fn expansion(self) -> Expansion {
        match self {
            Self::Full(expansion) => expansion,
            Self::IdOnly => Expansion::default(),
        }
    }

    /// The level in words, as it is stored: the objects that are sent whole, or `id_only`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let id_only = (self == Self::IdOnly).then_some(ID_ONLY);
        self.expansion().names().chain(id_only)
    }

    /// Reads what [`PayloadLevel::words`] gave.
    ///
    /// # Errors
    /// [`PayloadLevelError`] for a word that is neither, and for both kinds together.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, PayloadLevelError> {
        let mut expansion = Expansion::default();
        let mut name = "full";
        for word in words {
            match word {
                ID_ONLY => name = ID_ONLY,
                object => expansion.add(object)?,
            }
        }
        Self::new(name, expansion)
    }
}

impl Default for PayloadLevel {
    /// What the platform's guide promises: the appointment, nothing expanded.
    fn default() -> Self {
        Self::Full(Expansion::default())
    }
}

impl From<Expansion> for PayloadLevel {
    fn from(expansion: Expansion) -> Self {
        Self::Full(expansion)
    }
}

impl fmt::Display for PayloadLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A level in a record: what is expanded, as it was written before there was a choice, and one member more.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(skip_serializing_if = "Not::not")]
    patient: bool,
    #[serde(skip_serializing_if = "Not::not")]
    task: bool,
    #[serde(skip_serializing_if = "Not::not")]
    window: bool,
    #[serde(skip_serializing_if = "Not::not")]
    id_only: bool,
}

impl From<PayloadLevel> for Written {
    fn from(level: PayloadLevel) -> Self {
        let Expansion { patient, task, window } = level.expansion();
        Self { patient, task, window, id_only: level == PayloadLevel::IdOnly }
    }
}

impl TryFrom<Written> for PayloadLevel {
    type Error = PayloadLevelError;

    fn try_from(Written { patient, task, window, id_only }: Written) -> Result<Self, PayloadLevelError> {
        Self::new(if id_only { ID_ONLY } else { "full" }, Expansion { patient, task, window })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level() -> impl Strategy<Value = PayloadLevel> {
        let full = any::<[bool; 3]>().prop_map(|[patient, task, window]| Expansion { patient, task, window });
        prop_oneof![full.prop_map(PayloadLevel::Full), Just(PayloadLevel::IdOnly)]
    }

    proptest! {
        #[test]
        fn a_level_survives_its_words_and_its_record(level in level()) {
            prop_assert_eq!(PayloadLevel::from_words(level.words()), Ok(level));
            prop_assert_eq!(PayloadLevel::new(level.name(), level.expansion()), Ok(level));
            let record = serde_json::to_string(&level).expect("plain fields");
            prop_assert_eq!(serde_json::from_str::<PayloadLevel>(&record).expect("our own"), level);
        }
    }

    #[test]
    fn a_full_level_is_written_as_it_was_before_there_was_a_choice() {
        let level = PayloadLevel::Full(Expansion { task: true, ..Expansion::default() });
        assert_eq!(serde_json::to_string(&level).expect("plain fields"), r#"{"task":true}"#);
        assert_eq!(serde_json::to_string(&PayloadLevel::default()).expect("plain fields"), "{}");
    }

    #[test]
    fn words_of_both_kinds_and_unknown_ones_are_refused() {
        use PayloadLevelError::{Contradiction, Expansion, Unknown};
        assert_eq!(PayloadLevel::from_words(["patient", "id_only"]), Err(Contradiction));
        assert!(serde_json::from_str::<PayloadLevel>(r#"{"id_only":true,"patient":true}"#).is_err());
        assert!(matches!(PayloadLevel::from_words(["everything"]), Err(Expansion(_))));
        let error = PayloadLevel::new("none", crate::Expansion::default()).expect_err("no level");
        assert_eq!(error, Unknown("none".to_owned()));
    }

    /// What the program from before the choice does with each word of the table and of the copy in Redis.
    #[test]
    fn an_older_program_refuses_the_word_rather_than_send_everything() {
        let mut expansion = Expansion::default();
        assert!(PayloadLevel::IdOnly.words().any(|word| expansion.add(word).is_err()));
    }
}
