//! How a delivery looks, and how it is asked whether to deliver it again.

use bellhop_model::{Webhook, WebhookStatus};
use bellhop_store::{LoggedAttempt, LoggedDelivery, LoggedSeries, SeriesProgress};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::timeline::{REVEAL_FORM, timeline};
use crate::console::parts::{
    Crumb, badge, csrf_field, heading_below, moment, name_of_webhook, prose, sentence, standing,
};
use crate::console::refresh::{self, ONE_SECONDS};
use crate::console::visitor::{Visitor, path_of};
use crate::problem::Problem;

/// A delivery with all that is on record about it, save what is health data.
pub(super) struct Detail<'a> {
    pub(super) now: OffsetDateTime,
    pub(super) delivery: &'a LoggedDelivery,
    pub(super) attempts: &'a [LoggedAttempt],
    pub(super) series: &'a [LoggedSeries],
    /// `None` when it is deleted.
    pub(super) webhook: Option<&'a Webhook>,
}

/// Somebody who may deliver again.
pub(super) struct Redelivery<'a> {
    pub(super) now: OffsetDateTime,
    pub(super) delivery: &'a LoggedDelivery,
    pub(super) webhook: Option<&'a Webhook>,
    /// Why it was not done.
    pub(super) refused: Option<&'a Problem>,
}

impl Detail<'_> {
    /// The page's body.
    pub(super) fn whole(&self, visitor: &Visitor) -> Markup {
        let here = path(self.delivery, "");
        let actions = html! {
            (refresh::refresh_link(&here))
            @if self.webhook.is_some() { a.button href=(path(self.delivery, "/redeliver")) { "Redeliver" } }
        };
        html! {
            (head(self.delivery, self.webhook, self.delivery.event_type.as_str(), &actions))
            form id=(REVEAL_FORM) method="post" hidden { (csrf_field(visitor)) }
            (self.progress())
        }
    }

    /// The part that is refreshed.
    pub(super) fn progress(&self) -> Markup {
        let is_owed = self.series.iter().any(|begun| begun.progress == SeriesProgress::Owed);
        let is_under_way = is_owed || !self.delivery.standing.state.name().is_ended();
        let content = html! {
            div.panel { (self.facts()) }
            section.panel aria-labelledby="requests" {
                h2 id="requests" { "What happened" }
                (timeline(self.delivery, self.attempts, self.series, self.now))
                p.hint { "A payload is health data: whoever views it is on record in the audit." }
            }
        };
        refresh::part("delivery", is_under_way.then_some(ONE_SECONDS), &content)
    }

    fn facts(&self) -> Markup {
        let delivery = self.delivery;
        html! {
            dl.facts {
                dt { "State" }
                dd data-says=(delivery.standing.state.name()) { (standing(&delivery.standing, self.now)) }
                dt { "Event" }
                dd {
                    code { (delivery.event) }
                    @if delivery.is_test { " " (badge::badge("quiet", "Test event")) }
                }
                dt { "Appointment" }
                dd {
                    @match &delivery.appointment {
                        Some(appointment) => a href=(self.appointment_path(appointment)) { code { (appointment) } },
                        None => span.quiet { "Unknown: it has no id that could be kept, or is not on record yet" },
                    }
                }
                dt { "Began" }
                dd { (moment(delivery.begun_at, self.now)) }
                dt { "Webhook" }
                dd {
                    @match self.webhook {
                        Some(webhook) => a href=(path_of(webhook.mode, &format!("/webhooks/{}", webhook.id))) { (name_of_webhook(webhook)) },
                        None => { code { (delivery.webhook) } " (deleted)" },
                    }
                }
                dt { "Delivery" }
                dd { code { (delivery.id) } }
            }
        }
    }

    /// Where all events of an appointment are, of this webhook.
    fn appointment_path(&self, appointment: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("appointment", appointment)
            .finish();
        path_of(self.delivery.mode, &format!("/webhooks/{}/events?{query}", self.delivery.webhook))
    }
}

impl Redelivery<'_> {
    /// The page's body.
    pub(super) fn whole(&self, visitor: &Visitor) -> Markup {
        let state = self.delivery.standing.state.name();
        html! {
            (head(self.delivery, self.webhook, "Redeliver", &html! {}))
            @if let Some(refused) = self.refused {
                div.problem role="alert" { p { strong { (refused.title()) "." } " " (prose(&sentence(refused.detail()))) } }
            }
            div.panel {
                p {
                    "The same event is sent to the webhook once more, as it is now: another series of up to three attempts, with the same "
                    code { "webhook-id" } ", so that a receiver that drops repeats drops this one, too."
                }
                dl.facts {
                    dt { "State" } dd { (standing(&self.delivery.standing, self.now)) }
                    dt { "Event" } dd { code { (self.delivery.event) } }
                    dt { "Began" } dd { (moment(self.delivery.begun_at, self.now)) }
                }
                @if let Some(WebhookStatus::Disabled(_)) = self.webhook.map(|webhook| webhook.status) {
                    p.warning-box { "The webhook is disabled: enable it first." }
                }
                form.form method="post" action=(path(self.delivery, "/redeliver")) {
                    (csrf_field(visitor))
                    @if !state.is_ended() {
                        div.choice {
                            input id="force" name="force" type="checkbox" value="on";
                            label for="force" { "Begin another series although one is under way" }
                            p.hint { "The endpoint may then get the event from both." }
                        }
                    }
                    div.buttons {
                        button type="submit" { "Redeliver" }
                        a.button.plain href=(path(self.delivery, "")) { "Go back" }
                    }
                }
            }
        }
    }
}

/// The head of a page about a delivery.
pub(super) fn head(
    delivery: &LoggedDelivery,
    webhook: Option<&Webhook>,
    title: &str,
    actions: &Markup,
) -> Markup {
    let name = webhook.map_or(delivery.webhook.as_str(), name_of_webhook);
    let (all, of_webhook) = (
        path_of(delivery.mode, "/webhooks"),
        path_of(delivery.mode, &format!("/webhooks/{}", delivery.webhook)),
    );
    let (events, here) = (format!("{of_webhook}/events"), path(delivery, ""));
    let is_below = title != delivery.event_type.as_str();
    let mut crumbs = vec![Crumb { path: &all, name: "Webhooks" }];
    if webhook.is_some() {
        crumbs.push(Crumb { path: &of_webhook, name });
        crumbs.push(Crumb { path: &events, name: "Events" });
    }
    if is_below {
        crumbs.push(Crumb { path: &here, name: delivery.event_type.as_str() });
    }
    heading_below(&crumbs, title, actions)
}

/// A path below a delivery's page.
fn path(delivery: &LoggedDelivery, rest: &str) -> String {
    path_of(delivery.mode, &format!("/deliveries/{}{rest}", delivery.id))
}

#[cfg(test)]
mod tests;
