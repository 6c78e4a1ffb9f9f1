//! Request bodies of the OAuth endpoints.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::OAuthError;
use crate::json::{MAX_BODY_BYTES, body, media_type, unsupported};
use crate::state::ApiState;

/// A body of `application/x-www-form-urlencoded`, read into `T`, a struct of texts.
///
/// As RFC 6749 has it: each parameter once, one without a value counts as left out, unknown ones are ignored.
#[derive(Debug)]
pub struct OAuthForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for OAuthForm<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, OAuthError> {
        if media_type(request.headers())? != "application/x-www-form-urlencoded" {
            let detail = "Send the body as `Content-Type: application/x-www-form-urlencoded`.";
            return Err(unsupported(detail).into());
        }
        let body = body(request, state, MAX_BODY_BYTES).await?;
        parse(&body).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, OAuthError> {
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if [&name, &value].iter().any(|it| it.contains('\u{fffd}')) {
            return Err(OAuthError::invalid_request("The body is not UTF-8."));
        }
        if parameters.insert(name, value).is_some() {
            let detail = "The body has a parameter twice.";
            return Err(OAuthError::invalid_request(detail));
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    let pairs = parameters
        .into_iter()
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
    // By way of JSON: serde's own maps of texts do not know texts that may be left out.
    let read: Result<T, serde_json::Error> = serde_json::from_value(Value::Object(pairs.collect()));
    read.map_err(|error| {
        let message = error.to_string();
        // serde's other messages may quote the input.
        let detail = match message.strip_prefix("missing field ") {
            Some(name) => format!("The parameter {name} is missing."),
            None => "A parameter has a value that is not known here.".to_owned(),
        };
        OAuthError::invalid_request(detail)
    })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Form {
        token: String,
        hint: Option<String>,
    }

    fn form(token: &str, hint: Option<&str>) -> Form {
        Form {
            token: token.to_owned(),
            hint: hint.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn parameters_are_decoded_and_unknown_ones_ignored() {
        for (body, read) in [
            ("token=a", form("a", None)),
            ("hint=b+c%26&token=a%2B", form("a+", Some("b c&"))),
            ("token=a&hint=", form("a", None)),
            ("token=a&other=x", form("a", None)),
        ] {
            assert_eq!(parse::<Form>(body.as_bytes()).unwrap(), read, "{body}");
        }
    }

    #[test]
    fn missing_repeated_and_undecodable_ones_are_refused() {
        for body in ["", "hint=a", "token=", "token=a&token=a", "token=%FF"] {
            let error = parse::<Form>(body.as_bytes()).unwrap_err();
            assert_eq!(error.into_response().status().as_u16(), 400, "{body}");
        }
    }
}
