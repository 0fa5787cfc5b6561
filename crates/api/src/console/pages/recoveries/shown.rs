//! How recoveries look: one with how far it is, and those that a webhook had.

use bellhop_model::{EventType, Webhook};
use bellhop_store::{Recovery, RecoveryFailure, RecoveryState};
use maud::{Markup, html};

use crate::console::parts::{
    Crumb, WebhookTab, badge, count, csrf_field, empty, exact, heading_below, moment, name_of_webhook, pager,
    seconds, webhook_head, webhook_path,
};
use crate::console::refresh::{self, LIST_SECONDS, ONE_SECONDS};
use crate::console::visitor::Visitor;

/// The recoveries of a webhook.
pub(super) struct Listed<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) webhook: &'a Webhook,
    pub(super) recoveries: &'a [Recovery],
    pub(super) is_first: bool,
    /// The cursor of the next page.
    pub(super) next: Option<&'a str>,
}

/// One recovery.
pub(super) struct Progress<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) recovery: &'a Recovery,
    /// `None` when it is deleted.
    pub(super) webhook: Option<&'a Webhook>,
}

impl Listed<'_> {
    /// The page's body.
    pub(super) fn whole(&self) -> Markup {
        html! {
            (webhook_head(self.visitor, self.webhook, WebhookTab::Recoveries))
            div.above-list {
                p.quiet { "Deliveries that are made again, many at a time." }
                div.actions {
                    (refresh::refresh_link(&self.path("/recoveries")))
                    a.button href=(self.path("/recover")) { "Recover" }
                }
            }
            (self.list())
        }
    }

    /// The part that is refreshed.
    pub(super) fn list(&self) -> Markup {
        let first = self.path("/recoveries");
        let next = self.next.map(|next| format!("{first}?cursor={next}"));
        let content = html! {
            @if self.recoveries.is_empty() {
                (empty("No recoveries yet", &html! {
                    p { "When an endpoint was down, a recovery delivers again what was given up meanwhile: many events, one after the other, at a pace that the endpoint can bear." }
                    a.button href=(self.path("/recover")) { "Recover" }
                }))
            } @else {
                (self.table())
            }
            (pager((!self.is_first).then_some(first.as_str()), next.as_deref()))
        };
        let is_running = self.recoveries.iter().any(|recovery| recovery.state == RecoveryState::Running);
        refresh::part("recoveries", is_running.then_some(LIST_SECONDS), &content)
    }

    fn table(&self) -> Markup {
        html! {
            table.list {
                caption.unseen { "Recoveries, the newest first" }
                thead {
                    tr {
                        th scope="col" { "Begun" } th scope="col" { "State" } th scope="col" { "Delivered again" }
                        th scope="col" { "Asked for by" }
                    }
                }
                tbody {
                    @for recovery in self.recoveries {
                        tr data-key=(recovery.id) {
                            th scope="row" {
                                a href=(self.visitor.path(&format!("/recoveries/{}", recovery.id))) {
                                    (moment(recovery.created_at, self.visitor.now))
                                }
                            }
                            td data-label="State" { (state(recovery)) }
                            td data-label="Delivered again" { span { (count(recovery.done)) " of " (count(recovery.found)) } }
                            td data-label="Asked for by" { (recovery.created_by) }
                        }
                    }
                }
            }
        }
    }

    fn path(&self, rest: &str) -> String {
        webhook_path(self.visitor, &self.webhook.id, rest)
    }
}

