//! What a page says about what was just done: by a code in its address, never by a text, which anybody could put there.

use axum::http::Uri;
use maud::{Markup, html};
use url::form_urlencoded;

/// The parameter that holds the code.
const PARAMETER: &str = "done";

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Something that was just done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Notice { $($(#[$doc])* $name,)* }

        impl Notice {
            const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

notices! {
    /// Somebody signed out.
    SignedOut = "signed-out", "You are signed out.";
    /// A session ended by itself.
    SessionEnded = "session-ended", "Your session has ended. Sign in to go on where you were.";
    /// A webhook was changed.
    Saved = "saved", "Saved. Deliveries follow the change within 5 seconds.";
    /// A webhook was enabled.
    Enabled = "enabled", "Enabled. Events from now on are delivered.";
    /// A webhook was disabled.
    Disabled = "disabled", "Disabled. Nothing is sent any more.";
    /// A webhook was deleted.
    Deleted = "deleted", "Deleted. The webhook and its secret are gone for good.";
    /// A webhook was copied here from the other mode.
    Copied = "copied", "Copied. It has a secret of its own: reveal it below and give it to the receiver.";
    /// A test event was sent.
    TestEventSent = "test-event-sent", "Test event sent. It appears in Events in a moment.";
    /// A delivery was owed again.
    Redelivered = "redelivered", "Another series of three attempts begins in a moment.";
    /// A recovery began.
    RecoveryBegun = "recovery-begun", "The recovery has begun.";
    /// A recovery was stopped.
    RecoveryCancelled = "recovery-cancelled", "The recovery is stopped. What it owed already is still delivered.";
    /// A key was revoked.
    KeyRevoked = "key-revoked", "Revoked. The key opens nothing any more.";
}

impl Notice {
    /// What an address says was done; nothing when it says what we do not know.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let query = uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, code) = pairs.find(|(name, _)| name == PARAMETER)?;
        Self::ALL.iter().copied().find(|notice| notice.code() == code)
    }

    /// A path that says that this was done.
    pub(crate) fn at(self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}{PARAMETER}={}", self.code())
    }

    /// The words.
    pub(super) fn shown(self) -> Markup {
        html! { p.notice role="status" { (self.text()) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_found_by_its_code_and_nothing_else_is_said() {
        for notice in Notice::ALL {
            let path = notice.at("/console/test/webhooks?cursor=a");
            assert_eq!(Notice::of(&path.parse().expect("a path")), Some(*notice));
        }
        assert_eq!(Notice::of(&"/console?done=%3Cb%3E".parse().expect("a path")), None);
        assert_eq!(Notice::of(&"/console".parse().expect("a path")), None);
    }
}
