//! Who asks. A handler names the permission it needs in its signature and cannot run without it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use key_admin::{ApiKeyContext, Permitted, PresentedKey, Requires};
use token_issuer::Origin;

use crate::errors::invalid_api_key;
use crate::middleware::CurrentRequestId;
use crate::problem::Problem;
use crate::state::ApiState;

/// The address a connection comes from; the server attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// A caller whose key is proven and may act; any permission.
#[derive(Debug)]
pub struct AnyCaller(pub ApiKeyContext);

/// A caller that also holds the permission `P`.
#[derive(Debug)]
pub struct Caller<P>(pub Permitted<P>);

/// Where the request comes from, for the record.
#[derive(Debug)]
pub struct RequestOrigin(pub Origin);

impl FromRequestParts<ApiState> for AnyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let key = presented_key(&parts.headers)?;
        let client = peer(parts)?;
        let caller = state.services.keys.authenticate(&key, client).await?;
        tracing::Span::current().record("api_key", tracing::field::display(caller.key_id()));
        Ok(Self(caller))
    }
}

impl<P: Requires> FromRequestParts<ApiState> for Caller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let AnyCaller(caller) = AnyCaller::from_request_parts(parts, state).await?;
        Ok(Self(caller.permit()?))
    }
}

impl FromRequestParts<ApiState> for RequestOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let client = peer(parts)?;
        let id = parts.extensions.get::<CurrentRequestId>();
        let request_id = id.map(|id| id.0.to_string()).unwrap_or_default();
        Ok(Self(Origin { request_id, client }))
    }
}

fn peer(parts: &Parts) -> Result<IpAddr, Problem> {
    match parts.extensions.get::<PeerAddress>() {
        Some(PeerAddress(address)) => Ok(*address),
        None => Err(Problem::internal(&"the connection's address is not known")),
    }
}

/// The key in `Authorization: ApiKey …`, `Authorization: Bearer …` or `x-api-key: …`, exactly one of them.
fn presented_key(headers: &HeaderMap) -> Result<PresentedKey, Problem> {
    let credentials: Vec<&HeaderValue> = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .chain(headers.get_all("x-api-key"))
        .collect();
    let [credential] = credentials.as_slice() else {
        return Err(if credentials.is_empty() {
            missing_credential()
        } else {
            ambiguous_credential()
        });
    };
    let Ok(credential) = credential.to_str() else {
        return Err(invalid_api_key());
    };
    let key = if headers.contains_key("x-api-key") {
        credential
    } else {
        match credential.split_once(' ') {
            Some((scheme, key)) if is_ours(scheme) => key.trim(),
            _ => return Err(missing_credential()),
        }
    };
    PresentedKey::parse(key).map_err(|_| invalid_api_key())
}

/// Schemes are compared without regard to case (RFC 9110 section 11.1).
fn is_ours(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("ApiKey") || scheme.eq_ignore_ascii_case("Bearer")
}

fn missing_credential() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "missing_credential",
        "Present an API key: `Authorization: ApiKey jtn_…`, `Authorization: Bearer jtn_…` or `x-api-key: jtn_…`.",
    )
}

fn ambiguous_credential() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "ambiguous_credential",
        "Present one API key in one header; the request has several.",
    )
}
