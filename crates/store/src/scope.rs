//! Whose subscriptions: everything in this crate is held per mode and organisation.

use std::fmt;

use bellhop_model::{Mode, OrganisationId};

/// One organisation in one mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) mode: Mode,
    pub(crate) organisation: OrganisationId,
}

impl Scope {
    pub(crate) fn new(mode: Mode, organisation: &OrganisationId) -> Self {
        Self { mode, organisation: organisation.clone() }
    }
}

impl fmt::Display for Scope {
    /// `live:org_…`: the end of a Redis key. Neither part can contain a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.mode, self.organisation)
    }
}
