//! Errors as pages.

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{Extensions, HeaderValue, StatusCode, header};
use http_api::middleware::{CompleteAnswer, CurrentRequestId};
use http_api::problem::Problem;

use crate::page::{Frame, html};

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What went wrong, in the words of the API.
    Problem(Box<Problem>),
    /// The person should go there instead.
    Elsewhere(String),
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    frame: Frame,
    status: u16,
    title: &'static str,
    detail: String,
    request_id: String,
}

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Problem(Box::new(error.into()))
    }
}

impl Failure {
    /// Something failed inside; the log says what.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self::Problem(Box::new(Problem::internal(error)))
    }

    /// The answer to the request of these extensions.
    pub(crate) fn answer(self, request: &Extensions) -> Response {
        match self {
            Self::Elsewhere(path) => Redirect::to(&path).into_response(),
            Self::Problem(problem) => page(&problem, request_id(request)),
        }
    }
}

/// The layer [`as_pages`] gives it its form.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(path) => Redirect::to(&path).into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// Gives errors that are no pages yet the form of one.
pub(crate) async fn as_pages(request: Request, next: Next) -> Response {
    let id = request_id(request.extensions());
    let mut response = next.run(request).await;
    let status = response.status();
    if response.extensions().get::<CompleteAnswer>().is_some()
        || !(status.is_client_error() || status.is_server_error())
    {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.unwrap_or_else(|| {
        let detail = match status {
            StatusCode::METHOD_NOT_ALLOWED => "This page does not take requests of this kind.",
            _ => "The request is not usable.",
        };
        Problem::new(status, "unusable_request", detail)
    });
    page(&problem, id)
}

fn page(problem: &Problem, request_id: String) -> Response {
    let status = problem.status();
    let body = problem.body(&request_id);
    let shown = FailurePage {
        frame: Frame::default(),
        status: status.as_u16(),
        title: title(status),
        detail: body.detail,
        request_id,
    };
    let mut response = html(status, &shown);
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        let headers = problem.clone().into_response();
        if let Some(after) = headers.headers().get(header::RETRY_AFTER) {
            let after: HeaderValue = after.clone();
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
    }
    response
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::TOO_MANY_REQUESTS => "Too many tries",
        StatusCode::CONFLICT => "Something has changed meanwhile",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        status if status.is_server_error() => "Something failed",
        _ => "This did not work",
    }
}

fn request_id(request: &Extensions) -> String {
    let id = request.get::<CurrentRequestId>();
    id.map(|id| id.0.to_string()).unwrap_or_default()
}
