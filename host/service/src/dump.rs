//! `/export/dump`: a GET is answered with the dump where it is small, a POST always with where it will be.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LOCATION, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use partway_jobs::{Clock, JobRecord, JobState, SystemClock};

use crate::answer::{Answer, Problem, Refusal, result};
use crate::body::Sent;
use crate::document::{Dump, Guarded};
use crate::download::object;
use crate::exports::Exports;
use crate::service::Service;
use crate::status::{Accepted, download_url, retry_after, status_url};
use crate::stream;
use crate::tickets::Pass;
use crate::wish::Wish;
use partway_jobs::Incomplete;

/// The path.
pub const DUMP: &str = "/export/dump";

/// The header by which a client says that it asks again.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest of its values, in bytes.
const LONGEST_KEY: usize = 255;

/// The dump itself; where that takes too long or is too large, where it will be.
///
/// Each request makes an export.
#[utoipa::path(
    get,
    path = "/export/dump",
    operation_id = "dump",
    params(Wish),
    responses(
        Guarded,
        (status = 200, description = "The dump. Without a store it is streamed as it is made, and has no ETag",
            content((Dump = "application/sql"), (Dump = "application/octet-stream")),
            headers(
                ("Content-Disposition" = String, description = "The name to keep it by"),
                ("Content-Location" = String, description = "Where it can be downloaded again"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 202, description = "The export goes on: ask there for its status", body = Answer<Accepted>,
            headers(
                ("Location" = String, description = "The path of its status"),
                ("Retry-After" = u64, description = "When to ask, in seconds"),
            )),
        (status = 400, description = "The query makes no sense, or names what there is not", body = Problem),
        (status = 404, description = "No database has the name", body = Problem),
        (status = 409, description = "The export was cancelled before it was done", body = Problem),
        (status = 410, description = "The object is not in the store any more", body = Problem),
        (status = 429, description = "As many exports are unfinished, or dumps being sent, as may be", body = Problem,
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
        (status = 502, description = "The store refuses", body = Problem),
    )
)]
pub async fn get(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let plan = service.plan(&Wish::from_query(query.as_deref())?)?;
    service.check(&plan).await?;
    let Some(exports) = &service.exports else { return stream::answer(&service, plan).await };
    let id = exports.queue(plan, None).await?;
    let record = exports.wait(&id, &service.stop).await?;
    let reason = record.last_error.clone().unwrap_or_default();
    match record.state {
        // Who saves what it gets is not to take it for whole.
        JobState::Done if !record.totals.damaged.is_empty() => {
            let url = download_url(id.as_str());
            let error = Incomplete::new(&record.totals.damaged);
            Err(Refusal::failed(format!("{error}. What could be read is at {url}")))
        }
        JobState::Done
            if record.totals.bytes <= exports.inline_size
                && exports.downloads.available_permits() > 0 =>
        {
            let mut response = object(exports, &record, &Method::GET, &HeaderMap::new()).await?;
            // The same bytes can be had again there, and in ranges; here each GET makes an export.
            response.headers_mut().remove(ACCEPT_RANGES);
            insert(&mut response, CONTENT_LOCATION, &download_url(id.as_str()));
            Ok(response)
        }
        JobState::Failing | JobState::Failed => Err(Refusal::failed(reason)),
        JobState::Cancelling | JobState::Cancelled => {
            Err(Refusal::new(StatusCode::CONFLICT, "the export was cancelled before it was done"))
        }
        _ => Ok(accepted(exports, &record)),
    }
}

/// An address of the dump that needs no token, for a minute. It takes the same query.
#[utoipa::path(
    get,
    path = "/export/dump/ticket",
    operation_id = "dumpTicket",
    params(Wish),
    responses(
        Guarded,
        (status = 200, description = "The address", body = Answer<Pass>),
        (status = 400, description = "The query makes no sense, or names what there is not", body = Problem),
        (status = 404, description = "No database has the name", body = Problem),
    )
)]
pub async fn ticket(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    service.check(&service.plan(&Wish::from_query(query.as_deref())?)?).await?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let pass = service.tickets.issue(&format!("{DUMP}{query}"), SystemClock.now());
    Ok(result(StatusCode::OK, &pass))
}

/// HEAD: refused, since it would make an export of which nobody hears.
pub async fn head() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "each GET here makes an export: ask for one, or POST",
    )
    .with(ALLOW, HeaderValue::from_static("GET, POST"))
}

/// Where the dump will be.
///
/// The same again under the same Idempotency-Key makes no second one.
#[utoipa::path(
    post,
    path = "/export/dump",
    operation_id = "export",
    params(
        ("database" = Option<String>, Query, description = "One of the served databases, which the body may name as well"),
        ("Idempotency-Key" = Option<String>, Header, description = "By which the service knows that it is asked again", min_length = 1, max_length = 255),
    ),
    request_body(content = Wish, description = "The options; an empty body wishes for the default"),
    responses(
        Guarded,
        (status = 202, description = "The export is made, or was made under the same key: ask there for its status",
            body = Answer<Accepted>,
            headers(
                ("Location" = String, description = "The path of its status"),
                ("Retry-After" = u64, description = "When to ask, in seconds"),
            )),
        (status = 400, description = "The options make no sense, or name what there is not", body = Problem),
        (status = 404, description = "No database has the name, or the service has no store", body = Problem),
        (status = 408, description = "The body has not come within 30 s", body = Problem),
        (status = 413, description = "The body is larger than 64 KiB", body = Problem),
        (status = 415, description = "The body is not said to be application/json", body = Problem),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem),
        (status = 429, description = "As many exports are unfinished as may be", body = Problem,
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
    )
)]
pub async fn post(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, Refusal> {
    let exports = service.exports()?;
    let key = key(&headers)?;
    let wish = Wish::from_body(query.as_deref(), &headers, &body)?;
    let plan = service.plan(&wish)?;
    // What was asked for before is there, whatever has become of its table since.
    let known = match &key {
        Some(key) => exports.asked_before(&plan, key).await?,
        None => None,
    };
    let id = match known {
        Some(id) => id,
        None => {
            service.check(&plan).await?;
            exports.queue(plan, key).await?
        }
    };
    Ok(accepted(exports, &exports.find(id.as_str()).await?))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = || {
        Refusal::bad(format!(
            "the Idempotency-Key can't be used: give one, of 1 to {LONGEST_KEY} printable ASCII characters"
        ))
    };
    let key = value.to_str().map_err(|_| wrong())?.trim();
    if key.is_empty() || key.len() > LONGEST_KEY || values.next().is_some() {
        return Err(wrong());
    }
    Ok(Some(key.to_owned()))
}

/// 202, with where to ask and when.
fn accepted(exports: &Exports, record: &JobRecord) -> Response {
    let id = record.id.as_str();
    let mut response = result(StatusCode::ACCEPTED, &Accepted::of(record));
    insert(&mut response, LOCATION, &status_url(id));
    let seconds = retry_after(record, exports.live.pulse(&record.id));
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn insert(response: &mut Response, name: HeaderName, value: &str) {
    // An id has but letters and digits.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
