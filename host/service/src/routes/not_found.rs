//! Responses where no route fits.

use axum::http::{Method, StatusCode, Uri};

use crate::http::error::ApiError;

/// 404.
pub async fn not_found(uri: Uri) -> ApiError {
    let path = uri.path();
    ApiError::not_found(format!(
        "there is nothing at {path:?}: GET /openapi.json describes the routes, and there is a page at /"
    ))
}

/// 405.
pub async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let path = uri.path();
    let text =
        format!("{path:?} does not allow {method}: the Allow header lists the methods it allows");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
