//! Errors: what the server refuses, as a type, and what keeps its answer from arriving.

use std::fmt;
use std::time::Duration;

use http::Extensions;
use reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{Middleware, Next};
use serde::Deserialize;

use crate::apis;
use crate::models::FieldProblem;
use crate::retry::retry_after;

/// An answer that is an error. Decide by `code`.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What happened, as a stable name; see docs/errors.md. From the OAuth operations it is their `error`.
    pub code: String,
    /// What happened, for people.
    pub detail: String,
    /// What the server's logs call the request.
    pub request_id: Option<String>,
    /// What is wrong with the input, each with its place; empty when the problem is not the input.
    pub errors: Vec<FieldProblem>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// May the same request succeed later?
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error()
    }

    async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status();
        let headers = response.headers();
        let request_id = headers.get("x-request-id").and_then(|it| it.to_str().ok());
        let request_id = request_id.map(ToOwned::to_owned);
        let retry_after = retry_after(headers);
        let body = response.bytes().await?;
        // A proxy on the way may have answered in a form of its own.
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| Body {
            code: "unexpected_answer".to_owned(),
            detail: status.canonical_reason().unwrap_or_default().to_owned(),
            errors: Vec::new(),
        });
        Ok(Self {
            status,
            code: body.code,
            detail: body.detail,
            request_id,
            errors: body.errors,
            retry_after,
        })
    }
}

/// The members of both kinds of error answers, RFC 9457 and RFC 6749.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "error")]
    code: String,
    #[serde(alias = "error_description")]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldProblem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)?;
        match &self.request_id {
            Some(request_id) => write!(f, " ({request_id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Why an operation gave no value. Every error of the generated operations becomes one of these with `?`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with an error.
    #[error(transparent)]
    Problem(#[from] Box<Problem>),
    /// No answer arrived.
    #[error("the server was not reached")]
    Transport(#[source] reqwest_middleware::Error),
    /// The answer is not what the API's document says.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
}

impl Error {
    /// The server's answer, when that is the error.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Transport(_) | Self::Answer(_) => None,
        }
    }

    /// May the same request succeed later?
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.is_retriable(),
            Self::Transport(_) | Self::Answer(_) => true,
        }
    }
}

impl<T> From<apis::Error<T>> for Error {
    fn from(error: apis::Error<T>) -> Self {
        match error {
            apis::Error::ReqwestMiddleware(error) => error.into(),
            apis::Error::Reqwest(error) => Self::Transport(error.into()),
            other => Self::Answer(other.to_string()),
        }
    }
}

impl From<reqwest_middleware::Error> for Error {
    fn from(error: reqwest_middleware::Error) -> Self {
        match error {
            reqwest_middleware::Error::Middleware(error) => match error.downcast::<Problem>() {
                Ok(problem) => Self::Problem(Box::new(problem)),
                Err(error) => Self::Transport(reqwest_middleware::Error::Middleware(error)),
            },
            other @ reqwest_middleware::Error::Reqwest(_) => Self::Transport(other),
        }
    }
}

/// Makes a [`Problem`] of every answer that is no success, before the generated code sees it.
pub(crate) struct Problems;

#[async_trait::async_trait]
impl Middleware for Problems {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let response = next.run(request, extensions).await?;
        // The generated code would take a redirect for a success.
        if response.status().is_success() {
            return Ok(response);
        }
        let problem = Problem::read(response).await?;
        Err(reqwest_middleware::Error::middleware(problem))
    }
}
