//! `/export/dump`: a GET responds with the dump where it is small, a POST always with where it will be.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LOCATION, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use partway_jobs::{Clock, JobRecord, JobState, SystemClock};

use super::download::object;
use super::openapi::Dump;
use super::parameters::ExportParameters;
use super::status::{Accepted, retry_after};
use super::stream;

use crate::callbacks::client::UrlError;
use crate::error::with_causes;
use crate::http::body::LimitedBody;
use crate::http::error::{ApiError, CommonErrors, ErrorBody};
use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::response::{ResultBody, result};
use crate::paths::{DUMP, download_url, status_url};
use crate::state::exports::StoreExports;
use crate::state::signed_urls::SignedUrl;
use crate::state::{CHECK_PART_SIZE, ServiceState};

/// The longest Idempotency-Key, in bytes.
const MAX_KEY_LENGTH: usize = 255;

/// Returns the dump, or, if it takes too long or is too large, where it will be.
///
/// Each request starts an export.
#[utoipa::path(
    get,
    path = "/export/dump",
    operation_id = "dump",
    params(ExportParameters),
    responses(
        CommonErrors,
        (status = 200, description = "The dump. A service without a store streams it as it is made, without an ETag",
            content((Dump = "application/sql"), (Dump = "application/vnd.sqlite3"), (Dump = "text/csv"),
                (Dump = "application/x-ndjson"), (Value = "application/json"), (Dump = "application/vnd.apache.parquet"), (Dump = "application/octet-stream")),
            headers(
                ("Content-Disposition" = String, description = "The name to save it under"),
                ("Content-Location" = String, description = "Where it can be downloaded again"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 202, description = "The export continues; its status is at the Location", body = ResultBody<Accepted>,
            headers(
                ("Location" = String, description = "The path of its status"),
                ("Retry-After" = u64, description = "When to request the status, in seconds"),
            )),
        (status = 400, description = "The query is invalid, or names a format, table or option that does not exist or does not fit", body = ErrorBody),
        (status = 404, description = "There is no database of this name", body = ErrorBody),
        (status = 409, description = "The export was cancelled before it was done", body = ErrorBody),
        (status = 410, description = "The object is no longer in the store", body = ErrorBody),
        (status = 429, description = "Too many exports are unfinished, or too many dumps are being sent", body = ErrorBody,
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
        (status = 502, description = "The store failed", body = ErrorBody),
    )
)]
pub async fn get(
    State(state): State<Arc<ServiceState>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = ExportParameters::from_query(query.as_deref())?;
    check(&state, &parameters).await?;
    let Some(exports) = &state.exports else { return stream::respond(&state, &parameters).await };
    let request = parameters.request(&state.databases, exports)?;
    let id = exports.queue(request, parameters.callback_url, None).await?;
    let record = exports.wait(&id, &state.stop).await?;
    if let Some(error) = record.incomplete() {
        // A client that saves the body must not take it for complete.
        let url = download_url(id.as_str());
        return Err(ApiError::internal(format!("{error}. What could be read is at {url}")));
    }
    match record.state {
        JobState::Done
            if record.totals.bytes <= exports.inline.max_bytes
                && exports.downloads.available_permits() > 0 =>
        {
            let mut response =
                object(exports, &record, None, &Method::GET, &HeaderMap::new()).await?;
            // Ranges of the same bytes are at the Content-Location; here each GET starts an export.
            response.headers_mut().remove(ACCEPT_RANGES);
            insert(&mut response, CONTENT_LOCATION, &download_url(id.as_str()));
            Ok(response)
        }
        JobState::Failing | JobState::Failed => {
            Err(ApiError::internal(record.last_error.unwrap_or_default()))
        }
        JobState::Cancelling | JobState::Cancelled => {
            Err(ApiError::new(StatusCode::CONFLICT, "the export was cancelled before it was done"))
        }
        _ => Ok(accepted(exports, &record)),
    }
}

/// Has the request validated: by the component, and as far as its callback goes.
async fn check(state: &ServiceState, parameters: &ExportParameters) -> Result<(), ApiError> {
    let database = parameters.database(&state.databases)?.to_owned();
    parameters.object_name()?;
    let options = parameters.options(CHECK_PART_SIZE)?;
    if let Some(url) = &parameters.callback_url {
        let Some(exports) = &state.exports else {
            return Err(ApiError::bad_request(
                "a streamed dump has no callback: it ends with its response. Leave out callbackUrl",
            ));
        };
        exports.callbacks.check(url).await.map_err(|error| callback_error(&error))?;
    }
    if parameters.each_table()? {
        let request = parameters.request(&state.databases, state.exports()?)?;
        return Ok(state.check_each_table(request, CHECK_PART_SIZE).await?);
    }
    Ok(state.check(database, options, Vec::new()).await?)
}

fn callback_error(error: &UrlError) -> ApiError {
    let text = format!("the callbackUrl can't be used: {}", with_causes(error));
    match error {
        UrlError::LookupTimeout => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(10)
        }
        _ => ApiError::bad_request(text),
    }
}

