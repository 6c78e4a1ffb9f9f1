//! Keys: when they are fetched, how often, and what happens when they cannot be.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::super::support::Signer;
use super::server::{Issuer, JWKS, Page};
use crate::{Algorithm, FetchError, JwksError, VerifyError};

fn key(kid: &str) -> Signer {
    Signer::new(Algorithm::Es256, kid)
}

#[tokio::test]
async fn keys_are_fetched_once_and_then_held_for_their_max_age() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let verifier = issuer.builder().build().unwrap();
    for _ in 0..3 {
        assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    }
    assert_eq!(issuer.count(JWKS), 1);
    issuer.clock.advance(299);
    verifier.refresh().await.unwrap();
    assert_eq!(issuer.count(JWKS), 1);
    issuer.clock.advance(1);
    verifier.refresh().await.unwrap();
    assert_eq!(issuer.count(JWKS), 2);
    assert_eq!(verifier.status().keys_age, Some(Duration::ZERO));
}

#[tokio::test]
async fn unchanged_keys_are_confirmed_by_their_entity_tag() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    assert_eq!(issuer.last_header(JWKS, "if-none-match"), None);
    for count in 2..5 {
        issuer.clock.advance(300);
        verifier.refresh().await.unwrap();
        assert_eq!(issuer.count(JWKS), count);
        assert!(issuer.last_header(JWKS, "if-none-match").is_some());
        assert!(verifier.verify_held(&issuer.token(&signer)).is_ok());
    }
}

#[tokio::test]
async fn the_age_of_keys_is_bounded_on_both_sides() {
    for (cache_control, seconds) in [
        ("max-age=0", 5),
        ("max-age=4", 5),
        ("no-store", 5),
        ("no-cache, max-age=600", 5),
        ("public", 60),
        ("max-age=x", 60),
        ("public, Max-Age=20", 20),
        ("max-age=31536000", 3600),
    ] {
        let (issuer, signer) = (Issuer::start().await, key("k1"));
        issuer.publish_with([&signer], cache_control);
        let verifier = issuer.builder().build().unwrap();
        verifier.refresh().await.unwrap();
        issuer.clock.advance(seconds - 1);
        verifier.refresh().await.unwrap();
        assert_eq!(issuer.count(JWKS), 1, "{cache_control}");
        issuer.clock.advance(1);
        verifier.refresh().await.unwrap();
        assert_eq!(issuer.count(JWKS), 2, "{cache_control}");
    }
}

#[tokio::test]
async fn the_time_that_an_answer_has_spent_in_caches_is_taken_off() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    let headers = vec![
        ("cache-control", "max-age=300".to_owned()),
        ("age", "280".to_owned()),
    ];
    let (status, body) = (StatusCode::OK, super::super::support::jwks([&signer]));
    issuer.answer(
        JWKS,
        Page {
            status,
            headers,
            body,
        },
    );
    let verifier = issuer.builder().build().unwrap();
    for (seconds, fetches) in [(0, 1), (19, 1), (1, 2)] {
        issuer.clock.advance(seconds);
        verifier.refresh().await.unwrap();
        assert_eq!(issuer.count(JWKS), fetches);
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let (issuer, old, new) = (Issuer::start().await, key("k1"), key("k2"));
    issuer.publish([&old]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    issuer.publish([&old, &new]);
    assert!(verifier.verify(&issuer.token(&new)).await.is_ok());
    assert_eq!(issuer.count(JWKS), 2);
    assert_eq!(
        issuer.last_header(JWKS, "cache-control").unwrap(),
        "no-cache"
    );
    assert!(verifier.verify(&issuer.token(&old)).await.is_ok());
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_per_cool_down_however_many_ask() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    for round in 1..=3 {
        let forged = (0..50).map(|at| {
            let (verifier, token) = (verifier.clone(), issuer.token(&key(&format!("x{at}"))));
            tokio::spawn(async move { verifier.verify(&token).await })
        });
        let forged: Vec<_> = forged.collect();
        for verified in forged {
            assert_eq!(verified.await.unwrap(), Err(VerifyError::UnknownKey));
        }
        assert_eq!(issuer.count(JWKS), 1 + round);
        issuer.clock.advance(9);
        assert!(verifier.verify(&issuer.token(&key("y"))).await.is_err());
        assert_eq!(issuer.count(JWKS), 1 + round);
        issuer.clock.advance(1);
    }
}

#[tokio::test]
async fn callers_that_miss_the_same_key_share_one_fetch() {
    let (issuer, old, new) = (Issuer::start().await, key("k1"), key("k2"));
    issuer.publish([&old]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    issuer.publish([&old, &new]);
    let token = issuer.token(&new);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for verified in waiting {
        assert!(verified.await.unwrap().is_ok());
    }
    assert_eq!(issuer.count(JWKS), 2);
}

#[tokio::test]
async fn tokens_that_are_no_tokens_cause_no_fetch() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    let mut header = key("k2").header();
    header["jku"] = json!(format!("{}/evil", issuer.url));
    let injected = key("k2").sign_text(&header.to_string(), &issuer.claims().to_string());
    for token in ["x", "..", &injected, &key("k1").sign(&issuer.claims())] {
        assert!(verifier.verify(token).await.is_err());
    }
    assert_eq!((issuer.count(JWKS), issuer.count("/evil")), (1, 0));
}

#[tokio::test]
async fn a_retired_key_is_refused_once_the_set_is_fetched_again() {
    let (issuer, old, new) = (Issuer::start().await, key("k1"), key("k2"));
    issuer.publish([&old, &new]);
    let verifier = issuer.builder().build().unwrap();
    assert!(verifier.verify(&issuer.token(&old)).await.is_ok());
    issuer.publish([&new]);
    issuer.clock.advance(300);
    verifier.refresh().await.unwrap();
    assert_eq!(
        verifier.verify(&issuer.token(&old)).await,
        Err(VerifyError::UnknownKey)
    );
    assert!(verifier.verify(&issuer.token(&new)).await.is_ok());
    // All of them may be retired, in an emergency.
    issuer.publish([]);
    issuer.clock.advance(300);
    verifier.refresh().await.unwrap();
    assert_eq!(
        verifier.verify(&issuer.token(&new)).await,
        Err(VerifyError::UnknownKey)
    );
}

#[tokio::test]
async fn an_outage_is_bridged_with_the_old_keys_for_a_bounded_time() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let grace = Duration::from_mins(10);
    let verifier = issuer.builder().key_grace(grace).build().unwrap();
    verifier.refresh().await.unwrap();
    issuer.answer_status(JWKS, StatusCode::INTERNAL_SERVER_ERROR);
    issuer.clock.advance(300);
    let error = verifier.refresh().await.unwrap_err();
    assert!(matches!(*error, FetchError::Status(500)), "{error}");
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    issuer.clock.advance(600);
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    issuer.clock.advance(1);
    let refused = verifier.verify(&issuer.token(&signer)).await;
    assert_eq!(refused, Err(VerifyError::KeysUnavailable));
    assert!(!verifier.status().ready);
    issuer.publish([&signer]);
    issuer.clock.advance(10);
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    assert!(verifier.status().ready);
}

