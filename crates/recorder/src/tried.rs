//! What came of trying to write records.

use std::panic::AssertUnwindSafe;

use bellhop_store::StoreError;
use futures_util::FutureExt as _;

/// What came of one try.
#[derive(Debug)]
pub(crate) enum Tried {
    /// They are committed.
    Written,
    /// Some of them can never be written; why, without repeating any of it.
    Refused(String),
    /// It is no record's fault, and may work later.
    Failed(StoreError),
}

impl Tried {
    /// Waits for what comes of a try.
    ///
    /// A panic is as final as a refusal: the same records would panic again, for ever, and keep all others that were
    /// gathered with them from being written. What it said is in the log, by the runtime's hook.
    pub(crate) async fn of(write: impl Future<Output = Result<(), StoreError>>) -> Self {
        match AssertUnwindSafe(write).catch_unwind().await {
            Ok(Ok(())) => Self::Written,
            Ok(Err(error)) if error.is_of_data() => Self::Refused(error.to_string()),
            Ok(Err(error)) => Self::Failed(error),
            Err(_) => Self::Refused(
                "writing it panics, which is a defect: the recorder's log says where".to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_is_refused_like_what_the_tables_refuse() {
        let failed = |code: &str, is_transient| StoreError::PostgresFailed {
            code: code.to_owned(),
            message: "no".to_owned(),
            is_transient,
        };
        assert!(matches!(Tried::of(async { Ok(()) }).await, Tried::Written));
        assert!(matches!(Tried::of(async { Err(failed("22021", false)) }).await, Tried::Refused(_)));
        assert!(matches!(Tried::of(async { Err(failed("57P01", true)) }).await, Tried::Failed(_)));
        let tried = Tried::of(async { panic!("of +447700900123") }).await;
        assert!(matches!(&tried, Tried::Refused(reason) if reason.contains("panics")), "{tried:?}");
        assert!(!format!("{tried:?}").contains("4477"), "what a panic says may be a payload");
    }
}