/// A URL of the dump that needs no token for a minute. It takes the same query.
#[utoipa::path(
    get,
    path = "/export/dump/ticket",
    operation_id = "dumpTicket",
    params(ExportParameters),
    responses(
        CommonErrors,
        (status = 200, description = "The URL", body = ResultBody<SignedUrl>),
        (status = 400, description = "The query is invalid, or names a format, table or option that does not exist or does not fit", body = ErrorBody),
        (status = 404, description = "There is no database of this name", body = ErrorBody),
    )
)]
pub async fn ticket(
    State(state): State<Arc<ServiceState>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    check(&state, &ExportParameters::from_query(query.as_deref())?).await?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let url = state.signed_urls.sign(&format!("{DUMP}{query}"), SystemClock.now());
    Ok(result(StatusCode::OK, &url))
}

/// HEAD: refused, since it would start an export whose id the client would not see.
pub async fn head() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "each GET here starts an export: send a GET or a POST",
    )
    .with_header(ALLOW, HeaderValue::from_static("GET, POST"))
}

/// Starts an export, and returns where the dump will be.
///
/// Repeating the request with the same Idempotency-Key does not start a second export.
#[utoipa::path(
    post,
    path = "/export/dump",
    operation_id = "export",
    params(
        ("database" = Option<String>, Query, description = "One of the served databases; the body may name it instead"),
        ("Idempotency-Key" = Option<String>, Header, description = "Identifies repetitions of the same request", min_length = 1, max_length = 255),
    ),
    request_body(content = ExportParameters, description = "The parameters; an empty body means defaults"),
    responses(
        CommonErrors,
        (status = 202, description = "The export was started, now or earlier by a request with the same key: its status is at the Location",
            body = ResultBody<Accepted>,
            headers(
                ("Location" = String, description = "The path of its status"),
                ("Retry-After" = u64, description = "When to request the status, in seconds"),
            )),
        (status = 400, description = "The parameters are invalid, or name a format, table or target that does not exist", body = ErrorBody),
        (status = 404, description = "There is no database of this name, or the service has no store", body = ErrorBody),
        (status = 408, description = "The body has not arrived within 30 s", body = ErrorBody),
        (status = 413, description = "The body is larger than 64 KiB", body = ErrorBody),
        (status = 415, description = "The Content-Type is not application/json", body = ErrorBody),
        (status = 422, description = "The Idempotency-Key was used for another request", body = ErrorBody),
        (status = 429, description = "Too many exports are unfinished", body = ErrorBody,
            headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
    )
)]
pub async fn post(
    State(state): State<Arc<ServiceState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Result<Response, ApiError> {
    let exports = state.exports()?;
    let key = idempotency_key(&headers)?;
    let parameters = ExportParameters::from_body(query.as_deref(), &headers, &body)?;
    let request = parameters.request(&state.databases, exports)?;
    let callback = parameters.callback_url.clone();
    // A request that was made before has its export, even if its table has been dropped since.
    let known = match &key {
        Some(key) => exports.queued_before(&request, callback.clone(), key).await?,
        None => None,
    };
    let id = match known {
        Some(id) => id,
        None => {
            check(&state, &parameters).await?;
            exports.queue(request, callback, key).await?
        }
    };
    Ok(accepted(exports, &exports.find(id.as_str()).await?))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let invalid = || {
        ApiError::bad_request(format!(
            "the Idempotency-Key can't be used: give one, of 1 to {MAX_KEY_LENGTH} printable ASCII characters"
        ))
    };
    let key = value.to_str().map_err(|_| invalid())?.trim();
    if key.is_empty() || key.len() > MAX_KEY_LENGTH || values.next().is_some() {
        return Err(invalid());
    }
    Ok(Some(key.to_owned()))
}

/// 202, with where the status is and when to ask for it.
fn accepted(exports: &StoreExports, record: &JobRecord) -> Response {
    let id = record.id.as_str();
    let mut response = result(StatusCode::ACCEPTED, &Accepted::of(record));
    insert(&mut response, LOCATION, &status_url(id));
    let seconds = retry_after(record, exports.running.progress(&record.id));
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    // An id has only letters and digits.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
