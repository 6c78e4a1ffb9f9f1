//! The limit program: what any program must do that turns a JSON request into a signed token. It parses the body,
//! signs the claims with a key that was parsed once, and answers; it asks nobody who is calling, decides nothing and
//! records nothing.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router, http::StatusCode};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::{Clock, SessionId, SystemClock, Timestamp};
use tokio::net::TcpListener;

use crate::load::Target;
use crate::output;
use crate::server_process::ServerProcess;

#[derive(Debug, Deserialize)]
struct Request {
    user: User,
    audience: String,
    ttl_seconds: i64,
    resources: Vec<Resource>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    roles: Vec<String>,
    attributes: Map<String, Value>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Resource {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    client_id: &'a str,
    jti: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    roles: &'a [String],
    attributes: &'a Map<String, Value>,
    resources: &'a [Resource],
    scope: &'a str,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    token: String,
    token_type: &'a str,
    expires_in: i64,
    refresh_in: i64,
    expires_at: Timestamp,
    session_id: SessionId,
    audience: &'a str,
    roles: &'a [String],
    attributes: &'a Map<String, Value>,
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    issuer: String,
    /// The header, encoded, with the dot behind it.
    header: String,
}

/// Starts it as a process of its own; it gets the very requests that the product gets.
pub(crate) fn start(product: &Target) -> anyhow::Result<(ServerProcess, Target)> {
    let mut command = Command::new(std::env::current_exe()?);
    let (process, address) = ServerProcess::start_and_hear(command.arg("limit"))?;
    let target = Target {
        name: "the limit program",
        pid: process.pid(),
        address,
        requests: product.requests.clone(),
        expected: product.expected,
    };
    Ok((process, target))
}

/// Serves until it is killed. The first line on standard output is its address.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let signer = Arc::new(Signer::new(format!("http://{address}/orgs/demo"))?);
    let router = Router::new()
        .route("/v1/session-tokens", post(answer))
        .with_state(signer);
    output::data(&address.to_string());
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn answer(
    State(signer): State<Arc<Signer>>,
    Json(request): Json<Request>,
) -> Result<Response, StatusCode> {
    let now = SystemClock.now();
    let id = SessionId::new(&SystemClock);
    let claims = signer.claims(&request, id, now);
    let token = signer
        .sign(&claims)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let answer = Answer {
        token,
        token_type: "Bearer",
        expires_in: request.ttl_seconds,
        refresh_in: request.ttl_seconds * 3 / 4,
        expires_at: Timestamp::from_unix_seconds(claims.exp),
        session_id: id,
        audience: &request.audience,
        roles: &request.user.roles,
        attributes: &request.user.attributes,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

impl Signer {
    fn new(issuer: String) -> anyhow::Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // As long as a thumbprint of RFC 7638, which is all that counts here.
        let kid = BASE64URL.encode(digest(&SHA256, key.public_key().as_ref()));
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": kid }).to_string();
        Ok(Self {
            key,
            random: SystemRandom::new(),
            issuer,
            header: BASE64URL.encode(header) + ".",
        })
    }

    fn claims<'a>(&'a self, request: &'a Request, id: SessionId, now: Timestamp) -> Claims<'a> {
        let issued_at = now.unix_seconds();
        Claims {
            iss: &self.issuer,
            aud: &request.audience,
            sub: &request.user.id,
            client_id: "key_000000000000",
            jti: id,
            iat: issued_at,
            nbf: issued_at - 10,
            exp: issued_at + request.ttl_seconds,
            roles: &request.user.roles,
            attributes: &request.user.attributes,
            resources: &request.resources,
            scope: "dashboard:view",
        }
    }

    /// A compact JWS (RFC 7515 section 7.1).
    fn sign(&self, claims: &Claims<'_>) -> anyhow::Result<String> {
        let payload = serde_json::to_vec(claims)?;
        let mut token = String::with_capacity(1024);
        token.push_str(&self.header);
        BASE64URL.encode_string(payload, &mut token);
        let signature = self.key.sign(&self.random, token.as_bytes())?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::product::BODY;

    #[test]
    fn its_tokens_are_signed() {
        let signer = Signer::new("http://127.0.0.1:1/orgs/demo".into()).unwrap();
        let request: Request = serde_json::from_str(BODY).unwrap();
        let claims = signer.claims(&request, SessionId::new(&SystemClock), SystemClock.now());
        let token = signer.sign(&claims).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signer.key.public_key())
            .verify(input.as_bytes(), &BASE64URL.decode(signature).unwrap())
            .unwrap();
        let (_, claims) = input.split_once('.').unwrap();
        let claims: Value = serde_json::from_slice(&BASE64URL.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));
    }
}
