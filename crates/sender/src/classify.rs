//! From an error to a failure, by type and never by message.

use std::error::Error;
use std::{io, iter};

use bellhop_model::Failure;

use crate::connector::ConnectError;

/// Says what an error of the HTTP client, or of reading a body, is to the attempt.
///
/// Whatever nothing is known of was broken off: only the connector's own errors, and requests handed back unstarted,
/// are known to have sent nothing.
pub(crate) fn failure_of(error: &(dyn Error + 'static)) -> Failure {
    let told = causes(error).find_map(failure_of_cause);
    told.unwrap_or(if causes(error).any(is_unstarted) { Failure::Connect } else { Failure::Interrupted })
}

fn failure_of_cause(cause: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(error) = cause.downcast_ref::<ConnectError>() {
        return Some(error.failure());
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_parse().then_some(Failure::Protocol);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return failure_of_io(error);
    }
    None
}

fn failure_of_io(error: &io::Error) -> Option<Failure> {
    // With TLS 1.3 a server refuses a client (say, for lack of a certificate) only after the handshake.
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Some(Failure::Tls);
    }
    // That is how hyper reports a body whose chunks are malformed.
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        .then_some(Failure::Protocol)
}

/// Whether hyper gave the request back, or never took it, because the connection was gone before.
fn is_unstarted(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_canceled() || error.is_closed())
}

/// An error and its sources, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
