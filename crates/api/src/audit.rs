//! Pages of the audit, as the API and the console alike read them.

use bellhop_store::{AuditCursor, AuditEntry, AuditFilter, Organisation};

use crate::page;
use crate::problem::Problem;

/// Which entries somebody wants to see, and which page of them.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Only what was done to this.
    pub(crate) target: Option<String>,
    /// Only this kind of thing.
    pub(crate) action: Option<String>,
    /// How many.
    pub(crate) limit: usize,
    /// Where the page before ended.
    pub(crate) cursor: Option<String>,
}

impl Wanted {
    /// Reads the page.
    ///
    /// * returns the entries, the newest first, and the cursor of the next page if there is one.
    ///
    /// # Errors
    /// When a word or the cursor is none, or the store cannot be read.
    pub(crate) async fn read(
        self,
        organisation: &Organisation<'_>,
    ) -> Result<(Vec<AuditEntry>, Option<String>), Problem> {
        let Self { target, action, limit, cursor } = self;
        let before: Option<AuditCursor> = page::cursor(cursor.as_deref())?;
        let (target, action) = (page::word("target", target)?, page::word("action", action)?);
        let filter = AuditFilter { target, action, before, limit: limit + 1 };
        let entries = organisation.audit(&filter).await?;
        Ok(page::cut(entries, limit, |entry| AuditCursor(entry.id).to_string()))
    }
}
