//! Where a delivery stands, and what comes next.

use bellhop_model::{DeliveryState, EndReason, Standing};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::badge;
use super::moment::moment;
use crate::told::{moment_of, told_moment};

/// The state as a badge, with what comes next beneath.
pub(crate) fn standing(of: &Standing, now: OffsetDateTime) -> Markup {
    html! {
        (badge::delivery_state(of.state.name()))
        @if let Some(note) = note(of, now) { " " span.note { (note) } }
    }
}

/// What a state means for what comes next; nothing where the word says it all.
///
/// A moment that has gone by says that its turn is waited for. Of what is deferred only the first of the moments at which
/// it is asked again is on record.
pub(crate) fn note(of: &Standing, now: OffsetDateTime) -> Option<Markup> {
    let told = |micros| told_moment(moment_of(micros), &of.outcome);
    let note = match of.state {
        DeliveryState::Pending => html! { "since " (moment(told(of.since_us), now)) },
        DeliveryState::Retrying { next_at_us } if now <= told(next_at_us) => {
            html! { "next attempt " (moment(told(next_at_us), now)) }
        }
        DeliveryState::Retrying { .. } => html! { "the next attempt waits for its turn" },
        DeliveryState::Deferred { next_at_us } => html! {
            "since " (moment(told(of.since_us), now))
            @if now <= told(next_at_us) { ", until " (moment(told(next_at_us), now)) }
        },
        DeliveryState::Ended(reason) => html! { (why(reason)) },
        DeliveryState::Delivered => return None,
    };
    Some(note)
}

/// Why a delivery ended other than delivered.
pub(crate) fn why(reason: EndReason) -> &'static str {
    match reason {
        EndReason::AttemptsFailed => "three attempts failed",
        EndReason::WebhookInactive => "the webhook was disabled or deleted",
        EndReason::EndpointGone => "the endpoint said that it is gone",
    }
}

#[cfg(test)]
mod tests {
    use bellhop_model::Series;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);

    fn shown(state: DeliveryState) -> String {
        let since_us = bellhop_model::micros_of(datetime!(2026-11-26 07:59 UTC));
        standing(&Standing { state, ..Standing::of_series(Series::FIRST, since_us) }, NOW).into_string()
    }

    #[test]
    fn what_comes_next_is_told_while_it_is_to_come() {
        let soon = bellhop_model::micros_of(datetime!(2026-11-26 08:10 UTC));
        let gone = bellhop_model::micros_of(datetime!(2026-11-26 07:50 UTC));
        assert!(shown(DeliveryState::Retrying { next_at_us: soon }).contains("in 10 minutes"));
        assert!(shown(DeliveryState::Retrying { next_at_us: gone }).contains("waits for its turn"));
        let deferred = shown(DeliveryState::Deferred { next_at_us: soon });
        assert!(deferred.contains("1 minute ago") && deferred.contains("in 10 minutes"), "{deferred}");
        assert!(!shown(DeliveryState::Deferred { next_at_us: gone }).contains("until"));
    }

    #[test]
    fn an_end_says_why() {
        for reason in [EndReason::AttemptsFailed, EndReason::WebhookInactive, EndReason::EndpointGone] {
            assert!(shown(DeliveryState::Ended(reason)).contains(why(reason)));
        }
        assert!(!shown(DeliveryState::Delivered).contains("note"));
    }
}
