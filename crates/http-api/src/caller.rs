//! Who asks. A handler names its operation in its signature and cannot run for a caller that may not do it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use key_admin::{Act, Actor, ApiKeyContext, PresentedKey};
use policy::Permitted;
use policy::operations::Marker;
use token_issuer::Origin;

use crate::errors::invalid_api_key;
use crate::middleware::CurrentRequestId;
use crate::problem::Problem;
use crate::refusals::Called;
use crate::state::ApiState;

/// The address a connection comes from; the server attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// The client's address: the connection's, or what trusted proxies say.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// A caller that may do the operation `M`.
#[derive(Debug)]
pub struct Caller<M>(pub Permitted<M>);

/// Where the request comes from, for the record.
#[derive(Debug)]
pub struct RequestOrigin(pub Origin);

impl<M: Marker> FromRequestParts<ApiState> for Caller<M> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let key = presented_key(&parts.headers)?;
        Ok(Self(permitted(parts, state, &key).await?))
    }
}

/// The caller that presents this key, if it may do the operation `M`.
pub(crate) async fn permitted<M: Marker>(
    parts: &Parts,
    state: &ApiState,
    key: &PresentedKey,
) -> Result<Permitted<M>, Problem> {
    let client = client(parts)?;
    let request_id = parts.extensions.get::<CurrentRequestId>();
    let request_id = request_id.map(|id| &*id.0);
    let keys = &state.services.keys;
    let caller = keys.authenticate(key, client, request_id).await?;
    tracing::Span::current().record("api_key", tracing::field::display(caller.key_id()));
    if let Some(called) = parts.extensions.get::<Called>() {
        called.set(caller.clone(), M::OPERATION);
    }
    Ok(state.services.authorizer.permit(caller)?)
}

impl FromRequestParts<ApiState> for RequestOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let client = client(parts)?;
        let id = parts.extensions.get::<CurrentRequestId>();
        let request_id = id.map(|id| id.0.to_string()).unwrap_or_default();
        Ok(Self(Origin { request_id, client }))
    }
}

/// What the caller does here, for the audit trail.
pub fn act(caller: &ApiKeyContext, origin: Origin) -> Act {
    Act {
        actor: Actor::ApiKey(caller.key_id()),
        client: Some(origin.client),
        request_id: Some(origin.request_id),
    }
}

fn client(parts: &Parts) -> Result<IpAddr, Problem> {
    match parts.extensions.get::<ClientAddress>() {
        Some(ClientAddress(address)) => Ok(*address),
        None => Err(Problem::internal(&"the client's address is not known")),
    }
}

/// The key in `Authorization: ApiKey …`, `Authorization: Bearer …` or `x-api-key: …`, exactly one of them.
pub(crate) fn presented_key(headers: &HeaderMap) -> Result<PresentedKey, Problem> {
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
