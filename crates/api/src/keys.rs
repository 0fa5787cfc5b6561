//! Keys as the API and the console alike make them and tell whether they open.

use std::time::Duration;

use bellhop_model::{Role, check_key_name};
use bellhop_store::{NewKey, StoredKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::FieldProblem;

/// Longest life that a key can be given, in days.
pub(crate) const LIFETIME_DAYS_MAX: u32 = 3650;

/// Seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The fields by which a key is asked for.
pub(crate) const ROLE: &str = "role";
pub(crate) const NAME: &str = "name";
pub(crate) const EXPIRES_IN_DAYS: &str = "expiresInDays";

/// Whether a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyStatus {
    Active,
    Expired,
    Revoked,
}

impl KeyStatus {
    pub(crate) fn of(stored: &StoredKey) -> Self {
        match (stored.revoked_at, stored.is_expired) {
            (Some(_), _) => Self::Revoked,
            (None, true) => Self::Expired,
            (None, false) => Self::Active,
        }
    }
}

/// Reads what somebody wishes of a key.
///
/// * `lifetime_days`: how long it opens; for ever if `None`.
///
/// # Errors
/// All that is wrong, by field.
pub(crate) fn read(role: &str, name: &str, lifetime_days: Option<u32>) -> Result<NewKey, Vec<FieldProblem>> {
    let mut errors = Vec::new();
    let role = match role.parse() {
        Ok(role @ (Role::Administrator | Role::Developer)) => Some(role),
        _ => {
            let message = "must be `administrator` or `developer`: no other role opens anything";
            errors.push(FieldProblem::new(ROLE, message));
            None
        }
    };
    if let Err(error) = check_key_name(name) {
        errors.push(FieldProblem::new(NAME, format!("is wrong: {error}")));
    }
    if lifetime_days.is_some_and(|days| !(1..=LIFETIME_DAYS_MAX).contains(&days)) {
        errors.push(FieldProblem::new(EXPIRES_IN_DAYS, format!("must be 1 to {LIFETIME_DAYS_MAX}")));
    }
    let lifetime = lifetime_days.map(|days| Duration::from_secs(u64::from(days) * DAY_SECONDS));
    match role {
        Some(role) if errors.is_empty() => Ok(NewKey { role, name: name.to_owned(), lifetime }),
        _ => Err(errors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_of_every_field_at_once() {
        let told = format!("{:?}", read("nurse", "", Some(0)));
        for field in [ROLE, NAME, EXPIRES_IN_DAYS] {
            assert!(told.contains(&format!("{field:?}")), "{told}");
        }
        assert!(read("developer", "CI", Some(LIFETIME_DAYS_MAX + 1)).is_err());
    }

    #[test]
    fn a_key_lives_for_its_days_or_for_ever() {
        let lifetime = |days| read("developer", "CI", days).expect("it is well formed").lifetime;
        assert_eq!(lifetime(Some(2)), Some(Duration::from_secs(2 * DAY_SECONDS)));
        assert_eq!(lifetime(None), None);
    }
}
