//! Who somebody at the shell is, for the audit.

use bellhop_store::{Actor, Author};

use super::output::ActorArguments;

/// Greatest length of an account's name that is kept, in characters.
const ACCOUNT_CHARS_MAX: usize = 64;

/// Whoever is said to ask.
pub(super) fn named(asking: &ActorArguments) -> Author {
    Author { actor: Actor::CommandLine(asking.by.as_str().to_owned()), address: None, request: None }
}

/// Whoever runs this command: the account they signed in to the machine with, as far as the environment says.
pub(super) fn at_the_shell() -> Author {
    let account = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let account = account.filter(|account| !account.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    let account = account.chars().filter(|letter| !letter.is_control()).take(ACCOUNT_CHARS_MAX).collect();
    Author { actor: Actor::CommandLine(account), address: None, request: None }
}
