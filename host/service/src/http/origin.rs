//! Requests from web pages: only this service's own page, and those of allowed origins, may change anything.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, IF_RANGE, LOCATION, ORIGIN, RANGE,
    RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::error::ApiError;
use super::headers::{IDEMPOTENCY_KEY, REQUEST_ID};
use crate::paths::DUMP;

/// How long a browser may cache the response to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The header in which a browser says which site a request comes from (W3C Fetch Metadata).
const FETCH_SITE: &str = "sec-fetch-site";

/// Lets the pages of these origins, and no others, read responses in a browser.
pub fn cors(allowed: &[HeaderValue]) -> CorsLayer {
    let allowed_headers =
        [ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE, IDEMPOTENCY_KEY];
    let exposed_headers = [
        ACCEPT_RANGES,
        CONTENT_DISPOSITION,
        CONTENT_LENGTH,
        CONTENT_LOCATION,
        CONTENT_RANGE,
        ETAG,
        LOCATION,
        RETRY_AFTER,
        REQUEST_ID,
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(allowed.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(allowed_headers)
        .expose_headers(exposed_headers)
        .max_age(PREFLIGHT_MAX_AGE)
}

/// Lets no page of another site change anything, except for those of allowed origins. Any page in a browser on this
/// machine can send a GET, or a POST without a body, here. It can't read the response, but the request would be carried
/// out.
pub async fn reject_other_sites(
    State(allowed): State<Arc<[HeaderValue]>>,
    request: Request,
    next: Next,
) -> Response {
    // Each GET of a dump makes an export.
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let changes = !is_safe || request.uri().path() == DUMP;
    let is_allowed = request.headers().get(ORIGIN).is_some_and(|origin| allowed.contains(origin));
    if !changes || is_allowed || is_own(request.headers()) {
        return next.run(request).await;
    }
    let text = "a page of another site sent this request: from a browser, only this service's own page and those of \
                allowed origins may";
    ApiError::new(StatusCode::FORBIDDEN, text).into_response()
}

/// Whether a request comes from this service's page, from a person who typed the address, or from no browser at all.
/// Newer browsers say so by Sec-Fetch-Site where they trust the connection, and all by Origin with every method but GET
/// and HEAD. Other ports of the same machine are the same site, but other origins.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(FETCH_SITE), text(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
        // A proxy in front of this service may speak TLS, so the scheme may differ.
        (None, Some(origin)) => {
            let own = origin.split_once("://").map(|(_, authority)| authority);
            own.is_some() && own == text(HOST.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn foreign_pages_are_told_from_all_else() {
        let check = |pairs: &[(&'static str, &'static str)]| {
            let headers = [("host", "127.0.0.1:8787")].iter().chain(pairs).map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            is_own(&headers.collect())
        };
        assert!(check(&[]));
        assert!(check(&[("origin", "http://127.0.0.1:8787")]));
        assert!(check(&[(FETCH_SITE, "none")]));
        assert!(check(&[(FETCH_SITE, "same-origin"), ("origin", "https://proxied.example")]));
        for origin in ["null", "", "http://127.0.0.1:8788", "http://page.example", "127.0.0.1:8787"]
        {
            assert!(!check(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!check(&[(FETCH_SITE, site), ("origin", "http://127.0.0.1:8787")]), "{site}");
        }
    }
}
