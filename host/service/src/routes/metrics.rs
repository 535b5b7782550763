//! `/metrics`: what the service counts and measures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus::TEXT_FORMAT;
use tokio::task::spawn_blocking;

use crate::http::error::{ApiError, CommonErrors};
use crate::state::ServiceState;
use crate::state::metrics::CurrentNumbers;

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses(
        CommonErrors,
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
    )
)]
pub async fn get(State(state): State<Arc<ServiceState>>) -> Result<impl IntoResponse, ApiError> {
    let streams = state.max_streams.saturating_sub(state.streams.available_permits());
    let mut current = CurrentNumbers { streams, downloads: 0, unfinished: None, saved: Vec::new() };
    if let Some(exports) = &state.exports {
        let free = exports.downloads.available_permits();
        current.downloads = exports.max_downloads.saturating_sub(free);
        let jobs = exports.worker.jobs().clone();
        let counts = spawn_blocking(move || jobs.count_unfinished()).await??;
        current.unfinished = Some(counts.into_iter().collect());
        current.saved = exports.saved_numbers(&state.databases).await?;
    }
    let text = state.metrics.render(&current);
    let text =
        text.map_err(|error| ApiError::internal(format!("the metrics can't be written: {error}")))?;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text))
}
