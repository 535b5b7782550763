//! What the service tells of itself: `GET /openapi.json`, made of the types that are read and written, and of what
//! stands beside each handler.
//!
//! A route is added in two steps: `#[utoipa::path(…)]` on its handler, with every status that it may answer with
//! ([`Guarded`] has those of all routes behind a token), and `.routes(routes!(handler))` in `routes.rs`. Then it is
//! routed and in the document, or neither.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};

use crate::answer::Problem;

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "partway serve",
        description = "Streaming exports of SQLite databases. A result is `{\"result\": …}`; what is refused or has \
                       failed is `{\"result\": null, \"error\": \"…\"}`. A service that was started without \
                       `--token-file` needs no token. One that was started without `--store` keeps no exports: GET \
                       /export/dump streams each dump, and what is about exports is answered with 404."
    ),
    components(schemas(Problem)),
    security(("bearer" = [])),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let text = "`read` tokens may GET and HEAD, which includes GET /export/dump; `admin` tokens may do all.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text));
        if let Some(components) = &mut document.components {
            components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
        }
    }
}

/// What any route behind a token may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they are described here, and made where they happen")]
pub enum Guarded {
    /// The token is missing or unknown.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "That a token is needed, and what is wrong with the one that was given")))]
    NoToken(Problem),
    /// The token may only read; or there are no tokens, and the Host is none of this machine.
    #[response(status = 403)]
    MayNot(Problem),
    /// Something has gone wrong in the service or the export, and says so.
    #[response(status = 500)]
    Failed(Problem),
    /// The jobs, the database or the store can't be used for now, or the service is being stopped.
    #[response(status = 503, headers(("Retry-After" = u64, description = "When to ask again, in seconds")))]
    NotNow(Problem),
}

/// The document, to which routes add themselves.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Sets right what can't be said beside a handler: no body has to be there.
pub fn finish(document: &mut utoipa::openapi::OpenApi) {
    for operation in document.paths.paths.values_mut().filter_map(|path| path.post.as_mut()) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.required = None;
        }
    }
}

/// The document as it is answered.
#[derive(Clone, Default)]
pub struct Written(Bytes);

impl Written {
    /// A document in JSON.
    ///
    /// # Errors
    ///
    /// None that are known of: all of its keys are text.
    pub fn of(document: &utoipa::openapi::OpenApi) -> serde_json::Result<Self> {
        serde_json::to_vec(document).map(|text| Self(text.into()))
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "describe",
    security(()),
    responses((status = 200, description = "The document", body = Object, content_type = "application/json"))
)]
pub async fn get(Extension(Written(text)): Extension<Written>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], text)
}

/// A dump, as it is sent.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Dump(#[expect(dead_code, reason = "it is described here, and sent as it is")] Vec<u8>);

/// The schema of what is always null.
pub fn null() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

#[cfg(test)]
mod tests {
    use crate::routes::described;

    #[test]
    fn every_answer_is_described_and_every_operation_has_a_name_of_its_own() {
        let document = serde_json::to_value(described()).unwrap();
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
                            error, "#/components/schemas/Problem",
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
