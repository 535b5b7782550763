//! Objects of the store, as answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use partway_jobs::{Clock, JobRecord, JobState, SystemClock};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Span;
use url::form_urlencoded;

use crate::answer::{Answer, Problem, Refusal, result};
use crate::document::{Dump, Guarded};
use crate::exports::Exports;
use crate::range::{Wanted, wanted};
use crate::routes::Id;
use crate::service::Service;
use crate::status::{download_url, retry_after};
use crate::tickets::Pass;

/// What an extended parameter of a header may not hold as it is (RFC 8187).
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// How long the URL is good that a client is sent on to.
const SIGNED_FOR: Duration = Duration::from_secs(5 * 60);

/// The object of an export, or some of its bytes.
#[utoipa::path(
    get,
    path = "/export/download/{id}",
    operation_id = "download",
    params(
        Id,
        ("redirect" = Option<u8>, Query, description = "1: be sent on to S3 or R2 itself", minimum = 0, maximum = 1),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=100-`"),
        ("If-Range" = Option<String>, Header, description = "The ETag of what the client has of it"),
        ("If-None-Match" = Option<String>, Header, description = "The ETags of what the client has"),
    ),
    responses(
        Guarded,
        (status = 200, description = "The object",
            content((Dump = "application/sql"), (Dump = "application/octet-stream")),
            headers(
                ("Accept-Ranges" = String, description = "bytes"),
                ("Content-Disposition" = String, description = "The name to keep it by"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 206, description = "The bytes that were asked for",
            content((Dump = "application/sql"), (Dump = "application/octet-stream")),
            headers(
                ("Content-Range" = String, description = "Which bytes of how many they are"),
                ("Content-Disposition" = String, description = "The name to keep the whole by"),
                ("ETag" = String, description = "The object's SHA-256, in quotes"),
            )),
        (status = 304, description = "The client has it",
            headers(("ETag" = String, description = "The object's SHA-256, in quotes"))),
        (status = 307, description = "The object is there, for whoever comes within 5 minutes",
            headers(("Location" = String, description = "A presigned URL of S3 or R2"))),
        (status = 400, description = "The query makes no sense, or a folder has no URLs", body = Problem),
        (status = 404, description = "There is no such export", body = Problem),
        (status = 409, description = "The export is not done", body = Problem,
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
        (status = 410, description = "The export has come to nothing, or its object is gone", body = Problem),
        (status = 416, description = "The object has no such bytes", body = Problem,
            headers(("Content-Range" = String, description = "How many it has"))),
        (status = 429, description = "As many objects are being downloaded as may be", body = Problem,
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
        (status = 502, description = "The store refuses", body = Problem),
    )
)]
pub async fn get(
    service: State<Arc<Service>>,
    id: Id,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    download(service, id, query, Method::GET, headers).await
}

/// What a download would be answered with, but for the bytes.
#[utoipa::path(
    head,
    path = "/export/download/{id}",
    operation_id = "look",
    params(
        Id,
        ("redirect" = Option<u8>, Query, description = "Means nothing here", minimum = 0, maximum = 1),
        ("If-None-Match" = Option<String>, Header, description = "The ETags of what the client has"),
    ),
    responses(
        Guarded,
        (status = 200, description = "The object is there",
            headers(
                ("Accept-Ranges" = String, description = "bytes"),
                ("Content-Disposition" = String, description = "The name to keep it by"),
                ("ETag" = String, description = "Its SHA-256, in quotes"),
            )),
        (status = 304, description = "The client has it",
            headers(("ETag" = String, description = "The object's SHA-256, in quotes"))),
        (status = 400, description = "The query makes no sense"),
        (status = 404, description = "There is no such export"),
        (status = 409, description = "The export is not done",
            headers(("Retry-After" = u64, description = "When to ask again, in seconds"))),
        (status = 410, description = "The export has come to nothing, or its object is gone"),
        (status = 502, description = "The store refuses"),
    )
)]
pub async fn head(
    service: State<Arc<Service>>,
    id: Id,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    download(service, id, query, Method::HEAD, headers).await
}

async fn download(
    State(service): State<Arc<Service>>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let sent_on = is_sent_on(query.as_deref())?;
    let (exports, record, _) = service.export(&id).await?;
    match record.state {
        JobState::Done if record.pruned_at.is_some() => Err(Refusal::new(
            StatusCode::GONE,
            format!("the object of export {id} has been deleted"),
        )),
        // A URL is signed for GET: what a HEAD asks for is told here.
        JobState::Done if sent_on && method == Method::GET => elsewhere(exports, &record).await,
        JobState::Done => object(exports, &record, &method, &headers).await,
        JobState::Failed | JobState::Cancelled => {
            let ended = if record.state == JobState::Failed { "has" } else { "was" };
            let text =
                format!("export {id} {ended} {}, and there is nothing to download", record.state);
            Err(Refusal::new(StatusCode::GONE, text))
        }
        state => {
            let text =
                format!("export {id} is not done, but {state}: ask for its status, and come again");
            let seconds = retry_after(&record, exports.live.pulse(&record.id));
            Err(Refusal::new(StatusCode::CONFLICT, text).again_in(seconds))
        }
    }
}

/// Whether the client wants to be sent on to the store.
fn is_sent_on(query: Option<&str>) -> Result<bool, Refusal> {
    let mut sent_on = false;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        sent_on = match (name.as_ref(), value.as_ref()) {
            ("redirect", "1") => true,
            ("redirect", "0") => false,
            _ => {
                return Err(Refusal::bad(
                    "the query may have redirect=1 or redirect=0, and no more",
                ));
            }
        };
    }
    Ok(sent_on)
}

/// Sends a client on to where the store has the object.
///
/// # Errors
///
/// 400 where the store has no URLs, 410 where the object is not in it any more, and the store's.
async fn elsewhere(exports: &Exports, record: &JobRecord) -> Result<Response, Refusal> {
    let name = look(exports, record).await?;
    let disposition = disposition(name);
    let Some(url) = exports.store.presigned(name, SIGNED_FOR, &disposition).await? else {
        return Err(Refusal::bad(
            "the objects are in a folder, and have no URLs: download them here, without redirect=1",
        ));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    // Who has the URL may read: it is nobody else's to keep.
    let headers = [(LOCATION, url.to_string()), (CACHE_CONTROL, "no-store".to_owned())];
    set_headers(&mut response, headers);
    Ok(response)
}

/// The name of the object of an export that is done, if it is there still.
async fn look<'a>(exports: &Exports, record: &'a JobRecord) -> Result<&'a str, Refusal> {
    let name = record.object.as_deref().unwrap_or_default();
    let length = exports.store.length(name).await?;
    if length != record.totals.bytes || exports.is_superseded(record).await? {
        let text = format!("the object of export {} is gone: another has its name", record.id);
        return Err(Refusal::new(StatusCode::GONE, text));
    }
    Ok(name)
}

/// An address of the object that needs no token, for a minute.
#[utoipa::path(
    get,
    path = "/export/download/{id}/ticket",
    operation_id = "downloadTicket",
    params(Id),
    responses(
        Guarded,
        (status = 200, description = "The address", body = Answer<Pass>),
        (status = 404, description = "There is no such export", body = Problem),
    )
)]
pub async fn ticket(State(service): State<Arc<Service>>, Id(id): Id) -> Result<Response, Refusal> {
    service.export(&id).await?;
    let pass = service.tickets.issue(&download_url(&id), SystemClock.now());
    Ok(result(StatusCode::OK, &pass))
}

/// The object of an export that is done, or what is wanted of it.
///
/// # Errors
///
/// 410 where it is not in the store any more, 416 where it has no such bytes, 429 where as many are being downloaded as
/// may be, and the store's.
pub async fn object(
    exports: &Exports,
    record: &JobRecord,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let (name, length) = (look(exports, record).await?, record.totals.bytes);
    let tag = format!("\"{}\"", record.sha256.as_deref().unwrap_or_default());
    let (status, range) = match wanted(headers, &tag, length) {
        Wanted::Whole => (StatusCode::OK, 0..length),
        // Of ranges, only a GET knows (RFC 9110, 14.2).
        Wanted::Part(_) | Wanted::Beyond if method == Method::HEAD => (StatusCode::OK, 0..length),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Known => (StatusCode::NOT_MODIFIED, 0..0),
        Wanted::Beyond => {
            let text =
                format!("the object has {length} bytes, and none of those that are asked for");
            let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, text);
            return Err(match HeaderValue::from_str(&format!("bytes */{length}")) {
                Ok(value) => refusal.with(CONTENT_RANGE, value),
                Err(_) => refusal,
            });
        }
    };
    let mut set = vec![
        (ETAG, tag),
        (ACCEPT_RANGES, "bytes".to_owned()),
        // The bytes of an id never change, but who has them is to be asked each time.
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if status != StatusCode::NOT_MODIFIED {
        set.push((CONTENT_LENGTH, (range.end - range.start).to_string()));
        set.extend(file_headers(name, &record.request.format));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        set.push((CONTENT_RANGE, format!("bytes {}-{}/{length}", range.start, range.end - 1)));
    }
    let body = if method == Method::HEAD || range.is_empty() {
        Body::empty()
    } else {
        let turn = exports.downloads.clone().try_acquire_owned().map_err(|_| {
            let text = "as many objects are being downloaded as may be at a time: try again when one has ended";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, text).again_in(10)
        })?;
        let bytes = match status {
            StatusCode::PARTIAL_CONTENT => exports.store.read_range(name, range).await?,
            _ => exports.store.read(name).await?,
        };
        // With its length told, an answer that breaks off is known as one.
        let span = Span::current();
        Body::from_stream(bytes.inspect(move |bytes| {
            // Until the answer has ended, or its client has gone.
            let _turn = &turn;
            if let Err(error) = bytes {
                span.in_scope(|| tracing::error!(%error, "a download has broken off"));
            }
        }))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set_headers(&mut response, set);
    Ok(response)
}

/// What is said of a file that is to be kept.
pub fn file_headers(name: &str, format: &str) -> Vec<(HeaderName, String)> {
    let kind = if format == "sql" { "application/sql" } else { "application/octet-stream" };
    vec![
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, disposition(name)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ]
}

/// That a file is to be kept, and its name.
fn disposition(name: &str) -> String {
    let plain = |letter: char| {
        let is_plain = letter.is_ascii_graphic() && !matches!(letter, '"' | '\\') || letter == ' ';
        if is_plain { letter } else { '_' }
    };
    let fallback: String = name.chars().map(plain).collect();
    let mut disposition = format!("attachment; filename=\"{fallback}\"");
    if fallback != name {
        let encoded = utf8_percent_encode(name, NOT_PLAIN);
        disposition.push_str(&format!("; filename*=UTF-8''{encoded}"));
    }
    disposition
}

/// Sets headers, all of whose values are of printable ASCII.
pub fn set_headers(
    response: &mut Response,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_whatever_is_in_it() {
        assert_eq!(disposition("a b.sql"), "attachment; filename=\"a b.sql\"");
        assert_eq!(
            disposition("tä\"g.sql"),
            "attachment; filename=\"t__g.sql\"; filename*=UTF-8''t%C3%A4%22g.sql"
        );
    }
}
