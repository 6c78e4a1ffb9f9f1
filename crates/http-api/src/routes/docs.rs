//! The OpenAPI document and Swagger UI, both from the binary.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::ApiState;

/// Swagger UI styles elements inline and draws icons from `data:` URLs; it needs no other exception.
const SWAGGER_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

pub(crate) async fn openapi_json() -> Response {
    document(crate::openapi::json())
}

pub(crate) async fn openapi_3_0_json() -> Response {
    document(crate::openapi::json_3_0())
}

fn document(text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// Swagger UI at `/docs`. It keeps the key that was typed in over a reload only in development: a master credential
/// does not belong into a browser's storage.
pub(crate) fn swagger_ui(development: bool) -> Router<ApiState> {
    let config = Config::new(["../openapi.json"])
        .persist_authorization(development)
        .deep_linking(true);
    let ui: Router<ApiState> = SwaggerUi::new("/docs").config(config).into();
    ui.layer(SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(SWAGGER_CSP),
    ))
}
