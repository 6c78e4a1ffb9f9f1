//! What happens around every request: one layer, [`surround`], and in it, from the outside in,
//!
//! 1. `finish`: the request gets its id and its log line; every error becomes problem+json; headers are completed.
//! 2. `share_with_pages`: which web pages may read the answer.
//! 3. `caught`: a panic in a handler is a 500, and the connection lives on.
//! 4. `within_time`: a request that takes too long is answered.
//! 5. `record_refused`: what a known caller may not do leaves an audit event.
//!
//! They are functions and not layers of their own, because each layer costs several allocations per request.

mod headers;
mod pages;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderValue, StatusCode, header};
use storage::RequestId;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::caller::{ClientAddress, PeerAddress};
use crate::client_address::client_address;
use crate::problem::Problem;
use crate::refusals::record_refused;
use crate::state::ApiState;
use pages::share_with_pages;

/// The header that names a request.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The id of the request being handled.
#[derive(Clone, Debug)]
pub struct CurrentRequestId(pub std::sync::Arc<str>);

/// In an answer's extensions: its error has another form, that of OAuth or of a page, and `finish` leaves it alone.
#[derive(Clone, Copy, Debug)]
pub struct CompleteAnswer;

/// Does all of it.
pub async fn surround(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let state = &state;
    finish(state, request, async |request| {
        share_with_pages(state, request, async |request| {
            caught(within_time(state, record_refused(state, request, next))).await
        })
        .await
    })
    .await
}

async fn finish(
    state: &ApiState,
    mut request: Request,
    inner: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let started = Instant::now();
    let id = request_id(state, &request);
    request
        .extensions_mut()
        .insert(CurrentRequestId(id.clone()));
    let client = client_of(state, &request);
    if let Some(client) = client {
        request.extensions_mut().insert(ClientAddress(client));
    }
    let method = request.method().clone();
    // The route's template, not the path: a path can hold anything, a secret pasted into the wrong place included.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request", request_id = %id, %method, route, client = client.map(tracing::field::display),
        api_key = tracing::field::Empty,
    );
    let mut log = LogLine {
        span,
        started,
        answered: false,
    };
    let response = inner(request).instrument(log.span.clone()).await;
    let asked = (&method, route);
    state.metrics.answered(asked, started, &response);
    let mut response = as_problem(response, &id);
    headers::complete(&mut response, state, &id);
    log.answered(response.status());
    response
}

fn client_of(state: &ApiState, request: &Request) -> Option<IpAddr> {
    let PeerAddress(peer) = *request.extensions().get()?;
    Some(client_address(
        peer,
        request.headers(),
        &state.settings.trusted_proxies,
    ))
}

/// The line that each request leaves in the log, also when its client goes away before the answer.
struct LogLine {
    span: tracing::Span,
    started: Instant,
    answered: bool,
}

impl LogLine {
    fn answered(&mut self, status: StatusCode) {
        self.answered = true;
        let micros = self.micros();
        self.span
            .in_scope(|| tracing::info!(status = status.as_u16(), micros, "answered"));
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if !self.answered {
            let micros = self.micros();
            self.span.in_scope(|| tracing::info!(micros, "abandoned"));
        }
    }
}

/// A caller's own id is kept when it is short and plain, so that it can follow a request through its services.
fn request_id(state: &ApiState, request: &Request) -> std::sync::Arc<str> {
    let own = request
        .headers()
        .get(REQUEST_ID_HEADER)
        .and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && !id.contains("jtn_")
    };
    match own.filter(plain) {
        Some(id) => id.into(),
        None => RequestId::new(&*state.services.clock).to_string().into(),
    }
}

/// Gives every error the one form, also those that axum, tower or Swagger UI's own routes made.
fn as_problem(mut response: Response, request_id: &str) -> Response {
    if response.extensions().get::<CompleteAnswer>().is_some() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if response.status().is_client_error() || response.status().is_server_error() => {
            by_status(response.status())
        }
        None => return response,
    };
    let body = serde_json::to_vec(&problem.body(request_id)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    parts.status = problem.status();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    Response::from_parts(parts, body.into())
}

fn by_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "method_not_allowed",
            "This path does not take this method; `Allow` lists those that it takes.",
        ),
        status if status.is_server_error() => Problem::internal(&status),
        status => Problem::new(status, "bad_request", "The request is not usable."),
    }
}

/// Nothing is here.
pub fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "There is nothing at this path.",
    )
}

/// Answers when the time is over. What the request had begun may still complete; it is not answered.
async fn within_time(state: &ApiState, answer: impl Future<Output = Response>) -> Response {
    // The body has its own deadline of the same length, with a 408 of its own.
    match tokio::time::timeout(state.settings.request_timeout * 2, answer).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("timeout", "The request took too long and was given up.")
            .into_response(),
    }
}

async fn caught(answer: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(on_panic)
}

/// What `caught` does as a layer, for routers inside of this one that make pages of errors.
pub fn catch_panics() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(on_panic as fn(_) -> _)
}

/// It says nothing of the panic; the log has its place.
fn on_panic(panic: Box<dyn Any + Send>) -> Response {
    // The message may quote input; the panic hook has logged where it happened.
    drop(panic);
    Problem::internal(&"a handler panicked").into_response()
}
