use axum::response::Response;
use http::header::{self, Entry};
use http::{HeaderName, HeaderValue};

use super::REQUEST_ID_HEADER;
use crate::state::ApiState;

/// For every answer that does not say otherwise: nothing is cached, framed, sniffed or executed.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Two years. Subdomains are not ours to decide about.
const HSTS: &str = "max-age=63072000";

pub(super) fn complete(response: &mut Response, state: &ApiState, request_id: &str) {
    let headers = response.headers_mut();
    headers.reserve(DEFAULTS.len() + 2);
    for (name, value) in DEFAULTS {
        if let Entry::Vacant(vacant) = headers.entry(name) {
            vacant.insert(HeaderValue::from_static(value));
        }
    }
    if !state.services.issuer.public_url().is_plain_http() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static(HSTS),
        );
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
}
