//! The paths, and who answers on them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{delete, get};
use partway::{Clock, JobRecord, JobState, SystemClock};
use serde_json::json;
use url::form_urlencoded;

use super::access::{Access, guard};
use super::answer::{Refusal, result, unknown};
use super::exports::Exports;
use super::service::Service;
use super::status::Status;
use super::{body, download, dump};

/// How many exports are listed at most, and unless asked otherwise.
const LISTED: (usize, usize) = (1000, 100);

/// Every path, behind whoever guards them.
pub fn router(service: Arc<Service>, access: Access) -> Router {
    Router::new()
        .route("/export/dump", get(dump::get).head(dump::head).post(dump::post))
        .route("/export/status/{id}", get(status))
        .route("/export/download/{id}", get(download::get))
        .route("/export/{id}", delete(remove))
        .route("/exports", get(list))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(body::LARGEST))
        .layer(from_fn_with_state(Arc::new(access), guard))
        // Whoever watches over the service needs no token.
        .route("/healthz", get(health).fallback(not_allowed))
        .with_state(service)
}

/// The id in a path.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| unknown("…"))
    }
}

impl Service {
    /// An export of one of the databases, with the database's name.
    ///
    /// # Errors
    ///
    /// 404 where there is no such: jobs of other databases are nobody's business here.
    pub async fn export(&self, id: &str) -> Result<(&Exports, JobRecord, &str), Refusal> {
        let exports = self.exports()?;
        let record = exports.find(id).await?;
        match self.databases.name(&record.request.database) {
            Some(name) => Ok((exports, record, name)),
            None => Err(unknown(id)),
        }
    }
}

async fn status(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Response, Refusal> {
    let (exports, record, database) = service.export(&id).await?;
    let pulse = exports.live.pulse(&record.id);
    Ok(result(StatusCode::OK, &Status::of(&record, database, pulse, SystemClock.now())))
}

async fn list(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let exports = service.exports()?;
    let (most, mut limit) = LISTED;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        limit = match (name.as_ref(), value.parse()) {
            ("limit", Ok(limit)) if (1..=most).contains(&limit) => limit,
            _ => {
                return Err(Refusal::bad(format!(
                    "the query may have a limit from 1 to {most}, and no more"
                )));
            }
        };
    }
    let now = SystemClock.now();
    let records = exports.list().await?;
    let shown = records.iter().filter_map(|record| {
        let database = service.databases.name(&record.request.database)?;
        Some(Status::of(record, database, exports.live.pulse(&record.id), now))
    });
    Ok(result(StatusCode::OK, &shown.take(limit).collect::<Vec<_>>()))
}

/// `DELETE /export/{id}`: cancels what is unfinished, and forgets what is finished. An object that is there stays.
async fn remove(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Response, Refusal> {
    let (exports, record, _) = service.export(&id).await?;
    if !record.state.is_finished() {
        exports.cancel(&record.id).await?;
        let status = JobState::Cancelling;
        return Ok(result(StatusCode::ACCEPTED, &json!({ "exportId": id, "status": status })));
    }
    exports.forget(&record.id).await?;
    Ok(result(
        StatusCode::OK,
        &json!({ "exportId": id, "status": record.state, "forgotten": true, "location": record.location }),
    ))
}

async fn health() -> Response {
    result(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn nothing_here(uri: Uri) -> Refusal {
    let path = uri.path();
    Refusal::not_found(format!(
        "there is nothing at {path:?}: there is /export/dump, /export/status/ID, /export/download/ID, /export/ID, \
         /exports and /healthz"
    ))
}

async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    let path = uri.path();
    let text = format!("{method} is not for {path:?}: the Allow header says what is");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
