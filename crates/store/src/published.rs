//! Which events were published on request of late, so that the same request again does not publish again.
//!
//! This spares repeats; it promises nothing. Whoever cannot ask, because Redis is away, publishes, and receivers drop the
//! second by its id.

use bellhop_model::{EventId, Mode, OrganisationId};
use ring::digest::{SHA256, digest};

use crate::limits::{PUBLISHED_KEPT, PUBLISHING_MAX};
use crate::scope::Scope;
use crate::{Store, StoreError};

/// Follows the fingerprint of an event that the broker has confirmed.
const CONFIRMED: &str = ".confirmed";

/// An event as somebody asks to have it published.
#[derive(Debug, Clone, Copy)]
pub struct AskedEvent<'a> {
    /// Its mode.
    pub mode: Mode,
    /// Whose it is.
    pub organisation: &'a OrganisationId,
    /// What it is called.
    pub event: &'a EventId,
    /// What it says, for telling a repeated request from another event of the same id. Only a hash of it is kept.
    pub content: &'a [u8],
}

/// What is known of an event that is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// Nothing: publish it, then say so, or that it failed. Until then others are told that it is under way.
    Begun,
    /// Another request is publishing it right now, or was cut off doing so less than [`PUBLISHING_MAX`] ago.
    UnderWay,
    /// The broker has it.
    Published,
    /// An event of this id was published, or is being published, that says something else.
    Another,
}

impl Store {
    /// Asks whether an event was published of late, and if not, begins to.
    ///
    /// # Errors
    /// Redis's; the caller then publishes, because an event published twice is better than one that is not.
    pub async fn begin_publishing(&self, event: AskedEvent<'_>) -> Result<Publishing, StoreError> {
        let fingerprint = event.fingerprint();
        let mut set = redis::cmd("SET");
        set.arg(self.published_key(event)).arg(&fingerprint);
        set.arg("NX").arg("GET").arg("EX").arg(PUBLISHING_MAX.as_secs());
        let held: Option<String> = self.inner.claims.run(&set).await?;
        Ok(match held.as_deref() {
            None => Publishing::Begun,
            Some(held) if held == fingerprint => Publishing::UnderWay,
            Some(held) if held.strip_suffix(CONFIRMED) == Some(&*fingerprint) => Publishing::Published,
            Some(_) => Publishing::Another,
        })
    }

    /// Notes, for a day, that the broker has an event.
    ///
    /// # Errors
    /// Redis's; the same request may then publish it again.
    pub async fn note_published(&self, event: AskedEvent<'_>) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        set.arg(self.published_key(event)).arg(format!("{}{CONFIRMED}", event.fingerprint()));
        set.arg("EX").arg(PUBLISHED_KEPT.as_secs());
        self.inner.claims.run(&set).await
    }

    /// Notes that an event was not published, so that the next request for it publishes at once.
    ///
    /// # Errors
    /// Redis's; requests are then told for up to [`PUBLISHING_MAX`] that it is under way.
    pub async fn give_up_publishing(&self, event: AskedEvent<'_>) -> Result<(), StoreError> {
        let mut remove = redis::cmd("DEL");
        remove.arg(self.published_key(event));
        self.inner.claims.run(&remove).await
    }

    fn published_key(&self, AskedEvent { mode, organisation, event, .. }: AskedEvent<'_>) -> String {
        let (prefix, scope) = (self.inner.cached.key_prefix(), Scope::new(mode, organisation));
        format!("{prefix}:published:{scope}:{event}")
    }
}

impl AskedEvent<'_> {
    fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, self.content);
        digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
