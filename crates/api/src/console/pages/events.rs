//! A webhook's events: its deliveries, the newest first, narrowed by a form, with new ones as they come.

mod asked;
mod shown;

use asked::Asked;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use bellhop_model::WebhookId;
use bellhop_store::{DeliveryFilter, LoggedDelivery};
use shown::Events;

use crate::console::page::{Page, Section};
use crate::console::refresh::{self, Refresh};
use crate::console::visitor::{PathId, Visitor};
use crate::page::{self, PAGE_DEFAULT, Query};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/{mode}/webhooks/{id}/events", get(list))
}

async fn list(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    Refresh(is_refresh): Refresh,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let webhook = organisation.webhook(&id).await?;
    let after = page::cursor(Some(&*asked.cursor).filter(|cursor| !cursor.is_empty()))?;
    let (status, errors, deliveries) = match asked.read(&id, visitor.now) {
        Ok(filter) => {
            let filter = DeliveryFilter { after, ..filter };
            (StatusCode::OK, Vec::new(), organisation.deliveries(filter, PAGE_DEFAULT + 1).await?)
        }
        Err(errors) => (StatusCode::BAD_REQUEST, errors, Vec::new()),
    };
    let place = |delivery: &LoggedDelivery| delivery.cursor().to_string();
    let (deliveries, next) = page::cut(deliveries, PAGE_DEFAULT, place);
    let events = Events {
        visitor: &visitor,
        webhook: &webhook,
        types: api.options.catalogue.types(),
        asked: &asked,
        errors: &errors,
        deliveries: &deliveries,
        next: next.as_deref(),
    };
    if is_refresh {
        return Ok(refresh::answer(events.list()));
    }
    let page = Page { visitor: &visitor, section: Section::Webhooks, title: "Events" };
    Ok(page.render_as(status, events.whole()))
}
