//! Revocations: how soon they count, and what happens when they cannot be had.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::support::Signer;
use super::server::{Issuer, JWKS, Page, REVOCATIONS};
use crate::{
    Algorithm, Clock, FetchError, RemoteVerifier, RevocationPolling, SnapshotError, VerifyError,
};

async fn start() -> (Issuer, Signer) {
    let (issuer, signer) = (Issuer::start().await, Signer::es256());
    issuer.publish([&signer]);
    issuer.revoke(&signer, 1, &json!([]), &json!([]));
    (issuer, signer)
}

fn verifier(issuer: &Issuer) -> RemoteVerifier {
    let polling = RevocationPolling::default();
    issuer.builder().with_revocations(polling).build().unwrap()
}

fn snapshot(issuer: &Issuer, name: &str, value: Value) -> Value {
    let now = issuer.clock.unix_seconds();
    let mut snapshot = json!({
        "iss": issuer.issuer(), "iat": now, "exp": now + 600, "version": 1, "sessions": [], "cutoffs": [],
    });
    snapshot[name] = value;
    snapshot
}

#[tokio::test]
async fn a_revoked_session_is_refused_after_the_next_poll() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    let token = issuer.token(&signer);
    let session = verifier.verify(&token).await.unwrap().jti;
    issuer.revoke(&signer, 2, &json!([session]), &json!([]));
    issuer.clock.advance(4);
    verifier.refresh().await.unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    issuer.clock.advance(1);
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.verify(&token).await, Err(VerifyError::Revoked));
    assert_eq!(verifier.status().revocations_version, Some(2));
}

#[tokio::test]
async fn every_kind_of_cutoff_is_refused_and_later_tokens_are_not() {
    let kinds = [
        json!({ "kind": "organization" }),
        json!({ "kind": "api_key", "value": "key_000000000000" }),
        json!({ "kind": "subject", "value": "user-42" }),
        json!({ "kind": "audience", "value": "analytics" }),
        json!({ "kind": "signing_key", "value": "k1" }),
        json!({ "kind": "role", "value": "viewer" }),
        json!({ "kind": "attribute", "name": "tenant_id", "value": "t-1" }),
    ];
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    for (at, mut cutoff) in kinds.into_iter().enumerate() {
        let token = issuer.token(&signer);
        assert!(verifier.verify(&token).await.is_ok());
        cutoff["before_ms"] = json!(issuer.clock.unix_seconds() * 1000);
        let version = 2 + u64::try_from(at).unwrap();
        issuer.revoke(&signer, version, &json!([]), &json!([cutoff]));
        issuer.clock.advance(5);
        verifier.refresh().await.unwrap();
        assert_eq!(
            verifier.verify(&token).await,
            Err(VerifyError::Revoked),
            "{cutoff}"
        );
        assert!(
            verifier.verify(&issuer.token(&signer)).await.is_ok(),
            "{cutoff}"
        );
    }
}

#[tokio::test]
async fn an_unchanged_snapshot_is_confirmed_by_its_entity_tag_until_it_ends() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    verifier.refresh().await.unwrap();
    issuer.clock.advance(595);
    verifier.refresh().await.unwrap();
    assert!(issuer.last_header(REVOCATIONS, "if-none-match").is_some());
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    // It ends; the issuer does not notice.
    issuer.clock.advance(5);
    let error = verifier.refresh().await.unwrap_err();
    assert!(
        matches!(*error, FetchError::Snapshot(SnapshotError::Expired)),
        "{error}"
    );
    assert_eq!(issuer.last_header(REVOCATIONS, "if-none-match"), None);
    let refused = verifier.verify(&issuer.token(&signer)).await;
    assert_eq!(refused, Err(VerifyError::RevocationsUnavailable));
}

#[tokio::test]
async fn tokens_are_refused_when_revocations_are_too_old() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    verifier.refresh().await.unwrap();
    issuer.answer_status(REVOCATIONS, StatusCode::BAD_GATEWAY);
    issuer.clock.advance(60);
    assert!(verifier.refresh().await.is_err());
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    issuer.clock.advance(1);
    let refused = verifier.verify(&issuer.token(&signer)).await;
    assert_eq!(refused, Err(VerifyError::RevocationsUnavailable));
    assert!(!verifier.status().ready);
    issuer.revoke(&signer, 1, &json!([]), &json!([]));
    issuer.clock.advance(5);
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
}

#[tokio::test]
async fn tokens_are_refused_until_there_are_revocations_at_all() {
    let (issuer, signer) = start().await;
    issuer.answer_status(REVOCATIONS, StatusCode::NOT_FOUND);
    let verifier = verifier(&issuer);
    for _ in 0..5 {
        let refused = verifier.verify(&issuer.token(&signer)).await;
        assert_eq!(refused, Err(VerifyError::RevocationsUnavailable));
    }
    assert_eq!(issuer.count(REVOCATIONS), 1);
    // A token that nobody signed is told so even now.
    let forged = issuer.token(&Signer::es256());
    assert_eq!(verifier.verify(&forged).await, Err(VerifyError::Signature));
}

