//! The console: what the guide describes, for people. Pages made here, without a build step, that work without JavaScript
//! and better with a little of it.
//!
//! A page's handler takes a [`Visitor`] as its first argument, so that nobody else reaches its body, and whoever changes
//! something a [`Fields`] as its last: a form that our own page sent. The mode stands in the path, so two tabs never mix.
//! What a handler refuses as a [`crate::problem::Problem`] is shown as a page.

mod assets;

mod cookie;
mod fields;
mod notice;
mod picker;
mod sender;
mod visitor;

mod failure;
pub(crate) use failure::{Seen, is_page, show_problem};
mod frame;
mod page;
mod parts;
mod refresh;

#[cfg(test)]
mod samples;

mod pages;
pub(crate) use pages::routes;
