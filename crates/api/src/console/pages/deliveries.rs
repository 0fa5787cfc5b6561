//! One delivery: its requests, what was sent, and sending it again.

mod curl;
mod payload;
mod pretty;
mod shown;
mod timeline;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bellhop_model::DeliveryId;
use bellhop_store::{LoggedDelivery, Overlap};
use payload::ShownPayload;
use shown::{Detail, Redelivery};

use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::page::{Page, Section};
use crate::console::refresh::{self, Refresh};
use crate::console::visitor::{PathId, Visitor};
use crate::problem::Problem;
use crate::revealed::Revealed;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/{mode}/deliveries/{id}", get(read))
        .route("/console/{mode}/deliveries/{id}/redeliver", get(confirm).post(redeliver))
        .route("/console/{mode}/deliveries/{id}/requests/{request}/reveal", post(reveal))
}

async fn read(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<DeliveryId>,
    Refresh(is_refresh): Refresh,
) -> Result<Response, Problem> {
    let delivery = visitor.caller.organisation(&api.store).delivery(&id).await?;
    let attempts = api.store.attempts(&delivery).await?;
    let series = api.store.series(&id).await?;
    let webhook = visitor.webhook(&api, &delivery.webhook).await?;
    let detail = Detail {
        now: visitor.now,
        delivery: &delivery,
        attempts: &attempts,
        series: &series,
        webhook: webhook.as_ref(),
    };
    if is_refresh {
        return Ok(refresh::answer(detail.progress()));
    }
    let page = Page { visitor: &visitor, section: Section::Webhooks, title: delivery.event_type.as_str() };
    Ok(page.render(detail.whole(&visitor)))
}

async fn confirm(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<DeliveryId>,
) -> Result<Response, Problem> {
    let delivery = visitor.caller.organisation(&api.store).delivery(&id).await?;
    ask(&visitor, &api, &delivery, None).await
}

async fn redeliver(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<DeliveryId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let overlap = if fields.all("force").next().is_some() { Overlap::Forced } else { Overlap::Refused };
    let organisation = visitor.caller.organisation(&api.store);
    match organisation.redeliver(&id, overlap).await.map_err(Problem::from) {
        Ok(_) => {
            let path = visitor.path(&format!("/deliveries/{id}"));
            Ok(Redirect::to(&Notice::Redelivered.at(&path)).into_response())
        }
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            let delivery = organisation.delivery(&id).await?;
            ask(&visitor, &api, &delivery, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// Asks whether to deliver again.
///
/// * `refused`: why it was not done.
async fn ask(
    visitor: &Visitor,
    api: &Api,
    delivery: &LoggedDelivery,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let webhook = visitor.webhook(api, &delivery.webhook).await?;
    let asked = Redelivery { now: visitor.now, delivery, webhook: webhook.as_ref(), refused };
    let page = Page { visitor, section: Section::Webhooks, title: "Redeliver" };
    let status = refused.map_or(StatusCode::OK, Problem::status);
    Ok(page.render_as(status, asked.whole(visitor)))
}

async fn reveal(
    visitor: Visitor,
    State(api): State<Api>,
    Path((_, id, request)): Path<(String, String, String)>,
    _: Fields,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("nothing of your organisation has this id in this mode");
    let id: DeliveryId = id.parse().map_err(|_| unknown())?;
    let request = request.parse().map_err(|_| unknown())?;
    let revealed = Revealed::open(&visitor.caller, &api, &id, request).await?;
    let delivery = visitor.caller.organisation(&api.store).delivery(&id).await?;
    let webhook = visitor.webhook(&api, &delivery.webhook).await?;
    let shown = ShownPayload {
        now: visitor.now,
        delivery: &delivery,
        webhook: webhook.as_ref(),
        revealed: &revealed,
    };
    let page = Page { visitor: &visitor, section: Section::Webhooks, title: "Payload" };
    Ok(page.render(shown.whole()))
}
