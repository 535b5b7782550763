//! `/databases`: what there is to export.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::CommonErrors;
use crate::http::response::{ResultBody, result};
use crate::state::ServiceState;

/// What there is to export.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DatabaseList {
    /// The databases' names; the first is the default.
    databases: Vec<String>,
    /// Whether the service has a store. Without one, dumps are streamed.
    keeps_exports: bool,
}

/// The names of the databases that are served.
#[utoipa::path(
    get,
    path = "/databases",
    operation_id = "databases",
    responses(CommonErrors, (status = 200, description = "The databases", body = ResultBody<DatabaseList>))
)]
pub async fn get(State(state): State<Arc<ServiceState>>) -> Response {
    let databases = state.databases.names().map(str::to_owned).collect();
    let keeps_exports = state.exports.is_some();
    result(StatusCode::OK, &DatabaseList { databases, keeps_exports })
}
