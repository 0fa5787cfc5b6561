//! From an error to a failure, by type and never by message.

use std::error::Error;
use std::{io, iter};

use bellhop_model::Failure;

use crate::connector::ConnectError;
use crate::stream::Unwritten;

/// Says what an error of the HTTP client, or of reading a body, is to the attempt.
///
/// Whatever nothing is known of was broken off: only the connector's own errors, and requests handed back unstarted,
/// are known to have sent nothing.
pub(crate) fn failure_of(error: &(dyn Error + 'static)) -> Failure {
    let told = causes(error).find_map(failure_of_cause);
    told.unwrap_or_else(|| {
        if causes(error).any(is_handed_back) { Failure::Connect } else { Failure::Interrupted }
    })
}

/// Whether it is known that nothing of the request was written.
pub(crate) fn is_unwritten(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| unwritten(error).is_some())
}

fn failure_of_cause(cause: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(error) = cause.downcast_ref::<ConnectError>() {
        return Some(error.failure());
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return (error.is_parse() || is_unsolicited(error)).then_some(Failure::Protocol);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return failure_of_io(error);
    }
    None
}

fn failure_of_io(error: &io::Error) -> Option<Failure> {
    match unwritten(error) {
        Some(Unwritten::Ended) => return Some(Failure::Connect),
        Some(Unwritten::Unsolicited) => return Some(Failure::Protocol),
        None => {}
    }
    // With TLS 1.3 a server refuses a client (say, for lack of a certificate) only after the handshake.
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Some(Failure::Tls);
    }
    // That is how hyper reports a body whose chunks are malformed.
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        .then_some(Failure::Protocol)
}

fn unwritten(error: &io::Error) -> Option<Unwritten> {
    error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
}

/// Whether hyper gave the request back, or never took it, because the connection was gone before.
fn is_handed_back(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_canceled() || error.is_closed())
}

/// Whether the request was given back because the endpoint talked before it was asked: an error of hyper's own, behind
/// the one that gives back.
fn is_unsolicited(error: &hyper::Error) -> bool {
    let reason = error.source().and_then(|reason| reason.downcast_ref::<hyper::Error>());
    error.is_canceled()
        && reason.is_some_and(|reason| !reason.is_incomplete_message() && reason.source().is_none())
}

/// An error and its sources, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
