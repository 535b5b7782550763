//! `/exports` lists exports, `DELETE /export/{id}` cancels or removes one.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use partway_jobs::{Clock, JobState, SystemClock};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::id::Id;
use super::status::Status;
use crate::http::error::{ApiError, CommonErrors, ErrorBody};
use crate::http::response::{ResultBody, result};
use crate::state::ServiceState;
use crate::state::export_state::ExportState;

/// How many exports are listed by default.
const DEFAULT_LIMIT: usize = 100;

/// How many exports are listed at most.
const MAX_LIMIT: usize = 1000;

/// The exports, newest first.
#[utoipa::path(
    get,
    path = "/exports",
    operation_id = "list",
    params(("limit" = Option<usize>, Query, description = "How many at most", minimum = 1, maximum = 1000)),
    responses(
        CommonErrors,
        (status = 200, description = "The exports", body = ResultBody<Vec<Status>>),
        (status = 400, description = "The query has something other than a limit from 1 to 1000", body = ErrorBody),
        (status = 404, description = "The service has no store", body = ErrorBody),
    )
)]
pub async fn list(
    State(state): State<Arc<ServiceState>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let exports = state.exports()?;
    let mut limit = DEFAULT_LIMIT;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        limit = match (name.as_ref(), value.parse()) {
            ("limit", Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            _ => {
                return Err(ApiError::bad_request(format!(
                    "the query may only have a limit from 1 to {MAX_LIMIT}"
                )));
            }
        };
    }
    let now = SystemClock.now();
    let records = exports.list(&state.databases, limit).await?;
    let mut callbacks = exports.callbacks_of(&records).await?;
    let listed = records.iter().filter_map(|record| {
        let database = state.databases.name(&record.request.database)?;
        let progress = exports.running.progress(&record.id);
        let callback = callbacks.remove(&record.id);
        Some(Status::of(record, database, progress, now).with_callback(callback))
    });
    Ok(result(StatusCode::OK, &listed.collect::<Vec<_>>()))
}

/// An export that is being cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Cancelling {
    export_id: String,
    status: ExportState,
}

/// A finished export that was removed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Removed {
    export_id: String,
    status: ExportState,
    /// Whether its object was deleted now. The export itself is still listed.
    pruned: bool,
    /// Whether the export is no longer listed: it had no object.
    forgotten: bool,
}

/// Cancels an unfinished export, deletes the object of a finished one, or forgets one without an object.
#[utoipa::path(
    delete,
    path = "/export/{id}",
    operation_id = "remove",
    params(
        Id,
        ("if" = Option<String>, Query, description = "Only cancel: leave a finished export as it is",
            pattern = "^unfinished$"),
    ),
    responses(
        CommonErrors,
        (status = 200, description = "It was finished: its object was deleted, or the export was forgotten", body = ResultBody<Removed>),
        (status = 202, description = "It is being cancelled", body = ResultBody<Cancelling>),
        (status = 400, description = "The query has something other than if=unfinished", body = ErrorBody),
        (status = 404, description = "There is no such export", body = ErrorBody),
        (status = 409, description = "With if=unfinished: it is finished. Otherwise: its callback is still to be sent",
            body = ErrorBody),
        (status = 502, description = "The store failed", body = ErrorBody),
    )
)]
pub async fn remove(
    State(state): State<Arc<ServiceState>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let (exports, record, _) = state.export(&id).await?;
    let cancels_only = match query.as_deref().unwrap_or_default() {
        "" => false,
        "if=unfinished" => true,
        _ => return Err(ApiError::bad_request("the query may only have if=unfinished")),
    };
    if !record.state.is_finished() {
        exports.cancel(&record.id).await?;
        let cancelling = Cancelling { export_id: id, status: ExportState::Cancelling };
        return Ok(result(StatusCode::ACCEPTED, &cancelling));
    }
    if cancels_only {
        let text = format!("export {id} is already {}: there is nothing to cancel", record.state);
        return Err(ApiError::new(StatusCode::CONFLICT, text));
    }
    let has_object = record.state == JobState::Done && record.pruned_at.is_none();
    let (mut pruned, mut forgotten) = (false, false);
    if has_object {
        pruned = exports.prune(&record).await?;
    } else {
        forgotten = exports.forget(&record.id).await?;
        if !forgotten {
            let text =
                format!("export {id} can't be forgotten yet: its callback is still to be sent");
            return Err(ApiError::new(StatusCode::CONFLICT, text));
        }
    }
    let status = ExportState::of(&record);
    let removed = Removed { export_id: id, status, pruned, forgotten };
    Ok(result(StatusCode::OK, &removed))
}