#[tokio::test]
async fn a_failing_issuer_is_asked_once_per_cool_down() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.answer_status(JWKS, StatusCode::SERVICE_UNAVAILABLE);
    let verifier = issuer.builder().build().unwrap();
    let token = issuer.token(&signer);
    for _ in 0..20 {
        assert_eq!(
            verifier.verify(&token).await,
            Err(VerifyError::KeysUnavailable)
        );
    }
    assert!(verifier.refresh().await.is_err());
    assert_eq!(issuer.count(JWKS), 1);
    issuer.publish([&signer]);
    issuer.clock.advance(10);
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.count(JWKS), 2);
}

#[tokio::test]
async fn a_broken_key_set_does_not_replace_a_good_one() {
    let (issuer, signer) = (Issuer::start().await, key("k1"));
    issuer.publish([&signer]);
    let verifier = issuer.builder().build().unwrap();
    verifier.refresh().await.unwrap();
    for body in ["", "<html>", "{}", r#"{"keys":[],"keys":[]}"#] {
        let (status, headers) = (StatusCode::OK, vec![]);
        issuer.answer(
            JWKS,
            Page {
                status,
                headers,
                body: body.to_owned(),
            },
        );
        issuer.clock.advance(300);
        let error = verifier.refresh().await.unwrap_err();
        assert!(
            matches!(*error, FetchError::Keys(JwksError::Syntax(_))),
            "{error}"
        );
        assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());
    }
}

#[tokio::test]
async fn a_set_without_a_key_of_the_pinned_algorithm_is_told_at_the_start() {
    let issuer = Issuer::start().await;
    issuer.publish([&key("k1")]);
    let verifier = issuer.builder_for(Algorithm::EdDsa).build().unwrap();
    let error = verifier.refresh().await.unwrap_err();
    assert!(
        matches!(
            *error,
            FetchError::Keys(JwksError::NoUsableKey(Algorithm::EdDsa))
        ),
        "{error}"
    );
}

#[tokio::test]
async fn the_key_set_of_one_audience_leaves_the_keys_of_others_out() {
    let (issuer, ours, theirs) = (Issuer::start().await, key("k1"), key("k2"));
    issuer.publish([&ours, &theirs]);
    let own = "/orgs/acme/audiences/analytics/jwks.json";
    let (status, headers) = (StatusCode::OK, vec![]);
    let body = super::super::support::jwks([&ours]);
    issuer.answer(
        own,
        Page {
            status,
            headers,
            body,
        },
    );
    let verifier = issuer
        .builder()
        .jwks_url(format!("{}{own}", issuer.url))
        .build()
        .unwrap();
    assert!(verifier.verify(&issuer.token(&ours)).await.is_ok());
    assert_eq!(
        verifier.verify(&issuer.token(&theirs)).await,
        Err(VerifyError::UnknownKey)
    );
    assert_eq!(issuer.count(JWKS), 0);
}

#[tokio::test]
async fn the_task_in_the_background_fetches_what_is_due_without_being_asked() {
    let (issuer, old, new) = (Issuer::start().await, key("k1"), key("k2"));
    issuer.publish([&old]);
    let verifier = issuer.builder().build().unwrap();
    issuer.answered(1).await;
    issuer.publish([&new]);
    // The first answer may still be on its way into the verifier; it is when this one waits for it.
    verifier.refresh().await.unwrap();
    issuer.clock.advance(300);
    issuer.answered(2).await;
    while verifier.verify_held(&issuer.token(&new)).is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(issuer.count(JWKS), 2);
}
