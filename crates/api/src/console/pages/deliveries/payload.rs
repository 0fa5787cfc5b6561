//! How a request looks that somebody opened: what was sent, to the byte, and the beginning of what was answered.

use bellhop_model::{AnswerRecord, Webhook};
use bellhop_store::LoggedDelivery;
use maud::{Markup, html};
use time::OffsetDateTime;

use super::curl::{self, Body};
use super::pretty::pretty;
use super::shown::head;
use crate::console::parts::{answered, copyable_block, moment};
use crate::revealed::{METHOD, Revealed};

/// Largest body that is also shown with its lines apart and as part of a command, in bytes: a page must stay light.
const REPEATED_BYTES_MAX: usize = 16 * 1024;

/// Largest text that a body becomes with its lines apart, in bytes.
const PRETTY_BYTES_MAX: usize = 2 * REPEATED_BYTES_MAX;

/// What a large body is to be saved as before it is sent by hand.
const FILE: &str = "payload.json";

/// A request that was opened, on record.
pub(super) struct ShownPayload<'a> {
    pub(super) now: OffsetDateTime,
    pub(super) delivery: &'a LoggedDelivery,
    /// `None` when it is deleted.
    pub(super) webhook: Option<&'a Webhook>,
    pub(super) revealed: &'a Revealed,
}

impl ShownPayload<'_> {
    /// The page's body.
    pub(super) fn whole(&self) -> Markup {
        let made = &self.revealed.attempt;
        html! {
            (head(self.delivery, self.webhook, "Payload", &html! {}))
            p.warning-box {
                "This is health data. That you viewed it is on record in the audit."
            }
            section.panel aria-labelledby="request" {
                h2 id="request" { "Request" }
                p {
                    "Attempt " (made.attempt) @if 1 < made.series.0 { " of series " (made.series.0) } ", "
                    (moment(made.started_at, self.now)) ": " code { (METHOD) " " (self.told_place()) }
                }
                p.hint { "Of the URL only scheme, host and port are kept: its path may be a credential." }
                h3 { "Headers" }
                (copyable_block("headers", &self.headers()))
                (self.body())
            }
            (self.as_curl())
            section.panel aria-labelledby="answer" {
                h2 id="answer" { "Answer" }
                (self.answer())
            }
        }
    }

    fn told_place(&self) -> &str {
        self.revealed.attempt.origin.as_deref().unwrap_or("(not noted)")
    }

    fn headers(&self) -> String {
        lines(self.revealed.headers.iter().map(|(name, value)| (*name, value.as_str())))
    }

    fn body(&self) -> Markup {
        let body = self.revealed.body.as_str();
        let short = Some(body).filter(|body| body.len() <= REPEATED_BYTES_MAX);
        let readable = short.and_then(|body| pretty(body, PRETTY_BYTES_MAX));
        html! {
            @if let Some(readable) = &readable {
                details.reading open {
                    summary { "Body, made readable" }
                    (copyable_block("readable body", readable))
                }
            }
            details.reading open[readable.is_none()] {
                summary { "Body, as it was sent (" (body.len()) " bytes)" }
                (copyable_block("body", body))
            }
        }
    }

    /// The same request, to where the webhook points now.
    fn as_curl(&self) -> Markup {
        let origin = self.revealed.attempt.origin.as_deref();
        let url = self.webhook.map(|webhook| webhook.url.expose()).or(origin);
        let body = self.revealed.body.as_str();
        let is_large = REPEATED_BYTES_MAX < body.len();
        html! {
            @if let Some(url) = url {
                section.panel aria-labelledby="curl" {
                    h2 id="curl" { "As a command" }
                    p.hint {
                        "For a POSIX shell. "
                        @if self.webhook.is_some() { "It goes to the webhook's present URL. " }
                        "The signature is that of the time of sending, so a receiver that refuses old timestamps refuses it."
                        @if is_large { " Save the body as " code { (FILE) } " first." }
                    }
                    details.reading {
                        summary { "Show the command" }
                        (copyable_block("curl command", &curl::command(url, &self.revealed.headers,
                            if is_large { Body::File(FILE) } else { Body::Inline(body) })))
                    }
                }
            }
        }
    }

    fn answer(&self) -> Markup {
        let made = &self.revealed.attempt;
        html! {
            p { (answered(made.status, &made.outcome)) }
            @match &self.revealed.answer {
                None => p.quiet { "Nothing beyond that is on record." },
                Some(AnswerRecord { headers, body, is_truncated }) => {
                    @if !headers.is_empty() {
                        h3 { "Headers" }
                        (copyable_block("answer headers", &lines(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))))
                    }
                    h3 { "Body" @if *is_truncated { ", its beginning" } }
                    @if body.is_empty() { p.quiet { "Empty." } } @else { (copyable_block("answer body", body)) }
                },
            }
        }
    }
}

fn lines<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
