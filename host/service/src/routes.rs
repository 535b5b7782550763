//! The paths, and who answers on them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::head;
use axum::{Extension, Router};
use partway_jobs::{Clock, JobRecord, JobState, SystemClock};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Access, guard};
use crate::answer::{Answer, Problem, Refusal, result, unknown};
use crate::document::Guarded;
use crate::dump::DUMP;
use crate::exports::{Exports, about};
use crate::requests::{Watcher, watched};
use crate::service::Service;
use crate::status::Status;
use crate::{body, document, download, dump, events, metrics, origin, page};

/// How many exports are listed at most, and unless asked otherwise.
const LISTED: (usize, usize) = (1000, 100);

/// Every path, behind whoever guards them.
pub fn router(service: Arc<Service>, access: Access, allowed: &[HeaderValue]) -> Router {
    let (guarded, open, document) = all();
    let watcher = Arc::new(Watcher::new(service.metrics.clone()));
    // Its keys are all text: it can be written.
    let document = document::Written::of(&document).unwrap_or_default();
    let mut guarded = guarded
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(body::LARGEST))
        .layer(from_fn_with_state((Arc::new(access), service.clone()), guard))
        .layer(from_fn_with_state(Arc::<[HeaderValue]>::from(allowed), origin::guard));
    if !allowed.is_empty() {
        guarded = guarded.layer(origin::cors(allowed));
    }
    guarded
        .merge(open.layer(Extension(document)).method_not_allowed_fallback(not_allowed))
        // The page has no data in it, and asks for a token itself.
        .merge(page::router())
        .layer(from_fn_with_state(watcher, watched))
        .with_state(service)
}

/// The routes that take a token, those that take none, and what there is to tell of both.
fn all() -> (Router<Arc<Service>>, Router<Arc<Service>>, OpenApi) {
    let (guarded, mut document) = OpenApiRouter::with_openapi(document::document())
        .routes(routes!(dump::get, dump::post))
        .routes(routes!(dump::ticket))
        .routes(routes!(status))
        .routes(routes!(events::get))
        .routes(routes!(download::get, download::head))
        .routes(routes!(download::ticket))
        .routes(routes!(remove))
        .routes(routes!(list))
        .routes(routes!(databases))
        .routes(routes!(metrics::get))
        .split_for_parts();
    // Whoever watches over the service needs no token, nor who wants to know what it can do.
    let (open, more) = OpenApiRouter::default()
        .routes(routes!(health))
        .routes(routes!(document::get))
        .split_for_parts();
    document.merge(more);
    document::finish(&mut document);
    // Else a GET would be called for it.
    (guarded.route(DUMP, head(dump::head)), open, document)
}

/// What there is to tell of every route.
#[cfg(test)]
pub fn described() -> OpenApi {
    all().2
}

/// The id in a path.
#[derive(IntoParams)]
#[into_params(names("id"), parameter_in = Path)]
pub struct Id(#[param(pattern = "^[0-9a-f]{16}$")] pub String);

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
        about(&record.id);
        match self.databases.name(&record.request.database) {
            Some(name) => Ok((exports, record, name)),
            None => Err(unknown(id)),
        }
    }
}

/// How an export is doing.
#[utoipa::path(
    get,
    path = "/export/status/{id}",
    params(Id),
    responses(
        Guarded,
        (status = 200, description = "All there is to tell of it", body = Answer<Status>),
        (status = 404, description = "There is no such export", body = Problem),
    )
)]
async fn status(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Response, Refusal> {
    let (exports, record, database) = service.export(&id).await?;
    let pulse = exports.live.pulse(&record.id);
    let callback = exports.callback(&record.id).await?;
    let status = Status::of(&record, database, pulse, SystemClock.now()).with_callback(callback);
    Ok(result(StatusCode::OK, &status))
}

/// The exports, the newest first.
#[utoipa::path(
    get,
    path = "/exports",
    params(("limit" = Option<usize>, Query, description = "How many at most", minimum = 1, maximum = 1000)),
    responses(
        Guarded,
        (status = 200, description = "The exports", body = Answer<Vec<Status>>),
        (status = 400, description = "The query has something else than a limit from 1 to 1000", body = Problem),
        (status = 404, description = "The service has no store", body = Problem),
    )
)]
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
    let records = exports.list(&service.databases, limit).await?;
    let mut callbacks = exports.callbacks_of(&records).await?;
    let shown = records.iter().filter_map(|record| {
        let database = service.databases.name(&record.request.database)?;
        let pulse = exports.live.pulse(&record.id);
        let callback = callbacks.remove(&record.id);
        Some(Status::of(record, database, pulse, now).with_callback(callback))
    });
    Ok(result(StatusCode::OK, &shown.collect::<Vec<_>>()))
}

/// An export that is being cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Cancelling {
    export_id: String,
    status: JobState,
}

/// An export that was finished.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Removed {
    export_id: String,
    status: JobState,
    /// Whether its object was deleted now. The export is known still.
    pruned: bool,
    /// Whether it was forgotten: it had no object.
    forgotten: bool,
}

/// Cancels an export that is unfinished, deletes the object of one that is done, and forgets one that has none.
#[utoipa::path(
    delete,
    path = "/export/{id}",
    params(
        Id,
        ("if" = Option<String>, Query, description = "Only cancel: who wants to may come too late",
            pattern = "^unfinished$"),
    ),
    responses(
        Guarded,
        (status = 200, description = "It was finished: its object is deleted, or it is forgotten", body = Answer<Removed>),
        (status = 202, description = "It is being cancelled", body = Answer<Cancelling>),
        (status = 400, description = "The query has something else than if=unfinished", body = Problem),
        (status = 404, description = "There is no such export", body = Problem),
        (status = 409, description = "It was to be cancelled, and is finished; or its callback is still to be sent",
            body = Problem),
        (status = 502, description = "The store refuses", body = Problem),
    )
)]
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
        let cancelling = Cancelling { export_id: id, status: JobState::Cancelling };
        return Ok(result(StatusCode::ACCEPTED, &cancelling));
    }
    if cancels_alone {
        let text = format!("export {id} is {} already: there is nothing to cancel", record.state);
        return Err(Refusal::new(StatusCode::CONFLICT, text));
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
            return Err(Refusal::new(StatusCode::CONFLICT, text));
        }
    }
    let status = record.state;
    let removed = Removed { export_id: id, status, pruned, forgotten };
    Ok(result(StatusCode::OK, &removed))
}

/// What there is to export.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Served {
    /// The databases' names; the first is the default.
    databases: Vec<String>,
    /// Whether there is a store. Without one, dumps are streamed.
    keeps_exports: bool,
}

/// What there is to export.
#[utoipa::path(
    get,
    path = "/databases",
    responses(Guarded, (status = 200, description = "The databases", body = Answer<Served>))
)]
async fn databases(State(service): State<Arc<Service>>) -> Response {
    let databases = service.databases.names().map(str::to_owned).collect();
    result(StatusCode::OK, &Served { databases, keeps_exports: service.exports.is_some() })
}

/// The service answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the service answers.
#[utoipa::path(
    get,
    path = "/healthz",
    security(()),
    responses((status = 200, description = "It does", body = Answer<Health>))
)]
async fn health() -> Response {
    result(StatusCode::OK, &Health { status: "ok" })
}

async fn nothing_here(uri: Uri) -> Refusal {
    let path = uri.path();
    Refusal::not_found(format!(
        "there is nothing at {path:?}: GET /openapi.json tells what there is, and there is a page at /"
    ))
}

pub async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    let path = uri.path();
    let text = format!("{method} is not for {path:?}: the Allow header says what is");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
