//! `/export/download/{id}`: objects of the store.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use partway_codec::Encoding;
use partway_jobs::{
    Clock, ExportRequest, JobObject, JobRecord, JobState, ObjectCheck, SystemClock,
};
use tracing::Span;
use url::form_urlencoded;

use super::id::Id;
use super::openapi::Dump;
use super::status::retry_after;

use crate::http::error::{ApiError, CommonErrors, ErrorBody};
use crate::http::headers::{disposition, file_headers, set_headers};
use crate::http::range::{Selection, select};
use crate::http::response::{ResultBody, result};
use crate::paths::{download_url, table_download_url};
use crate::state::ServiceState;
use crate::state::exports::StoreExports;
use crate::state::signed_urls::SignedUrl;

/// How long the store's own URL is valid that a client is redirected to.
const PRESIGNED_FOR: Duration = Duration::from_secs(5 * 60);

/// The object of an export, or some of its bytes.
#[utoipa::path(
    get,
    path = "/export/download/{id}",
    operation_id = "download",
    params(
        Id,
        ("redirect" = Option<u8>, Query, description = "1: redirect to S3 or R2 itself", minimum = 0, maximum = 1),
        ("table" = Option<String>, Query, description = "Of an export with eachTable: the table whose object it is to be, instead of the manifest"),
        ("Range" = Option<String>, Header, description = "One range of bytes, such as `bytes=100-`"),
        ("If-Range" = Option<String>, Header, description = "The ETag of the bytes that the client already has"),
        ("If-None-Match" = Option<String>, Header, description = "The ETags of the objects that the client has"),
    ),
    responses(
        CommonErrors,
        (status = 200, description = "The object",
            content((Dump = "application/sql"), (Dump = "application/vnd.sqlite3"), (Dump = "text/csv"),
                (Dump = "application/x-ndjson"), (Value = "application/json"), (Dump = "application/vnd.apache.parquet"), (Dump = "application/octet-stream")),
            headers(
                ("Accept-Ranges" = String, description = "bytes"),
                ("Content-Disposition" = String, description = "The name to save it under"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 206, description = "The requested bytes",
            content((Dump = "application/sql"), (Dump = "application/vnd.sqlite3"), (Dump = "text/csv"),
                (Dump = "application/x-ndjson"), (Value = "application/json"), (Dump = "application/vnd.apache.parquet"), (Dump = "application/octet-stream")),
            headers(
                ("Content-Range" = String, description = "Which bytes these are, and how many there are"),
                ("Content-Disposition" = String, description = "The name to save the whole object under"),
                ("ETag" = String, description = "The object's SHA-256, in quotes"),
            )),
        (status = 304, description = "The client already has it",
            headers(("ETag" = String, description = "The object's SHA-256, in quotes"))),
        (status = 307, description = "The object is at the Location for the next 5 minutes",
            headers(("Location" = String, description = "A presigned URL of S3 or R2"))),
        (status = 400, description = "The query is invalid, or the store is a folder, which has no URLs", body = ErrorBody),
        (status = 404, description = "There is no such export, or it has no object of the table", body = ErrorBody),
        (status = 409, description = "The export is not done", body = ErrorBody,
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
        (status = 410, description = "The export failed or was cancelled, or its object is gone", body = ErrorBody),
        (status = 416, description = "The object has no such bytes", body = ErrorBody,
            headers(("Content-Range" = String, description = "How many bytes it has"))),
        (status = 429, description = "Too many objects are being downloaded", body = ErrorBody,
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
        (status = 502, description = "The store failed", body = ErrorBody),
    )
)]
pub async fn get(
    state: State<Arc<ServiceState>>,
    id: Id,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    download(state, id, query, Method::GET, headers).await
}

/// The headers of a download, without the object.
#[utoipa::path(
    head,
    path = "/export/download/{id}",
    operation_id = "look",
    params(
        Id,
        ("redirect" = Option<u8>, Query, description = "Has no effect", minimum = 0, maximum = 1),
        ("table" = Option<String>, Query, description = "As for GET"),
        ("If-None-Match" = Option<String>, Header, description = "The ETags of the objects that the client has"),
    ),
    responses(
        CommonErrors,
        (status = 200, description = "The object is there",
            headers(
                ("Accept-Ranges" = String, description = "bytes"),
                ("Content-Disposition" = String, description = "The name to save it under"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 304, description = "The client already has it",
            headers(("ETag" = String, description = "The object's SHA-256, in quotes"))),
        (status = 400, description = "The query is invalid"),
        (status = 404, description = "There is no such export"),
        (status = 409, description = "The export is not done",
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
        (status = 410, description = "The export failed or was cancelled, or its object is gone"),
        (status = 502, description = "The store failed"),
    )
)]
pub async fn head(
    state: State<Arc<ServiceState>>,
    id: Id,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    download(state, id, query, Method::HEAD, headers).await
}

async fn download(
    State(state): State<Arc<ServiceState>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Wanted { redirects, table } = wanted(query.as_deref())?;
    let (exports, record, _) = state.export(&id).await?;
    match record.state {
        JobState::Done if record.pruned_at.is_some() => Err(ApiError::new(
            StatusCode::GONE,
            format!("the object of export {id} has been deleted"),
        )),
        // A URL is signed for GET: a HEAD is answered here.
        JobState::Done if redirects && method == Method::GET => {
            redirect(exports, &record, table.as_deref()).await
        }
        JobState::Done => object(exports, &record, table.as_deref(), &method, &headers).await,
        JobState::Failed | JobState::Cancelled => {
            let ended = if record.state == JobState::Failed { "has" } else { "was" };
            let text =
                format!("export {id} {ended} {}, and there is nothing to download", record.state);
            Err(ApiError::new(StatusCode::GONE, text))
        }
        state => {
            let text = format!(
                "export {id} is not done, but {state}: wait until its status is done, and try again"
            );
            let seconds = retry_after(&record, exports.running.progress(&record.id));
            Err(ApiError::new(StatusCode::CONFLICT, text).retry_after(seconds))
        }
    }
}

/// What the query of a download asks for.
#[derive(Default)]
struct Wanted {
    /// To be redirected to the store.
    redirects: bool,
    /// The object of this table, of an export that has made one for each.
    table: Option<String>,
}

fn wanted(query: Option<&str>) -> Result<Wanted, ApiError> {
    let mut wanted = Wanted::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("redirect", "1") => wanted.redirects = true,
            ("redirect", "0") => wanted.redirects = false,
            ("table", table) => wanted.table = Some(table.to_owned()),
            _ => {
                return Err(ApiError::bad_request(
                    "the query may only have redirect=1 or redirect=0, and table",
                ));
            }
        }
    }
    Ok(wanted)
}

/// Redirects a client to the store's own URL of the object.
///
/// # Errors
///
/// 400 where the store has no URLs, 410 where the object is no longer in it, and the store's.
async fn redirect(
    exports: &StoreExports,
    record: &JobRecord,
    table: Option<&str>,
) -> Result<Response, ApiError> {
    let JobObject { name, .. } = existing_object(exports, record, table).await?;
    let disposition = disposition(&name);
    let Some(url) = exports.store.presigned(&name, PRESIGNED_FOR, &disposition).await? else {
        return Err(ApiError::bad_request(
            "the objects are in a folder and have no URLs: download them without redirect=1",
        ));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    // Everybody with the URL may read the object: no cache is to keep it.
    let headers = [(LOCATION, url.to_string()), (CACHE_CONTROL, "no-store".to_owned())];
    set_headers(&mut response, headers);
    Ok(response)
}

/// The object of an export that is done, or that of a table, if it is still there.
async fn existing_object(
    exports: &StoreExports,
    record: &JobRecord,
    table: Option<&str>,
) -> Result<JobObject, ApiError> {
    let id = &record.id;
    let is_wanted = |object: &JobObject| match (&object.table, table) {
        (Some(found), Some(wanted)) => found.eq_ignore_ascii_case(wanted),
        (found, wanted) => found.is_none() && wanted.is_none(),
    };
    let Some(object) = exports.objects(record).await?.into_iter().find(is_wanted) else {
        let table = table.unwrap_or_default();
        let text = format!("export {id} has no object of table {table:?} alone");
        return Err(ApiError::new(StatusCode::NOT_FOUND, text));
    };
    let text = match exports.check_one_object(record, &object).await? {
        ObjectCheck::Present => return Ok(object),
        ObjectCheck::Replaced => {
            format!("the object of export {id} is gone: another has its name, or it was changed")
        }
        ObjectCheck::Missing => {
            format!("the object of export {id} is gone: it is not in the store any more")
        }
    };
    Err(ApiError::new(StatusCode::GONE, text))
}

/// A URL of the object that needs no token for a minute.
#[utoipa::path(
    get,
    path = "/export/download/{id}/ticket",
    operation_id = "downloadTicket",
    params(
        Id,
        ("table" = Option<String>, Query, description = "Of an export that has made an object of each table: the table whose it is"),
    ),
    responses(
        CommonErrors,
        (status = 200, description = "The URL", body = ResultBody<SignedUrl>),
        (status = 400, description = "The query is invalid", body = ErrorBody),
        (status = 404, description = "There is no such export", body = ErrorBody),
    )
)]
pub async fn ticket(
    State(state): State<Arc<ServiceState>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let Wanted { table, redirects: false } = wanted(query.as_deref())? else {
        return Err(ApiError::bad_request("a signed URL can't redirect: leave out redirect=1"));
    };
    state.export(&id).await?;
    let address = match &table {
        Some(table) => table_download_url(&id, table),
        None => download_url(&id),
    };
    let url = state.signed_urls.sign(&address, SystemClock.now());
    Ok(result(StatusCode::OK, &url))
}

