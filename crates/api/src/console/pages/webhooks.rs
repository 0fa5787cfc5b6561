//! The organisation's webhooks in one mode: which there are, how each fares, and all that can be done to one.

mod add;
mod copy;
mod detail;
mod edit;
mod form;
mod list;
mod secret;
mod standing;
mod test_event;

use axum::Router;

use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .merge(list::routes())
        .merge(add::routes())
        .merge(detail::routes())
        .merge(edit::routes())
        .merge(secret::routes())
        .merge(standing::routes())
        .merge(test_event::routes())
        .merge(copy::routes())
}
