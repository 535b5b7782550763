//! The paths, and who answers on them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get};
use partway::{Clock, JobRecord, JobState, SystemClock};
use serde_json::json;
use url::form_urlencoded;

use super::access::{Access, guard};
use super::answer::{Refusal, result, unknown};
use super::dump::DUMP;
use super::exports::Exports;
use super::service::Service;
use super::status::Status;
use super::{download, dump, events, origin, page};

/// The largest body, in bytes: options, with as many tables as one may name.
const BODY: usize = 64 * 1024;

/// How many exports are listed at most, and unless asked otherwise.
const LISTED: (usize, usize) = (1000, 100);

/// Every path, behind whoever guards them.
pub fn router(service: Arc<Service>, access: Access) -> Router {
    Router::new()
        .route(DUMP, get(dump::get).head(dump::head).post(dump::post))
        .route("/export/dump/ticket", get(dump::ticket))
        .route("/export/status/{id}", get(status))
        .route("/export/status/{id}/events", get(events::get))
        .route("/export/download/{id}", get(download::get))
        .route("/export/download/{id}/ticket", get(download::ticket))
        .route("/export/{id}", delete(remove))
        .route("/exports", get(list))
        .route("/databases", get(databases))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state((Arc::new(access), service.clone()), guard))
        .layer(from_fn(origin::guard))
        // Whoever watches over the service needs no token.
        .route("/healthz", get(health).fallback(not_allowed))
        // The page has no data in it, and asks for a token itself.
        .merge(page::router())
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
    let callback = exports.callback(&record.id).await?;
    let status = Status::of(&record, database, pulse, SystemClock.now()).with_callback(callback);
    Ok(result(StatusCode::OK, &status))
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
    let mut callbacks = exports.all_callbacks().await?;
    let shown = records.iter().filter_map(|record| {
        let database = service.databases.name(&record.request.database)?;
        let pulse = exports.live.pulse(&record.id);
        let callback = callbacks.remove(&record.id);
        Some(Status::of(record, database, pulse, now).with_callback(callback))
    });
    Ok(result(StatusCode::OK, &shown.take(limit).collect::<Vec<_>>()))
}

/// `DELETE /export/{id}`: cancels what is unfinished, deletes the object of what is done, and forgets what has none. With
/// `?if=unfinished` only the first: who wants to cancel may come too late.
async fn remove(
    State(service): State<Arc<Service>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (exports, record, _) = service.export(&id).await?;
    let cancels_alone = match query.as_deref().unwrap_or_default() {
        "" => false,
        "if=unfinished" => true,
        _ => return Err(Refusal::bad("the query may be if=unfinished, and no more")),
    };
    if !record.state.is_finished() {
        exports.cancel(&record.id).await?;
        let status = JobState::Cancelling;
        return Ok(result(StatusCode::ACCEPTED, &json!({ "exportId": id, "status": status })));
    }
    if cancels_alone {
        let text = format!("export {id} is {} already: there is nothing to cancel", record.state);
        return Err(Refusal::new(StatusCode::CONFLICT, text));
    }
    let has_object = record.state == JobState::Done && record.pruned_at.is_none();
    if has_object {
        exports.prune(&record).await?;
    } else {
        exports.forget(&record.id).await?;
    }
    Ok(result(
        StatusCode::OK,
        &json!({ "exportId": id, "status": record.state, "pruned": has_object, "forgotten": !has_object }),
    ))
}

/// `GET /databases`: their names, the first of which is the default, and whether there is a store.
async fn databases(State(service): State<Arc<Service>>) -> Response {
    let (names, keeps): (Vec<_>, _) = (service.databases.names().collect(), service.exports.is_some());
    result(StatusCode::OK, &json!({ "databases": names, "keepsExports": keeps }))
}

async fn health() -> Response {
    result(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn nothing_here(uri: Uri) -> Refusal {
    let path = uri.path();
    Refusal::not_found(format!(
        "there is nothing at {path:?}: there is /export/dump, /export/status/ID, /export/download/ID, /export/ID, \
         /exports, /databases and /healthz, and a page at /"
    ))
}

pub async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    let path = uri.path();
    let text = format!("{method} is not for {path:?}: the Allow header says what is");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
