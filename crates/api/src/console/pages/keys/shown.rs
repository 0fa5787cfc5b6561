//! How keys look.

use axum::http::StatusCode;
use axum::response::Response;
use bellhop_model::Role;
use bellhop_store::{RegisteredKey, StoredKey};
use maud::{Markup, html};

use crate::console::page::{Page, Section, name_of};
use crate::console::parts::{
    Choice, Crumb, Field, Input, badge, choices, copyable, csrf_field, empty, errors_summary, heading,
    heading_below, moment, pager, text_input,
};
use crate::console::visitor::Visitor;
use crate::keys::{EXPIRES_IN_DAYS, KeyStatus, LIFETIME_DAYS_MAX, NAME, ROLE};
use crate::problem::FieldProblem;

/// What the form of a key says.
#[derive(Debug, Default)]
pub(super) struct Wish<'a> {
    pub(super) role: &'a str,
    pub(super) name: &'a str,
    pub(super) days: &'a str,
}

impl Wish<'_> {
    /// For ever when nothing is said; out of every bound when what is said is no number.
    pub(super) fn lifetime_days(&self) -> Option<u32> {
        (!self.days.is_empty()).then(|| self.days.parse().unwrap_or_default())
    }
}

/// * `place`: whether a page comes before, and the cursor of the next one.
pub(super) fn list_page(visitor: &Visitor, keys: &[StoredKey], place: (bool, Option<&str>)) -> Response {
    let path = visitor.path("/keys");
    let (has_before, next) = place;
    let next = next.map(|cursor| format!("{path}?cursor={cursor}"));
    let create = html! { a.button href=(visitor.path("/keys/new")) { "Create key" } };
    let body = html! {
        (heading("API keys", &create))
        @if keys.is_empty() {
            (empty("There is no key yet.", &html! {
                p {
                    "A key opens the API, and this console, to a program or a person: for your organisation, in "
                    (name_of(visitor.caller.mode)) " alone."
                }
            }))
        } @else {
            (table(visitor, keys))
        }
        (pager(has_before.then_some(path.as_str()), next.as_deref()))
    };
    page(visitor, "API keys").render(body)
}

fn table(visitor: &Visitor, keys: &[StoredKey]) -> Markup {
    html! {
        table.list {
            thead {
                tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Role" }
                    th scope="col" { "Status" }
                    th scope="col" { "Created" }
                    th scope="col" { "Last used" }
                    th scope="col" { "Expires" }
                    th scope="col" { span.unseen { "Actions" } }
                }
            }
            tbody { @for key in keys { (row(visitor, key)) } }
        }
    }
}

fn row(visitor: &Visitor, key: &StoredKey) -> Markup {
    let status = KeyStatus::of(key);
    let revoke = visitor.path(&format!("/keys/{}/revoke", key.id));
    html! {
        tr {
            th scope="row" { (key.name) br; code.quiet { (key.id) } }
            td data-label="Role" { (role_name(&key.role)) }
            td data-label="Status" { (status_badge(status)) }
            td data-label="Created" { (moment(key.created_at, visitor.now)) }
            td data-label="Last used" {
                @if let Some(at) = key.last_used_at { (moment(at, visitor.now)) } @else { span.quiet { "Never" } }
            }
            td data-label="Expires" {
                @if let Some(at) = key.revoked_at { "Revoked " (moment(at, visitor.now)) }
                @else if let Some(at) = key.expires_at { (moment(at, visitor.now)) }
                @else { span.quiet { "Never" } }
            }
            td {
                @if status == KeyStatus::Active {
                    a href=(revoke) aria-label=(format!("Revoke {}", key.name)) { "Revoke" }
                }
            }
        }
    }
}

pub(super) fn form_page(
    visitor: &Visitor,
    status: StatusCode,
    wish: &Wish<'_>,
    errors: &[FieldProblem],
) -> Response {
    let field = |name, label, hint| Field { name, label, hint, errors };
    let input = |value, required| Input { kind: "text", value, placeholder: "", required };
    let role = |value, label: &str, hint| Choice {
        value,
        label: html! { (label) },
        hint,
        chosen: if wish.role.is_empty() { value == "developer" } else { wish.role == value },
    };
    let roles = [
        role("developer", "Developer", "Webhooks, their events and deliveries."),
        role("administrator", "Administrator", "The same, and keys and the audit."),
    ];
    let path = visitor.path("/keys");
    let bounds = format!("1 to {LIFETIME_DAYS_MAX}. Left empty, it never does.");
    let body = html! {
        (heading_below(&[Crumb { path: &path, name: "API keys" }], "Create key", &html! {}))
        form.form.panel method="post" action=(path) novalidate {
            (csrf_field(visitor))
            (errors_summary(errors))
            (text_input(&field(NAME, "Name", "Who or what uses it, such as `CI`."), input(wish.name, true)))
            (choices(&field(ROLE, "Role", ""), "radio", &roles))
            (text_input(&field(EXPIRES_IN_DAYS, "Days until it expires", &bounds), input(wish.days, false)))
            p.quiet { "The key opens " (name_of(visitor.caller.mode)) " alone, and is shown once." }
            div.buttons {
                button type="submit" { "Create key" }
                a.button.plain href=(path) { "Cancel" }
            }
        }
    };
    page(visitor, "Create key").render_as(status, body)
}

pub(super) fn created_page(visitor: &Visitor, made: &RegisteredKey) -> Response {
    let path = visitor.path("/keys");
    let body = html! {
        (heading_below(&[Crumb { path: &path, name: "API keys" }], "Key created", &html! {}))
        div.panel {
            h2 { "Note the key" }
            p { "This is the key of “" (made.stored.name) "”. Nobody can show it again." }
            (copyable("key", made.key.expose()))
            p.quiet { "It is the whole value of the header " code { "Authorization" } ", and opens the console, too." }
            div.buttons { a.button href=(path) { "Done" } }
        }
    };
    page(visitor, "Key created").render_as(StatusCode::CREATED, body)
}

pub(super) fn revoke_page(visitor: &Visitor, key: &StoredKey, is_own: bool) -> Response {
    let path = visitor.path("/keys");
    let action = visitor.path(&format!("/keys/{}/revoke", key.id));
    let title = "Revoke key";
    let body = html! {
        (heading_below(&[Crumb { path: &path, name: "API keys" }], title, &html! {}))
        form.form.panel method="post" action=(action) {
            (csrf_field(visitor))
            div.warning-box {
                p {
                    strong { "This cannot be taken back." } " Whatever uses “" (key.name) "” is refused from now on."
                    @if is_own { " You are signed in by this key, and will be signed out." }
                }
            }
            p.quiet { "If something depends on it, create another key first." }
            div.buttons {
                button.danger type="submit" { "Revoke key" }
                a.button.plain href=(path) { "Cancel" }
            }
        }
    };
    page(visitor, title).render(body)
}

fn page<'a>(visitor: &'a Visitor, title: &'a str) -> Page<'a> {
    Page { visitor, section: Section::Keys, title }
}

fn role_name(role: &Role) -> &str {
    match role {
        Role::Administrator => "Administrator",
        Role::Developer => "Developer",
        Role::Other(word) => word,
    }
}

fn status_badge(status: KeyStatus) -> Markup {
    match status {
        KeyStatus::Active => badge::badge("good", "Active"),
        KeyStatus::Expired => badge::badge("quiet", "Expired"),
        KeyStatus::Revoked => badge::badge("quiet", "Revoked"),
    }
}