/// The object of an export that is done, or those of its bytes that the headers ask for.
///
/// # Errors
///
/// 410 where it is no longer in the store, 416 where it has no such bytes, 429 where too many objects are being
/// downloaded, and the store's.
pub async fn object(
    exports: &StoreExports,
    record: &JobRecord,
    table: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let JobObject { name, bytes: length, sha256, .. } =
        existing_object(exports, record, table).await?;
    let tag = format!("\"{sha256}\"");
    let (status, range) = match select(headers, &tag, length) {
        Selection::Whole => (StatusCode::OK, 0..length),
        // Ranges are for GET alone (RFC 9110, 14.2).
        Selection::Part(_) | Selection::NotSatisfiable if method == Method::HEAD => {
            (StatusCode::OK, 0..length)
        }
        Selection::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Selection::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Selection::NotSatisfiable => return Err(range_not_satisfiable(length)),
    };
    let mut set = vec![
        (ETAG, tag),
        (ACCEPT_RANGES, "bytes".to_owned()),
        // The bytes of an export never change, but a cache has to ask each time whether the client may have them.
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if status != StatusCode::NOT_MODIFIED {
        set.push((CONTENT_LENGTH, (range.end - range.start).to_string()));
        let ExportRequest { format, encoding, each_table, .. } = &record.request;
        set.extend(match *each_table && table.is_none() {
            // The manifest.
            true => file_headers(&name, "json", &Encoding::default()),
            false => file_headers(&name, format, encoding),
        });
    }
    if status == StatusCode::PARTIAL_CONTENT {
        set.push((CONTENT_RANGE, format!("bytes {}-{}/{length}", range.start, range.end - 1)));
    }
    let body = if method == Method::HEAD || range.is_empty() {
        Body::empty()
    } else {
        let range = (status == StatusCode::PARTIAL_CONTENT).then_some(range);
        stored_bytes(exports, &name, range).await?
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set_headers(&mut response, set);
    Ok(response)
}

fn range_not_satisfiable(length: u64) -> ApiError {
    let text = format!("the object has {length} bytes, and none of those requested");
    let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, text);
    match HeaderValue::from_str(&format!("bytes */{length}")) {
        Ok(value) => error.with_header(CONTENT_RANGE, value),
        Err(_) => error,
    }
}

/// The bytes of an object, or those of a range, as a body that counts as a download until it ends.
async fn stored_bytes(
    exports: &StoreExports,
    name: &str,
    range: Option<Range<u64>>,
) -> Result<Body, ApiError> {
    let permit = exports.downloads.clone().try_acquire_owned().map_err(|_| {
        let text = "too many objects are being downloaded: try again when a download has ended";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, text).retry_after(10)
    })?;
    let bytes = match range {
        Some(range) => exports.store.read_range(name, range).await?,
        None => exports.store.read(name).await?,
    };
    let span = Span::current();
    // The client knows the length, and so notices when the body breaks off.
    Ok(Body::from_stream(bytes.inspect(move |bytes| {
        // Held until the response has ended, or its client has gone.
        let _permit = &permit;
        if let Err(error) = bytes {
            span.in_scope(|| tracing::error!(%error, "a download was interrupted"));
        }
    })))
}
