//! Ids in a path. What is no id names nothing, which is all that is told.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::problem::Problem;
use crate::state::Api;

/// The one id in a path.
pub(crate) struct Id<T>(pub(crate) T);

/// The two ids in a path, the outer one first.
pub(crate) struct Ids<T, U>(pub(crate) T, pub(crate) U);

impl<T: FromStr + Send, U: FromStr + Send> FromRequestParts<Api> for Ids<T, U> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("nothing here has this id");
        let texts = axum::extract::Path::<(String, String)>::from_request_parts(parts, api).await;
        let axum::extract::Path((outer, inner)) = texts.map_err(|_| unknown())?;
        Ok(Self(outer.parse().map_err(|_| unknown())?, inner.parse().map_err(|_| unknown())?))
    }
}

impl<T: FromStr + Send> FromRequestParts<Api> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("nothing here has this id");
        let text =
            axum::extract::Path::<String>::from_request_parts(parts, api).await.map_err(|_| unknown())?;
        text.parse().map(Self).map_err(|_| unknown())
    }
}
