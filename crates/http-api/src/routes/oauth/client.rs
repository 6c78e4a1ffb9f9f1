//! The client's authentication: an API key, as everywhere, or as the secret of HTTP Basic.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, header};
use key_admin::PresentedKey;
use policy::Permitted;
use policy::operations::Marker;

use super::OAuthError;
use crate::caller::{permitted, presented_key};
use crate::errors::invalid_api_key;
use crate::problem::Problem;
use crate::state::ApiState;

/// A client that may do the operation `M`: like [`Caller`](crate::caller::Caller), and the API key may also be the
/// secret of HTTP Basic ([RFC 6749, section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)). The client's
/// id then does not matter: the key has its own.
#[derive(Debug)]
pub struct OAuthClient<M>(pub Permitted<M>);

impl<M: Marker> FromRequestParts<ApiState> for OAuthClient<M> {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, OAuthError> {
        let key = client_key(&parts.headers)?;
        Ok(Self(permitted(parts, state, &key).await?))
    }
}

fn client_key(headers: &HeaderMap) -> Result<PresentedKey, Problem> {
    let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (credentials.next(), credentials.next()) else {
        return presented_key(headers);
    };
    let basic = only.to_str().ok().and_then(|it| it.split_once(' '));
    match basic {
        Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("Basic") => {
            if headers.contains_key("x-api-key") {
                return presented_key(headers);
            }
            let secret = secret_of(encoded.trim()).ok_or_else(invalid_api_key)?;
            PresentedKey::parse(&secret).map_err(|_| invalid_api_key())
        }
        _ => presented_key(headers),
    }
}

/// The secret in Basic credentials, in which both halves are form-encoded.
fn secret_of(encoded: &str) -> Option<String> {
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let (_, secret) = text.split_once(':')?;
    // The encoding of one name without a value.
    let mut pairs = url::form_urlencoded::parse(secret.as_bytes());
    let (secret, _) = pairs.next()?;
    Some(secret.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_what_follows_the_first_colon() {
        for (credentials, secret) in [
            ("id:jtn_a", Some("jtn_a")),
            (":jtn_a", Some("jtn_a")),
            ("id:jtn%5Fa", Some("jtn_a")),
            ("id:a:b", Some("a:b")),
            ("jtn_a", None),
            ("id:", None),
        ] {
            let encoded = BASE64_STANDARD.encode(credentials);
            assert_eq!(secret_of(&encoded).as_deref(), secret, "{credentials}");
        }
        assert_eq!(secret_of("!"), None);
    }
}
