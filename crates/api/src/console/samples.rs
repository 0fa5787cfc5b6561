//! Things that pages show, for their tests.

use bellhop_model::{
    Attempt, DeliveryId, DeliveryState, EndpointUrl, Mode, OrganisationId, PayloadLevel, RequestId, Role,
    Series, Standing, Timing, Webhook, WebhookId, WebhookStatus, micros_of,
};
use bellhop_store::{Actor, Author, LoggedAttempt, LoggedDelivery};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::visitor::Visitor;
use crate::identity::Caller;

/// When every page here is looked at.
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);

/// What no page may show as markup.
pub(super) const HOSTILE: &str = "<script>alert(1)</script>\"'&";

/// What becomes of it where it is a text.
pub(super) const HARMLESS: &str = "&lt;script&gt;alert(1)&lt;/script&gt;";

pub(super) fn organisation() -> OrganisationId {
    "org_a".parse().expect("an id")
}

pub(super) fn visitor() -> Visitor {
    let author = Author { actor: Actor::User("Zoë".to_owned()), address: None, request: None };
    let caller = Caller { mode: Mode::Test, organisation: organisation(), role: Role::Developer, author };
    Visitor {
        caller,
        name: "Zoë".to_owned(),
        csrf: "the-token".to_owned(),
        other_mode: None,
        now: NOW,
        notice: None,
    }
}

pub(super) fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(&[7; 16]),
        mode: Mode::Test,
        organisation: organisation(),
        url: EndpointUrl::parse("https://hooks.example/t0ken", Mode::Test).expect("a URL"),
        event_types: ["appointment.scheduled".parse().expect("a type")].into(),
        payload: PayloadLevel::default(),
        description: HOSTILE.to_owned(),
        secrets_until: Vec::new(),
        status: WebhookStatus::Enabled,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// A delivery of a minute ago.
pub(super) fn delivery(state: DeliveryState) -> LoggedDelivery {
    let event = "evt_1".parse().expect("an id");
    let webhook = WebhookId::from_uuid(&[7; 16]);
    let begun_at = NOW - Duration::MINUTE;
    LoggedDelivery {
        id: DeliveryId::derive(Mode::Test, &organisation(), &event, &webhook),
        mode: Mode::Test,
        organisation: organisation(),
        event,
        event_type: "appointment.scheduled".parse().expect("a type"),
        is_test: false,
        appointment: Some(HOSTILE.to_owned()),
        webhook,
        begun_at,
        standing: Standing { state, ..Standing::of_series(Series::FIRST, micros_of(begun_at)) },
    }
}

/// A request that failed with a 503 and is to be tried again a minute later.
pub(super) fn request(series: u32, attempt: i64) -> LoggedAttempt {
    let number = u64::try_from(attempt).expect("positive") + u64::from(series) * 10;
    LoggedAttempt {
        request: RequestId::new(number, &[7; 16]),
        series: Series(series),
        attempt: Attempt::try_from(attempt).expect("1 to 3"),
        started_at: NOW - Duration::MINUTE,
        timing: Timing { connected_us: Some(30_000), head_us: Some(410_000), whole_us: 412_000 },
        status: Some(503),
        outcome: "5xx".to_owned(),
        verdict: "retry".to_owned(),
        next_at: Some(NOW + Duration::MINUTE),
        payload: PayloadLevel::default(),
        signed_at: 1_700_000_000,
        signature: "v1,c2lnbmVk".to_owned(),
        user_agent: Some("Bellhop/0.1.0".to_owned()),
        origin: Some("https://hooks.example".to_owned()),
    }
}
