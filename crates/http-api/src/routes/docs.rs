//! The OpenAPI document, Swagger UI to try it out, and a reference to read it in. All of it comes from the binary.

use std::sync::LazyLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, Uri, header};
use secrecy::ExposeSecret;
use serde::Serialize;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::SwaggerUi;

use crate::state::ApiState;

/// Swagger UI styles elements inline and draws icons from `data:` URLs; it needs no other exception.
const SWAGGER_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";
/// Redoc searches in a worker that it makes of its own text.
const REFERENCE_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                             font-src 'self'; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; \
                             frame-ancestors 'none'";

/// Redoc 2.5.4, as npm has it.
const REDOC: &str = include_str!("../../assets/redoc.standalone.js");
/// The one thing that it would load from elsewhere: its maker's logo.
const REDOC_LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/// `GET /openapi.json`
pub(crate) async fn openapi_json() -> Response {
    file("application/json", crate::openapi::json())
}

/// `GET /openapi-3.0.json`
pub(crate) async fn openapi_3_0_json() -> Response {
    file("application/json", crate::openapi::json_3_0())
}

/// Swagger UI at `/docs`, the reference at `/docs/reference`.
pub(crate) fn pages() -> Router<ApiState> {
    let swagger: Router<ApiState> = SwaggerUi::new("/docs").into();
    let swagger = swagger
        .route("/docs/swagger-initializer.js", get(swagger_initializer))
        .route("/docs/settings.json", get(swagger_settings))
        .layer(policy(SWAGGER_CSP));
    let reference = Router::new()
        .route("/docs/reference", get(reference))
        .route("/docs/reference.js", get(reference_script))
        .route("/docs/redoc.standalone.js", get(redoc))
        .layer(policy(REFERENCE_CSP));
    swagger.merge(reference)
}

fn policy(content: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(content),
    )
}

async fn swagger_initializer() -> Response {
    let text = include_str!("../../assets/swagger-initializer.js");
    file("text/javascript; charset=utf-8", text)
}

/// How Swagger UI starts.
#[derive(Serialize)]
struct SwaggerSettings<'a> {
    /// Does it keep the key that was typed in over a reload? Only in development: a master credential does not belong
    /// into a browser's storage.
    persist_authorization: bool,
    /// The key of `jeton dev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}

async fn swagger_settings(State(state): State<ApiState>, uri: Uri, headers: HeaderMap) -> Response {
    let settings = &state.settings;
    let key = settings.prefilled_key.as_ref();
    let settings = SwaggerSettings {
        persist_authorization: settings.development,
        api_key: key
            .filter(|_| is_called_by_this_machine(&uri, &headers))
            .map(ExposeSecret::expose_secret),
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (headers, Json(settings)).into_response()
}

/// Was the server called by a name of this machine? A page elsewhere whose own name has been made to lead here must not be
/// told the key.
fn is_called_by_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let authority = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let host = authority.and_then(|it| it.parse::<http::uri::Authority>().ok());
    host.is_some_and(|it| matches!(it.host(), "127.0.0.1" | "localhost" | "[::1]"))
}

async fn reference() -> Response {
    let page = include_str!("../../assets/reference.html");
    file("text/html; charset=utf-8", page)
}

async fn reference_script() -> Response {
    let text = include_str!("../../assets/reference.js");
    file("text/javascript; charset=utf-8", text)
}

async fn redoc() -> Response {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| REDOC.replace(REDOC_LOGO, "data:,"));
    file("text/javascript; charset=utf-8", &SCRIPT)
}

/// A part of the binary, which another version may have in another form.
fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
