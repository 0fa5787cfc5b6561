//! Delivering many again: asked for, counted, begun, watched, stopped.

mod asked;
mod dialog;
mod shown;

use asked::Asked;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bellhop_model::{RecoveryId, WebhookId};
use bellhop_store::Recovery;
use dialog::{Dialog, Step};
use serde::Deserialize;
use shown::{Listed, Progress};

use crate::console::fields::Fields;
use crate::console::notice::Notice;
use crate::console::page::{Page, Section};
use crate::console::refresh::{self, Refresh};
use crate::console::visitor::{PathId, Visitor};
use crate::page::{self, PAGE_DEFAULT, Query};
use crate::problem::Problem;
use crate::state::Api;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/{mode}/webhooks/{id}/recover", get(count).post(begin))
        .route("/console/{mode}/webhooks/{id}/recoveries", get(list))
        .route("/console/{mode}/recoveries/{id}", get(read))
        .route("/console/{mode}/recoveries/{id}/cancel", post(cancel))
}

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    cursor: String,
}

/// The dialog: empty at first, then with how many deliveries are as asked for.
async fn count(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Some(asked) = Asked::of_query(query.as_deref().unwrap_or_default()) else {
        return show(&visitor, &api, &id, &Asked::usual(visitor.now), Step::Asking).await;
    };
    match asked.read(&id) {
        Err(errors) => show(&visitor, &api, &id, &asked, Step::Wrong(errors)).await,
        Ok(recovery) => {
            let pace = recovery.pace;
            match recovery.count(visitor.caller.clone(), &api).await {
                Ok(count) => show(&visitor, &api, &id, &asked, Step::Counted { count, pace }).await,
                Err(problem) => refuse(&visitor, &api, &id, (&asked, problem)).await,
            }
        }
    }
}

async fn begin(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let asked = Asked::of_form(&fields);
    match asked.read(&id) {
        Err(errors) => show(&visitor, &api, &id, &asked, Step::Wrong(errors)).await,
        Ok(recovery) => match recovery.begin(visitor.caller.clone(), &api).await {
            Ok(begun) => {
                let path = visitor.path(&format!("/recoveries/{}", begun.id));
                Ok(Redirect::to(&Notice::RecoveryBegun.at(&path)).into_response())
            }
            Err(problem) => refuse(&visitor, &api, &id, (&asked, problem)).await,
        },
    }
}

/// Shows the dialog again with why nothing was begun, if that is for the organisation to mend.
async fn refuse(
    visitor: &Visitor,
    api: &Api,
    id: &WebhookId,
    (asked, problem): (&Asked, Problem),
) -> Result<Response, Problem> {
    if problem.status() == StatusCode::CONFLICT {
        return show(visitor, api, id, asked, Step::Refused(problem)).await;
    }
    Err(problem)
}

async fn show(
    visitor: &Visitor,
    api: &Api,
    id: &WebhookId,
    asked: &Asked,
    step: Step,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let webhook = organisation.webhook(id).await?;
    let last = organisation.recoveries(id, None, 1).await?.pop();
    let status = match &step {
        Step::Asking | Step::Counted { .. } => StatusCode::OK,
        Step::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Step::Refused(problem) => problem.status(),
    };
    let dialog = Dialog { visitor, webhook: &webhook, last: last.as_ref(), asked, step: &step };
    let page = Page { visitor, section: Section::Webhooks, title: "Recover" };
    Ok(page.render_as(status, dialog.whole()))
}

async fn list(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    Refresh(is_refresh): Refresh,
    Query(place): Query<Place>,
) -> Result<Response, Problem> {
    let organisation = visitor.caller.organisation(&api.store);
    let webhook = organisation.webhook(&id).await?;
    let after: Option<RecoveryId> = page::cursor(Some(&*place.cursor).filter(|cursor| !cursor.is_empty()))?;
    let recoveries = organisation.recoveries(&id, after.as_ref(), PAGE_DEFAULT + 1).await?;
    let (recoveries, next) =
        page::cut(recoveries, PAGE_DEFAULT, |recovery: &Recovery| recovery.id.to_string());
    let listed = Listed {
        visitor: &visitor,
        webhook: &webhook,
        recoveries: &recoveries,
        is_first: after.is_none(),
        next: next.as_deref(),
    };
    if is_refresh {
        return Ok(refresh::answer(listed.list()));
    }
    let page = Page { visitor: &visitor, section: Section::Webhooks, title: "Recoveries" };
    Ok(page.render(listed.whole()))
}

async fn read(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<RecoveryId>,
    Refresh(is_refresh): Refresh,
) -> Result<Response, Problem> {
    let recovery = visitor.caller.organisation(&api.store).recovery(&id).await?;
    let webhook = visitor.webhook(&api, &recovery.filter.webhook).await?;
    let progress = Progress { visitor: &visitor, recovery: &recovery, webhook: webhook.as_ref() };
    if is_refresh {
        return Ok(refresh::answer(progress.part()));
    }
    let page = Page { visitor: &visitor, section: Section::Webhooks, title: "Recovery" };
    Ok(page.render(progress.whole()))
}

async fn cancel(
    visitor: Visitor,
    State(api): State<Api>,
    PathId(id): PathId<RecoveryId>,
    _: Fields,
) -> Result<Response, Problem> {
    visitor.caller.organisation(&api.store).cancel_recovery(&id).await?;
    let path = visitor.path(&format!("/recoveries/{id}"));
    Ok(Redirect::to(&Notice::RecoveryCancelled.at(&path)).into_response())
}
