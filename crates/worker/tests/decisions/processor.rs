//! One claim per test, with one worker in a world where nothing goes wrong unless the test says so.

mod bench;

mod attempts;
mod breaking;
mod busy;
mod claims;
mod keeping;
mod logging;
mod parking;
mod resolving;
mod slow;
mod test_events;
mod waiting;
