//! `/`: a page on which people see and start exports. It holds no data, but requests what it shows, as any client does.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::not_found::method_not_allowed;
use crate::http::range::{Selection, select};

/// What the page may do: run its own scripts, use its own styles, send requests to this service. Text can't become
/// markup.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

static FILES: [File; 8] = [
    File { path: "/", kind: HTML, text: include_str!("page/index.html") },
    File {
        path: "/page/style.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("page/style.css"),
    },
    File { path: "/page/icon.svg", kind: "image/svg+xml", text: include_str!("page/icon.svg") },
    File { path: "/page/app.js", kind: SCRIPT, text: include_str!("page/app.js") },
    File { path: "/page/card.js", kind: SCRIPT, text: include_str!("page/card.js") },
    File { path: "/page/client.js", kind: SCRIPT, text: include_str!("page/client.js") },
    File { path: "/page/plot.js", kind: SCRIPT, text: include_str!("page/plot.js") },
    File { path: "/page/format.js", kind: SCRIPT, text: include_str!("page/format.js") },
];

/// One entity tag for all files: those of one version belong together.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for file in &FILES {
        hash.update(file.text);
    }
    format!("\"{}\"", base16ct::lower::encode_string(&hash.finalize()))
});

/// The paths of the page.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let respond = move |headers: HeaderMap| async move { file.respond(&headers) };
        router.route(file.path, get(respond).fallback(method_not_allowed))
    })
}

impl File {
    fn respond(&self, headers: &HeaderMap) -> Response {
        let constant = HeaderValue::from_static;
        let mut response = match select(headers, &TAG, self.text.len() as u64) {
            Selection::NotModified => StatusCode::NOT_MODIFIED.into_response(),
            _ => ([(CONTENT_TYPE, constant(self.kind))], self.text).into_response(),
        };
        let set = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&TAG) {
            set.insert(ETAG, tag);
        }
        // Cached, but validated each time: another version of the program has another page.
        set.insert(CACHE_CONTROL, constant("no-cache"));
        set.insert(CONTENT_SECURITY_POLICY, constant(CONTENT_POLICY));
        set.insert(X_CONTENT_TYPE_OPTIONS, constant("nosniff"));
        set.insert(X_FRAME_OPTIONS, constant("DENY"));
        set.insert(REFERRER_POLICY, constant("no-referrer"));
        response
    }
}
