//! Responses in JSON: `{"result": …}`.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What was asked for.
#[derive(Serialize, ToSchema)]
pub struct ResultBody<T> {
    result: T,
}

/// A result. No cache keeps it: it changes.
pub fn result(status: StatusCode, result: &impl Serialize) -> Response {
    json(status, &ResultBody { result })
}

/// A body in JSON, which no cache keeps.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    match serde_json::to_vec(body) {
        Ok(body) => (status, headers, body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a response can't be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