#[tokio::test]
async fn a_snapshot_that_is_refused_leaves_the_one_held_in_use() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    let token = issuer.token(&signer);
    let session = verifier.verify(&token).await.unwrap().jti;
    issuer.revoke(&signer, 5, &json!([session]), &json!([]));
    issuer.clock.advance(5);
    verifier.refresh().await.unwrap();

    let forger = Signer::new(Algorithm::Es256, "k1");
    let unknown = Signer::new(Algorithm::Es256, "k9");
    let at_version = |version: u64| snapshot(&issuer, "version", json!(version));
    let mut unknown_kind = at_version(6);
    unknown_kind["cutoffs"] = json!([{ "kind": "device", "value": "x", "before_ms": 1 }]);
    let mut foreign = at_version(6);
    foreign["iss"] = json!("https://tokens.example.com/orgs/acme");
    let mut ended = at_version(6);
    ended["exp"] = json!(issuer.clock.unix_seconds());
    for (text, error) in [
        (
            signer.sign_snapshot(&at_version(4)),
            SnapshotError::Rollback,
        ),
        (
            signer.sign_snapshot(&unknown_kind),
            SnapshotError::UnknownCutoff,
        ),
        (signer.sign_snapshot(&foreign), SnapshotError::Issuer),
        (signer.sign_snapshot(&ended), SnapshotError::Expired),
        (
            forger.sign_snapshot(&at_version(6)),
            SnapshotError::Signature,
        ),
        (
            unknown.sign_snapshot(&at_version(6)),
            SnapshotError::UnknownKey,
        ),
        (signer.sign(&at_version(6)), SnapshotError::Malformed),
        (at_version(6).to_string(), SnapshotError::Malformed),
    ] {
        issuer.answer_snapshot(text);
        issuer.clock.advance(5);
        let refused = verifier.refresh().await.unwrap_err();
        assert!(
            matches!(*refused, FetchError::Snapshot(found) if found == error),
            "{refused} instead of {error}"
        );
        assert_eq!(
            verifier.verify(&token).await,
            Err(VerifyError::Revoked),
            "{error}"
        );
        assert_eq!(verifier.status().revocations_version, Some(5));
    }
}

#[tokio::test]
async fn a_snapshot_of_another_media_type_is_refused() {
    let (issuer, signer) = start().await;
    let body = signer.sign_snapshot(&snapshot(&issuer, "version", json!(1)));
    let headers = vec![("content-type", "text/html".to_owned())];
    let status = StatusCode::OK;
    issuer.answer(
        REVOCATIONS,
        Page {
            status,
            headers,
            body,
        },
    );
    let error = verifier(&issuer).refresh().await.unwrap_err();
    assert!(matches!(*error, FetchError::MediaType), "{error}");
}

#[tokio::test]
async fn a_snapshot_signed_with_a_new_key_fetches_the_key() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    let token = issuer.token(&signer);
    let session = verifier.verify(&token).await.unwrap().jti;
    let new = Signer::new(Algorithm::Es256, "k2");
    issuer.publish([&signer, &new]);
    issuer.revoke(&new, 2, &json!([session]), &json!([]));
    issuer.clock.advance(5);
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.verify(&token).await, Err(VerifyError::Revoked));
    assert_eq!(issuer.count(JWKS), 2);
}

#[tokio::test]
async fn snapshots_are_es256_of_the_issuers_own_set_whatever_the_tokens_are() {
    let issuer = Issuer::start().await;
    let tokens = Signer::new(Algorithm::EdDsa, "ed");
    let snapshots = Signer::new(Algorithm::Es256, "ec");
    let polling = RevocationPolling::default();
    issuer.publish([&tokens, &snapshots]);
    issuer.revoke(&snapshots, 1, &json!([]), &json!([]));
    let shared = issuer
        .builder_for(Algorithm::EdDsa)
        .with_revocations(polling)
        .build()
        .unwrap();
    assert!(shared.verify(&issuer.token(&tokens)).await.is_ok());
    assert_eq!(issuer.count(JWKS), 1);
    // A key for snapshots signs no tokens.
    assert!(shared.verify(&issuer.token(&snapshots)).await.is_err());

    let own = "/orgs/acme/audiences/analytics/jwks.json";
    let (status, headers) = (StatusCode::OK, vec![]);
    let body = super::super::support::jwks([&tokens]);
    issuer.answer(
        own,
        Page {
            status,
            headers,
            body,
        },
    );
    let apart = issuer
        .builder_for(Algorithm::EdDsa)
        .jwks_url(format!("{}{own}", issuer.url))
        .with_revocations(polling)
        .build()
        .unwrap();
    assert!(apart.verify(&issuer.token(&tokens)).await.is_ok());
    let error = {
        issuer.revoke(&tokens, 2, &json!([]), &json!([]));
        issuer.clock.advance(5);
        apart.refresh().await.unwrap_err()
    };
    assert!(
        matches!(*error, FetchError::Snapshot(SnapshotError::Malformed)),
        "{error}"
    );
}

#[tokio::test]
async fn the_task_in_the_background_polls() {
    let (issuer, signer) = start().await;
    let verifier = verifier(&issuer);
    let token = issuer.token(&signer);
    let session = verifier.verify(&token).await.unwrap().jti;
    issuer.revoke(&signer, 2, &json!([session]), &json!([]));
    issuer.clock.advance(5);
    while verifier.verify_held(&token) != Err(VerifyError::Revoked) {
        tokio::task::yield_now().await;
    }
}
