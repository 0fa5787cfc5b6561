//! How a webhook fares: figures, charts, and what went wrong last.

use std::time::Duration;

use bellhop_model::Webhook;
use bellhop_store::{RateSpan, WebhookOverview};
use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::pages::webhooks::list::last_failure;
use crate::console::parts::chart::{Steps, Sum, latency_chart, numbers, requests_chart};
use crate::console::parts::count;
use crate::console::parts::webhook_path;
use crate::console::visitor::Visitor;

const HOUR: u64 = 60 * 60;

/// Which time the charts tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HealthSpan {
    Day,
    Week,
    Month,
}

/// All that is told of how a webhook fares.
pub(super) struct Panel<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) webhook: &'a Webhook,
    pub(super) span: HealthSpan,
    pub(super) told: &'a WebhookOverview,
}

impl HealthSpan {
    const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Reads the word in an address; the last day for any other.
    pub(super) fn read(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|span| Some(span.word()) == word).unwrap_or(Self::Day)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    /// The time until now, in steps that a picture has room for.
    pub(super) fn ending(self, now: OffsetDateTime) -> RateSpan {
        let (hours, step_seconds) = match self {
            Self::Day => (24, HOUR / 2),
            Self::Week => (7 * 24, 4 * HOUR),
            Self::Month => (30 * 24, 24 * HOUR),
        };
        RateSpan {
            since: now - time::Duration::hours(hours),
            until: now,
            step: Duration::from_secs(step_seconds),
        }
    }
}

impl Panel<'_> {
    pub(super) fn shown(&self) -> Markup {
        let Self { visitor, span, told, .. } = *self;
        let steps = Steps::of(span.ending(visitor.now), &told.points);
        let sum = Sum::of(&told.points);
        html! {
            section.panel aria-labelledby="health" {
                div.heading {
                    h2 id="health" { "Health" }
                    (self.spans())
                }
                dl.figures {
                    div { dt { "Success rate" } dd { (sum.rate()) } }
                    div { dt { "Requests" } dd { (count(sum.made)) } }
                    div { dt { "Failed" } dd { (count(sum.made - sum.taken)) } }
                }
                @if sum.made == 0 {
                    p.quiet { "Nothing was sent in the last " (span.name()) ". Send a test event to see that the endpoint is reached." }
                } @else {
                    (requests_chart(&steps, visitor.now))
                    (latency_chart(&steps, visitor.now))
                    (numbers(&steps))
                }
                p { "Last failure: " (last_failure(visitor, told.last_failure.as_ref())) }
            }
        }
    }

    fn spans(&self) -> Markup {
        let path = webhook_path(self.visitor, &self.webhook.id, "");
        html! {
            nav.spans aria-label="Time" {
                @for span in HealthSpan::ALL {
                    a href=(format!("{path}?span={}", span.word())) aria-current=[(span == self.span).then_some("true")] {
                        (span.name())
                    }
                }
            }
        }
    }
}
