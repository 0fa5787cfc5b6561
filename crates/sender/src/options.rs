//! What an operator may choose about sending, and why a choice is refused.

use std::time::Duration;

use hickory_resolver::net::NetError;
use rustls::pki_types::CertificateDer;

use crate::address::AllowList;

/// Common servers close idle connections after five seconds; whoever waits as long writes into a closing one.
const IDLE_TIMEOUT_BELOW: Duration = Duration::from_secs(5);

/// How a [`Sender`](crate::Sender) sends.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// One deadline over resolving, connecting, TLS, request, headers and body. Default 15 s: receivers are expected to
    /// take the event and work later. Too low fails slow endpoints; too high lets a hanging one hold its slot for long.
    pub request_timeout: Duration,
    /// Greatest time of each of the three steps before the request: resolving, TCP, TLS. Default 5 s, so that within
    /// `request_timeout` an unreachable host is told from a slow one: what exceeds it is a failure of that step.
    pub step_timeout: Duration,
    /// Addresses that may be called although they are forbidden to strangers. Default none.
    pub allowed: AllowList,
    /// How long a connection is kept for the next request, below 5 s. Default 4 s. The higher, the more requests meet a
    /// connection that the endpoint is closing at that moment, which is a failed attempt.
    pub idle_timeout: Duration,
    /// Idle connections kept per host and mode. Default 16; zero opens a connection for each request. Too few, and a burst
    /// for one host opens and closes connections, each worth several requests; too many keep sockets of quiet hosts.
    pub idle_connections_per_host_max: usize,
    /// Connections kept in each mode, at whatever hosts. Default 1024; what is opened beyond is closed after its request.
    /// Too few, and requests open connections that could have been kept; too many, and a fleet that calls many hosts runs
    /// out of open files.
    pub kept_connections_max: usize,
    /// Certificate authorities accepted besides the public ones, see [`read_certificates`](crate::read_certificates).
    /// Default none.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// Why there is no sender. Nothing here passes by itself: something must be configured differently.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// An option is outside its range.
    #[error("`{option}` is out of range: expected {expected}")]
    OutOfRange {
        /// The field of [`SenderOptions`].
        option: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
    /// An extra root is no certificate authority, or TLS cannot be set up with the roots given.
    #[error("the TLS roots cannot be used")]
    Roots(#[source] rustls::Error),
    /// The system's resolver configuration cannot be used.
    #[error("the system's resolver configuration cannot be used")]
    Resolver(#[source] NetError),
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(15),
            step_timeout: Duration::from_secs(5),
            allowed: AllowList::default(),
            idle_timeout: Duration::from_secs(4),
            idle_connections_per_host_max: 16,
            kept_connections_max: 1024,
            extra_roots: Vec::new(),
        }
    }
}

impl SenderOptions {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SenderError::OutOfRange`] for the first option that is outside its range.
    pub(crate) fn check(&self) -> Result<(), SenderError> {
        let require = |is_met: bool, option, expected| {
            if is_met { Ok(()) } else { Err(SenderError::OutOfRange { option, expected }) }
        };
        require(!self.request_timeout.is_zero(), "request_timeout", "more than zero")?;
        require(!self.step_timeout.is_zero(), "step_timeout", "more than zero")?;
        require(self.idle_timeout < IDLE_TIMEOUT_BELOW, "idle_timeout", "less than 5 s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert!(SenderOptions::default().check().is_ok());
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let refused = |change: fn(&mut SenderOptions)| {
            let mut options = SenderOptions::default();
            change(&mut options);
            match options.check() {
                Err(SenderError::OutOfRange { option, .. }) => option,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|o| o.request_timeout = Duration::ZERO), "request_timeout");
        assert_eq!(refused(|o| o.step_timeout = Duration::ZERO), "step_timeout");
        assert_eq!(refused(|o| o.idle_timeout = IDLE_TIMEOUT_BELOW), "idle_timeout");
    }
}
