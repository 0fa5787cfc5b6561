//! What pages are put together from.

pub(crate) mod badge;

pub(crate) mod chart;

mod copyable;
pub(crate) use copyable::copyable;
mod field;
pub(crate) use field::{Choice, Field, Input, choices, errors_summary, select, text_input};
mod heading;
pub(crate) use heading::{Crumb, heading, heading_below};
mod mark;
pub(crate) use mark::mark;
mod moment;
pub(crate) use moment::moment;
mod pager;
pub(crate) use pager::pager;
mod prose;
pub(crate) use prose::{prose, sentence};

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
