//! Every request, whoever answers it: counted, measured, and told in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use crate::metrics::Metrics;

/// The header that tells a client by which name its request is in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How much of a path the log has, in bytes.
const LONGEST_PATH: usize = 200;

/// Who watches all requests.
pub struct Watcher {
    metrics: Arc<Metrics>,
    /// Of this start: numbers begin anew with each.
    start: u64,
    number: AtomicU64,
}

impl Watcher {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let start = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        Self { metrics, start, number: AtomicU64::new(1) }
    }
}

/// Lets a request be answered, counts it, and says so. A query stays out of the log: it may hold what is not for all.
pub async fn watched(
    State(watcher): State<Arc<Watcher>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let number = watcher.number.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:x}-{number}", watcher.start);
    // By the route's template: paths are the clients' to choose, and there may be any number.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let path = request.uri().path();
    let path = path.get(..LONGEST_PATH).unwrap_or(path);
    let span = tracing::error_span!("request", request = id, %method, path, export = Empty);
    let answer = async {
        let mut response = next.run(request).await;
        let (status, took) = (response.status().as_u16(), began.elapsed());
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        watcher.metrics.answered(route, word(&method), status, took);
        tracing::info!(status, seconds = took.as_secs_f64(), "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    };
    answer.instrument(span).await
}

/// A method's word; clients may make up others.
fn word(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
    ];
    if known.contains(method) { method.as_str() } else { "other" }
}
