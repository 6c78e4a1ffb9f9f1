//! Posted forms.

use axum::extract::{FromRequest, Request};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_api::problem::Problem;
use http_body_util::{BodyExt, Limited};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use url::form_urlencoded;

use crate::cookies::Cookie;
use crate::csrf;
use crate::failure::Failure;
use crate::state::ConsoleState;

/// More than any form of ours holds; a policy is the largest.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A form that one of our own pages made, read into `T`. Fields that `T` does not know are refused.
#[derive(Debug)]
pub(crate) struct Posted<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ConsoleState> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &ConsoleState) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let read = async {
            check_headers(&parts.headers, state)?;
            let body = Limited::new(body, MAX_BYTES).collect().await;
            let body = body.map_err(|_| too_large())?.to_bytes();
            read(&body, &parts.headers, state)
        };
        read.await
            .map(Self)
            .map_err(|problem| Failure::from(problem).answer(&parts.extensions))
    }
}

/// A field that holds a secret: it cannot be printed.
pub(crate) struct SecretField(pub(crate) SecretString);

impl<'de> Deserialize<'de> for SecretField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

fn check_headers(headers: &HeaderMap, state: &ConsoleState) -> Result<(), Problem> {
    if csrf::is_foreign(headers, state.url()) {
        return Err(forged());
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).unwrap_or("");
    if content_type.starts_with("application/x-www-form-urlencoded") {
        Ok(())
    } else {
        Err(unreadable())
    }
}

/// The token first: what a stranger sends is not even parsed.
fn read<T: DeserializeOwned>(
    body: &Bytes,
    headers: &HeaderMap,
    state: &ConsoleState,
) -> Result<T, Problem> {
    let (tokens, fields): (Vec<_>, Vec<_>) =
        form_urlencoded::parse(body).partition(|(name, _)| name == csrf::FIELD);
    let cookies = [Cookie::Session, Cookie::Visitor];
    let mut cookies = cookies
        .iter()
        .filter_map(|cookie| cookie.read(state, headers));
    let ours = match tokens.as_slice() {
        [(_, token)] => cookies.any(|cookie| csrf::is_ours(&cookie, token)),
        _ => false,
    };
    if !ours {
        return Err(forged());
    }
    let mut rest = form_urlencoded::Serializer::new(String::new());
    // Browsers send line breaks in text areas as CR LF.
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name, value.replace("\r\n", "\n")));
    let rest = rest.extend_pairs(fields).finish();
    serde_html_form::from_str(&rest).map_err(|error| {
        tracing::debug!(%error, "a form was not readable");
        unreadable()
    })
}

fn forged() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forged_form",
        "This form did not come from a page of this console in this browser, or you have signed out or in meanwhile. \
         Load the page again and repeat what you did.",
    )
}

fn unreadable() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unreadable_form",
        "The form is not as this console's pages send it.",
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "form_too_large",
        "The form is too large, or did not arrive as a whole.",
    )
}
