//! `/healthz`: whether the service responds. `/readyz`: whether it can do its work.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::access::Access;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::response::{ResultBody, result};
use crate::state::ServiceState;
use crate::state::readiness::NotReady;

/// The service responds.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the service responds.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    security(()),
    responses((status = 200, description = "It responds", body = ResultBody<Health>))
)]
pub async fn get() -> Response {
    result(StatusCode::OK, &Health { status: "ok" })
}

/// The service can do its work.
#[derive(Serialize, ToSchema)]
struct Ready {
    /// `ready`.
    status: &'static str,
}

/// Whether databases, store and saved jobs can be used. The result is up to 3 s old.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    security(()),
    responses(
        (status = 200, description = "They can", body = ResultBody<Ready>),
        (status = 503, description = "The error says what can't be used, or that the service is stopping. It names databases only to clients with a token; the log has the reasons",
            body = ErrorBody, headers(("Retry-After" = u64, description = "When to try again, in seconds"))),
    )
)]
pub async fn ready(
    State(state): State<Arc<ServiceState>>,
    Extension(access): Extension<Arc<Access>>,
    headers: HeaderMap,
) -> Response {
    if state.stop.is_cancelled() {
        return unavailable("the service is stopping");
    }
    let broken = state.readiness.check(&state).await;
    if broken.is_empty() {
        return result(StatusCode::OK, &Ready { status: "ready" });
    }
    let is_known = access.check(&Method::GET, &headers).is_ok();
    let mut names: Vec<String> = broken.iter().map(|what| name(what, is_known)).collect();
    names.dedup();
    unavailable(&format!("not ready: {}", names.join(", ")))
}

/// What can't be used. Strangers do not learn which databases there are.
fn name(what: &NotReady, is_known: bool) -> String {
    match what {
        NotReady::Database(name) if is_known => format!("the database {name:?}"),
        NotReady::Database(_) => "a database".to_owned(),
        NotReady::Store => "the store".to_owned(),
        NotReady::Jobs => "the saved jobs".to_owned(),
    }
}

fn unavailable(error: &str) -> Response {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error).retry_after(5).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::HOST;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::{Config, NamedDatabase, Service};

    #[tokio::test]
    async fn a_service_that_is_stopping_is_not_ready() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.db");
        std::fs::write(&file, "").unwrap();
        let stop = CancellationToken::new();
        let config =
            Config { databases: vec![NamedDatabase::from_path(&file)], ..Config::default() };
        let service = Service::open(config, stop.clone()).await.unwrap();
        let ask = async || {
            let request = Request::get("/readyz").header(HOST, "localhost");
            let request = request.body(Body::empty()).unwrap();
            service.router().oneshot(request).await.unwrap().status()
        };
        assert_eq!(ask().await, StatusCode::OK);
        stop.cancel();
        assert_eq!(ask().await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
