//! The routes: paths, their handlers, and what guards them.

pub mod databases;
pub mod download;
pub mod dump;
pub mod events;
pub mod exports;
pub mod health;
pub mod id;
pub mod metrics;
pub mod not_found;
pub mod openapi;
pub mod page;
pub mod parameters;
pub mod status;
pub mod stream;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::middleware::from_fn_with_state;
use axum::routing::head;
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::events::EventStreams;
use self::not_found::{method_not_allowed, not_found};
use self::openapi::DocumentJson;
use crate::http::access::{Access, authorize};
use crate::http::body::MAX_LENGTH;
use crate::http::origin::{cors, reject_other_sites};
use crate::http::request_log::{RequestLog, log_request};
use crate::paths::DUMP;
use crate::state::ServiceState;

/// All routes of the service. `access` says who may use them; pages of these origins may do so from a browser.
pub fn router(
    state: Arc<ServiceState>,
    access: Arc<Access>,
    allowed_origins: &[HeaderValue],
) -> Router {
    let (guarded, open, document) = all();
    let log = Arc::new(RequestLog::new(state.metrics.clone()));
    // Its keys are all text: it can be written.
    let document = DocumentJson::of(&document).unwrap_or_default();
    let origins = Arc::<[HeaderValue]>::from(allowed_origins);
    let mut guarded = guarded
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_LENGTH))
        .layer(Extension(Arc::new(EventStreams::default())))
        .layer(from_fn_with_state((access.clone(), state.clone()), authorize))
        .layer(from_fn_with_state(origins, reject_other_sites));
    if !allowed_origins.is_empty() {
        guarded = guarded.layer(cors(allowed_origins));
    }
    guarded
        .merge(
            open.layer(Extension(document))
                .layer(Extension(access))
                .method_not_allowed_fallback(method_not_allowed),
        )
        // The page holds no data, and asks for a token itself.
        .merge(page::router())
        .layer(from_fn_with_state(log, log_request))
        .with_state(state)
}

/// The routes that need a token, those that need none, and the description of both.
fn all() -> (Router<Arc<ServiceState>>, Router<Arc<ServiceState>>, OpenApi) {
    let (guarded, mut document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(dump::get, dump::post))
        .routes(routes!(dump::ticket))
        .routes(routes!(status::get))
        .routes(routes!(events::get))
        .routes(routes!(download::get, download::head))
        .routes(routes!(download::ticket))
        .routes(routes!(exports::remove))
        .routes(routes!(exports::list))
        .routes(routes!(databases::get))
        .routes(routes!(metrics::get))
        .split_for_parts();
    // Monitoring needs no token, and neither do clients that read the description.
    let (open, more) = OpenApiRouter::default()
        .routes(routes!(health::get))
        .routes(routes!(health::ready))
        .routes(routes!(openapi::get))
        .split_for_parts();
    document.merge(more);
    openapi::finish(&mut document);
    // Otherwise axum would answer HEAD by a GET.
    (guarded.route(DUMP, head(dump::head)), open, document)
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_answer_is_described_and_every_operation_has_a_name_of_its_own() {
        let document = serde_json::to_value(all().2).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut names = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                names.push(operation["operationId"].as_str().unwrap().to_owned());
                assert!(operation["summary"].is_string(), "{method} {path}");
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let text = response["description"].as_str().unwrap();
                    assert!(!text.is_empty(), "{method} {path} {status}");
                    let error = &response["content"]["application/json"]["schema"]["$ref"];
                    if status.as_str() >= "400" && method != "head" {
                        assert_eq!(
                            error, "#/components/schemas/ErrorBody",
                            "{method} {path} {status}"
                        );
                    }
                }
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= 9, "{names:?}");
    }
}
