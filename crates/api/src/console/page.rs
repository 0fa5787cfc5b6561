//! The frame of a page for somebody who is signed in: mode, navigation, who they are, what was just done.

use axum::http::StatusCode;
use axum::response::Response;
use bellhop_model::{Mode, Role};
use maud::{Markup, html};

use super::frame::{self, Document};
use super::parts::{csrf_field, mark};
use super::visitor::{Visitor, other, path_of};

/// Where in the navigation a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The webhooks, their events and deliveries.
    Webhooks,
    /// The organisation's keys.
    Keys,
    /// Who did what.
    Audit,
    /// How a receiver verifies a signature.
    Verify,
    /// Nowhere: a refusal.
    None,
}

/// A page for a visitor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// For whom.
    pub(crate) visitor: &'a Visitor,
    /// Where in the navigation.
    pub(crate) section: Section,
    /// Its title, without mode and program.
    pub(crate) title: &'a str,
}

/// One entry of the navigation.
struct Entry {
    section: Section,
    name: &'static str,
    /// What follows the mode.
    path: &'static str,
    for_administrators: bool,
}

const ENTRIES: [Entry; 4] = [
    Entry { section: Section::Webhooks, name: "Webhooks", path: "/webhooks", for_administrators: false },
    Entry { section: Section::Keys, name: "API keys", path: "/keys", for_administrators: true },
    Entry { section: Section::Audit, name: "Audit", path: "/audit", for_administrators: true },
    Entry {
        section: Section::Verify,
        name: "Verify a signature",
        path: "/verify",
        for_administrators: false,
    },
];

impl Page<'_> {
    /// The page, answered with 200.
    pub(crate) fn render(&self, body: Markup) -> Response {
        self.render_as(StatusCode::OK, body)
    }

    /// The page of another status.
    #[expect(clippy::needless_pass_by_value, reason = "whoever renders a page is done with its body")]
    pub(crate) fn render_as(&self, status: StatusCode, body: Markup) -> Response {
        frame::answer(status, self.document(&body))
    }

    /// The page's document.
    pub(super) fn document(&self, body: &Markup) -> Markup {
        let Self { visitor, title, .. } = *self;
        let mode = visitor.caller.mode;
        let title = format!("{title} · {}", name_of(mode));
        let whole = html! {
            a.skip href="#content" { "Skip to content" }
            (stripe(mode))
            header.top {
                a.brand href=(visitor.path("/webhooks")) { (mark()) span { "Bellhop" } }
                @if !matches!(visitor.caller.role, Role::Other(_)) {
                    (self.navigation())
                    (self.switch())
                }
                (who(visitor))
            }
            main id="content" tabindex="-1" {
                @if let Some(notice) = visitor.notice { (notice.shown()) }
                (body)
            }
        };
        Document { title: &title, class: mode.as_str(), again: false }.around(&whole)
    }

    fn navigation(&self) -> Markup {
        let visitor = self.visitor;
        let is_open = |entry: &&Entry| !entry.for_administrators || visitor.is_administrator();
        html! {
            nav.main aria-label="Main" {
                ul {
                    @for entry in ENTRIES.iter().filter(is_open) {
                        li {
                            a href=(visitor.path(entry.path)) aria-current=[(entry.section == self.section).then_some("page")] {
                                (entry.name)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Leads to the same section of the other mode; what is open here does not exist there.
    fn switch(&self) -> Markup {
        let mode = self.visitor.caller.mode;
        let there = other(mode);
        let entry = ENTRIES.iter().find(|entry| entry.section == self.section);
        let path = path_of(there, entry.map_or("/webhooks", |entry| entry.path));
        let state = if mode == Mode::Test { "on" } else { "off" };
        html! {
            a.switch href=(path) title=(format!("Switch to {}", name_of(there))) {
                span.track aria-hidden="true" {}
                span { "Test Mode" } " "
                span.state { (state) }
                span.unseen { ". Switch to " (name_of(there)) }
            }
        }
    }
}

/// What a mode is called where people read it.
pub(crate) fn name_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Test => "Test Mode",
        Mode::Live => "live",
    }
}

/// Says unmistakably in which mode everything on the page is.
fn stripe(mode: Mode) -> Markup {
    let (name, meaning) = match mode {
        Mode::Test => ("Test Mode:", "nothing here touches live."),
        Mode::Live => ("Live:", "real patients, real endpoints."),
    };
    html! { section.stripe aria-label="Mode" { p { strong { (name) } " " span { (meaning) } } } }
}

fn who(visitor: &Visitor) -> Markup {
    let role = match &visitor.caller.role {
        Role::Administrator => "Administrator",
        Role::Developer => "Developer",
        Role::Other(word) => word,
    };
    html! {
        details.who {
            summary {
                span.name { (visitor.name) }
                span.role { (role) }
            }
            div.menu {
                dl {
                    dt { "Organisation" } dd { code { (visitor.caller.organisation) } }
                    dt { "Role" } dd { (role) }
                }
                form method="post" action="/console/sign-out" {
                    (csrf_field(visitor))
                    button.plain type="submit" { "Sign out" }
                }
            }
        }
    }
}
