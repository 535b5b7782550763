//! Every request is counted, measured and logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use super::headers::REQUEST_ID;
use crate::state::metrics::Metrics;

/// How much of a path is logged, in bytes.
const MAX_PATH_LENGTH: usize = 200;

/// Numbers requests, and counts them.
pub struct RequestLog {
    metrics: Arc<Metrics>,
    /// When the service was started, in seconds since 1970: part of each id, since numbers start over with the service.
    started: u64,
    next_number: AtomicU64,
}

impl RequestLog {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let started = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        Self { metrics, started, next_number: AtomicU64::new(1) }
    }
}

/// Has a request answered, counts it, and logs it without its query, which may hold secrets.
pub async fn log_request(
    State(log): State<Arc<RequestLog>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let number = log.next_number.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:x}-{number}", log.started);
    // The route's template: paths are the clients' choice, and there may be any number of them.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let path = request.uri().path();
    let path = path.get(..MAX_PATH_LENGTH).unwrap_or(path);
    let span = tracing::error_span!("request", request = id, %method, path, export = Empty);
    let respond = async {
        let mut response = next.run(request).await;
        let (status, took) = (response.status().as_u16(), began.elapsed());
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        log.metrics.request_answered(route, method_label(&method), status, took);
        tracing::info!(status, seconds = took.as_secs_f64(), "answered");
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    };
    respond.instrument(span).await
}

/// A method as a label; clients may make up others.
fn method_label(method: &Method) -> &str {
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
