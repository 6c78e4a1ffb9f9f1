//! Which web pages may read an answer: the CORS protocol of the
//! [Fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol).
//!
//! One path is for pages. Pages of origins that some audience authorizes may read all its answers, refusals and faults
//! included; no other page any. Cookies take no part.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::errors::origin_not_authorized;
use crate::routes::renewals::{self, only};
use crate::state::ApiState;

/// How long browsers keep the answer to a preflight, in seconds.
const PREFLIGHT_MAX_AGE: &str = "600";

/// Answers preflights, and marks answers as readable for the page that asked.
pub(super) async fn share_with_pages(
    state: &ApiState,
    request: Request,
    inner: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if request.uri().path() != renewals::PATH {
        return inner(request).await;
    }
    // Boxed, because the others would carry it.
    Box::pin(share(state, request, inner)).await
}

async fn share(
    state: &ApiState,
    request: Request,
    inner: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let page = authorized_page(state, request.headers()).await;
    let mut response = match (is_preflight(&request), &page) {
        (false, _) => inner(request).await,
        (true, Some(_)) => preflight(),
        (true, None) => origin_not_authorized().into_response(),
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(page) = page {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
        let exposed = HeaderValue::from_static("Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

async fn authorized_page(state: &ApiState, headers: &HeaderMap) -> Option<HeaderValue> {
    let page = only(headers, &header::ORIGIN)?;
    let authorized = state.services.issuer.is_authorized_origin(page).await;
    authorized.then(|| HeaderValue::from_str(page).ok())?
}

fn is_preflight(request: &Request) -> bool {
    let asks = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS
        && asks(header::ORIGIN)
        && asks(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}
