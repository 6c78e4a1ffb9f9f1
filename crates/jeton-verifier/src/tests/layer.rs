//! The middleware, in front of an axum router.

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::support::{Signer, claims};
use crate::{BearerLayer, Claims, InvalidScope, VerifyError, VerifyToken};

/// Verifies against a fixed time, or cannot.
struct At(Result<(crate::Verifier, u64), VerifyError>);

impl VerifyToken for At {
    async fn verify_token(&self, token: &str) -> Result<Claims, VerifyError> {
        let (verifier, now) = self.0.as_ref().map_err(|error| *error)?;
        verifier.verify(token, *now)
    }
}

fn layer(signer: &Signer) -> BearerLayer<At> {
    BearerLayer::new(At(Ok((
        super::support::verifier_of(signer),
        super::support::NOW,
    ))))
}

async fn subject(Extension(claims): Extension<Claims>) -> String {
    claims.sub
}

async fn ask(layer: BearerLayer<At>, authorization: &[&str]) -> Response<Body> {
    let router = Router::new().route("/", get(subject)).layer(layer);
    let request = authorization
        .iter()
        .fold(Request::get("/"), |request, value| {
            request.header(header::AUTHORIZATION, *value)
        });
    router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn body(response: Response<Body>) -> Vec<u8> {
    axum::body::to_bytes(response.into_body(), 1024)
        .await
        .unwrap()
        .to_vec()
}

fn challenge(response: &Response<Body>) -> Option<&str> {
    response
        .headers()
        .get(header::WWW_AUTHENTICATE)
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_good_token_reaches_the_handler_as_claims() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let response = ask(layer(&signer), &[&format!("{scheme} {token}")]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(body(response).await, b"user-42");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_told_how_to_bring_one() {
    let signer = Signer::es256();
    let token = signer.sign(&claims());
    for authorization in [
        vec![],
        vec!["Basic dTpw"],
        vec![token.as_str()],
        vec!["Bearerx y"],
    ] {
        let response = ask(layer(&signer), &authorization).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&response), Some("Bearer"));
    }
}

#[tokio::test]
async fn all_bad_tokens_are_answered_alike() {
    let signer = Signer::es256();
    let with = |name: &str, value: Value| signer.sign(&super::support::with(name, value));
    for token in [
        String::new(),
        "x".to_owned(),
        format!(" {}", signer.sign(&claims())),
        format!("{} x", signer.sign(&claims())),
        with("exp", json!(super::support::NOW - 1)),
        with("aud", json!("other")),
        Signer::es256().sign(&claims()),
    ] {
        let response = ask(layer(&signer), &[&format!("Bearer {token}")]).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(challenge(&response), Some("Bearer error=\"invalid_token\""));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(body(response).await.is_empty());
    }
    let bare = ask(layer(&signer), &["Bearer"]).await;
    assert_eq!(challenge(&bare), Some("Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn two_tokens_are_one_too_many() {
    let signer = Signer::es256();
    let value = format!("Bearer {}", signer.sign(&claims()));
    let response = ask(layer(&signer), &[&value, &value]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        challenge(&response),
        Some("Bearer error=\"invalid_request\"")
    );
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let signer = Signer::es256();
    let value = format!("Bearer {}", signer.sign(&claims()));
    let carried = layer(&signer).require_scope("sales:read").unwrap();
    assert_eq!(
        ask(carried.clone(), &[&value]).await.status(),
        StatusCode::OK
    );
    let response = ask(carried.require_scope("sales:write").unwrap(), &[&value]).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        challenge(&response),
        Some("Bearer error=\"insufficient_scope\", scope=\"sales:write\"")
    );
    for scope in ["", "a b", "a\"b", "a\\b", "a\n", "\u{e4}"] {
        assert!(matches!(
            layer(&signer).require_scope(scope),
            Err(InvalidScope)
        ));
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_judged_is_answered_with_503() {
    for error in [
        VerifyError::KeysUnavailable,
        VerifyError::RevocationsUnavailable,
    ] {
        let response = ask(BearerLayer::new(At(Err(error))), &["Bearer x"]).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(challenge(&response), None);
    }
    let response = ask(
        BearerLayer::new(At(Err(VerifyError::Revoked))),
        &["Bearer x"],
    )
    .await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
