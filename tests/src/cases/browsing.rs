//! The console as people meet it: in a real browser, step by step as the guide has it, with and without JavaScript.

mod ground;

pub mod guide;
pub mod pages;
pub mod refusals;
