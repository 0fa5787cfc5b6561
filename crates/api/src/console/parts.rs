//! What pages are put together from.

mod answered;
pub(crate) use answered::{answered, why_not};
pub(crate) mod badge;

pub(crate) mod chart;

mod copyable;
pub(crate) use copyable::copyable;
mod copyable_block;
pub(crate) use copyable_block::copyable_block;
mod field;
pub(crate) use field::{Choice, Field, Input, choices, errors_summary, field, select, text_input};
mod heading;
pub(crate) use heading::{Crumb, heading, heading_below};
mod mark;
pub(crate) use mark::mark;
mod moment;
pub(crate) use moment::{exact, moment};
mod number;
pub(crate) use number::{count, seconds, took};
mod pager;
pub(crate) use pager::pager;
mod prose;
pub(crate) use prose::{prose, sentence};
mod standing;
pub(crate) use standing::standing;

mod webhook_head;
pub(crate) use webhook_head::{WebhookTab, below_webhook, name_of_webhook, webhook_head, webhook_path};

use maud::{Markup, html};

use super::fields::CSRF;
use super::visitor::Visitor;

/// What every form of a visitor carries.
pub(crate) fn csrf_field(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(CSRF) value=(visitor.csrf); }
}

/// A list that is empty, and what fills it.
///
/// * `lead`: what there is not.
/// * `lesson`: what would be here, and how it comes about.
pub(crate) fn empty(lead: &str, lesson: &Markup) -> Markup {
    html! {
        div.empty {
            p.lead { (lead) }
            div { (lesson) }
        }
    }
}
