//! `/healthz`: whether the service responds.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::response::{ResultBody, result};

/// The service responds.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the service responds.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    security(()),
    responses((status = 200, description = "It responds", body = ResultBody<Health>))
)]
pub async fn get() -> Response {
    result(StatusCode::OK, &Health { status: "ok" })
}
