//! `GET /openapi.json`: the description of the service, made of the types that handlers read and write, and of their
//! attributes.
//!
//! A route is added in two steps: `#[utoipa::path(…)]` on its handler, with every status that it may respond with
//! ([`CommonErrors`](crate::http::error::CommonErrors) has those of all routes that need a token), and
//! `.routes(routes!(handler))` in `routes.rs`. Then it is both routed and described.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::http::error::ErrorBody;

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "partway serve",
        description = "Streaming exports of SQLite databases. Results are `{\"result\": …}`, errors \
                       `{\"result\": null, \"error\": \"…\"}`. A service without tokens accepts requests \
                       without them. A service without a store keeps no exports: GET /export/dump streams \
                       each dump, and all other requests about exports return 404."
    ),
    components(schemas(ErrorBody)),
    security(("bearer" = [])),
    modifiers(&BearerScheme)
)]
struct Description;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let text = "`read` tokens allow GET and HEAD, which includes GET /export/dump; `admin` tokens allow everything.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text));
        if let Some(components) = &mut document.components {
            components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
        }
    }
}

/// The document, to which routes add themselves.
pub fn document() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// Makes all bodies optional, which an attribute can't say.
pub fn finish(document: &mut utoipa::openapi::OpenApi) {
    for operation in document.paths.paths.values_mut().filter_map(|path| path.post.as_mut()) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.required = None;
        }
    }
}

/// The document as JSON.
#[derive(Clone, Default)]
pub struct DocumentJson(Bytes);

impl DocumentJson {
    /// The JSON of a document.
    ///
    /// # Errors
    ///
    /// None that are known: all of its keys are text.
    pub fn of(document: &utoipa::openapi::OpenApi) -> serde_json::Result<Self> {
        serde_json::to_vec(document).map(|text| Self(text.into()))
    }
}

/// This description, as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "describe",
    security(()),
    responses((status = 200, description = "The document", body = Object, content_type = "application/json"))
)]
pub async fn get(Extension(DocumentJson(text)): Extension<DocumentJson>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], text)
}

/// A dump, as it is sent.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Dump(#[expect(dead_code, reason = "it describes a body that is sent as it is")] Vec<u8>);