impl Progress<'_> {
    /// The page's body.
    pub(super) fn whole(&self) -> Markup {
        let visitor = self.visitor;
        let webhook = format!("/webhooks/{}", self.recovery.filter.webhook);
        let (all, of_webhook) = (visitor.path("/webhooks"), visitor.path(&webhook));
        let recoveries = format!("{of_webhook}/recoveries");
        let mut crumbs = vec![Crumb { path: &all, name: "Webhooks" }];
        if let Some(webhook) = self.webhook {
            crumbs.push(Crumb { path: &of_webhook, name: name_of_webhook(webhook) });
            crumbs.push(Crumb { path: &recoveries, name: "Recoveries" });
        }
        let here = visitor.path(&format!("/recoveries/{}", self.recovery.id));
        html! {
            (heading_below(&crumbs, "Recovery", &refresh::refresh_link(&here)))
            // The buttons in the part below belong to it: a form there would have to be sent along with each refresh.
            form id="cancel" method="post" hidden action=(format!("{here}/cancel")) { (csrf_field(visitor)) }
            (self.part())
        }
    }

    /// The part that is refreshed.
    pub(super) fn part(&self) -> Markup {
        let recovery = self.recovery;
        let is_running = recovery.state == RecoveryState::Running;
        let content = html! {
            section.panel aria-labelledby="progress" {
                div.heading {
                    h2 id="progress" data-says=(recovery.state) { (state(recovery)) }
                    @if is_running { button.danger type="submit" form="cancel" { "Stop the recovery" } }
                }
                (self.bar())
                dl.figures {
                    div { dt { "Found" } dd { (count(recovery.found)) } }
                    div { dt { "Sent again" } dd { (count(recovery.done)) } }
                    div { dt { "Passed over: payload gone" } dd { (count(recovery.payload_gone)) } }
                    div { dt { "Passed over: moved on" } dd { (count(recovery.moved_on)) } }
                }
                p.quiet { (self.words()) }
            }
            section.panel aria-labelledby="asked" {
                h2 id="asked" { "What was asked for" }
                (self.asked())
            }
        };
        refresh::part("recovery", is_running.then_some(ONE_SECONDS), &content)
    }

    /// How many deliveries had their turn. More may have come to an end since they were counted.
    fn handled(&self) -> u64 {
        let Recovery { done, payload_gone, moved_on, .. } = self.recovery;
        done + payload_gone + moved_on
    }

    fn bar(&self) -> Markup {
        let whole = self.recovery.found.max(self.handled()).max(1);
        html! {
            progress value=(self.handled()) max=(whole) aria-label="Deliveries that had their turn" {
                (count(self.handled())) " of " (count(whole))
            }
        }
    }

    fn words(&self) -> Markup {
        let recovery = self.recovery;
        let left = recovery.found.saturating_sub(self.handled());
        match recovery.state {
            RecoveryState::Running if recovery.waits_for.is_some() => {
                html! { "It waits for room: much else is under way. It goes on by itself." }
            }
            RecoveryState::Running => html! {
                "At most " (recovery.pace) " a second; about "
                (seconds(left.div_ceil(u64::from(recovery.pace.max(1))))) " left."
            },
            RecoveryState::Done => {
                html! { "Every event had its turn. What became of each is told by Events." }
            }
            RecoveryState::Cancelled => html! {
                "Stopped" @if let Some(by) = &recovery.cancelled_by { " by " (by) } ". What it sent again by then is still delivered."
            },
            RecoveryState::Failed => match recovery.failed_for {
                Some(RecoveryFailure::WebhookRemoved) => {
                    html! { "It ended because the webhook was deleted." }
                }
                _ => html! { "It ended because the webhook was disabled. Enable it and begin another." },
            },
        }
    }

    fn asked(&self) -> Markup {
        let Recovery { filter, created_by, created_at, ended_at, .. } = self.recovery;
        html! {
            dl.facts {
                dt { "Asked for by" } dd { (created_by) ", " (moment(*created_at, self.visitor.now)) }
                @if let Some(ended_at) = ended_at { dt { "Ended" } dd { (moment(*ended_at, self.visitor.now)) } }
                dt { "Events since" } dd { (exact(filter.since)) }
                @if let Some(until) = filter.until { dt { "Until" } dd { (exact(until)) } }
                dt { "Which" }
                dd.badges { @for state in &filter.states { (badge::delivery_state(*state)) " " } }
                dt { "Event type" }
                dd { (filter.event_type.as_ref().map_or("Any", EventType::as_str)) }
                dt { "Pace" } dd { "At most " (self.recovery.pace) " a second" }
            }
        }
    }
}

fn state(recovery: &Recovery) -> Markup {
    let (tone, word) = match recovery.state {
        RecoveryState::Running if recovery.waits_for.is_some() => ("warning", "Waiting"),
        RecoveryState::Running => ("warning", "Running"),
        RecoveryState::Done => ("good", "Done"),
        RecoveryState::Cancelled => ("quiet", "Cancelled"),
        RecoveryState::Failed => ("bad", "Failed"),
    };
    badge::badge(tone, word)
}

#[cfg(test)]
mod tests;
