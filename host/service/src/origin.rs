//! Whose page it is that a browser asks for: what changes anything is for this service's own alone.

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

use crate::answer::Refusal;
use crate::dump::{DUMP, KEY};
use crate::requests::REQUEST_ID;

/// How long a browser remembers what it may ask.
const PREFLIGHT: Duration = Duration::from_secs(60 * 60);

/// The header in which a browser says whose page asks (W3C Fetch Metadata).
const SITE: &str = "sec-fetch-site";

/// Lets a browser show answers to the pages of these origins, and to no others.
pub fn cors(allowed: &[HeaderValue]) -> CorsLayer {
    let asked = [ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE, KEY];
    let shown = [
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
        .allow_headers(asked)
        .expose_headers(shown)
        .max_age(PREFLIGHT)
}

/// Lets no page of anybody else's change anything, but those of origins that were allowed. Any page in a browser on this
/// machine may send a GET, and a POST without a body, here; it can't see the answer, but what it has asked for would be
/// done.
pub async fn guard(
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
    let text = "a page of another site has asked for this: from a browser, only this service's own page may, and those of --cors";
    Refusal::new(StatusCode::FORBIDDEN, text).into_response()
}

/// Whether a request comes from this service's page, from a person who has typed the address, or from no browser at
/// all. A browser tells on its pages: the newer ones by Sec-Fetch-Site where they trust the connection, all by Origin
/// with every method but GET and HEAD. Other ports of the same machine are the same site, and yet other pages.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(SITE), text(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
        // A server in front of this one may speak TLS, and so the scheme may be another.
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
        assert!(check(&[(SITE, "none")]));
        assert!(check(&[(SITE, "same-origin"), ("origin", "https://proxied.example")]));
        for origin in ["null", "", "http://127.0.0.1:8788", "http://page.example", "127.0.0.1:8787"]
        {
            assert!(!check(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", ""] {
            assert!(!check(&[(SITE, site), ("origin", "http://127.0.0.1:8787")]), "{site}");
        }
    }
}
