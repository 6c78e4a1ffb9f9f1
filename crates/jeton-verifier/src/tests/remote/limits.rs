//! What is never fetched, followed or read.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;

use super::super::support::{AUDIENCE, Signer, jwks};
use super::server::{Issuer, JWKS, Page};
use crate::{
    Algorithm, FetchError, RemoteVerifier, RevocationPolling, Rules, SettingsError, VerifyError,
};

fn build(issuer: &str) -> Result<RemoteVerifier, SettingsError> {
    RemoteVerifier::builder(Rules::new(issuer, AUDIENCE), Algorithm::Es256).build()
}

#[tokio::test]
async fn plain_http_is_for_this_machine_alone() {
    for issuer in [
        "http://tokens.example.com/orgs/acme",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://[2001:db8::1]",
        "ftp://127.0.0.1",
        "file:///etc/keys",
    ] {
        assert!(
            matches!(build(issuer), Err(SettingsError::NotHttps)),
            "{issuer}"
        );
    }
    for issuer in [
        "",
        "tokens.example.com",
        "https://",
        "https://user:secret@tokens.example.com",
        "https://tokens.example.com?org=acme",
        "https://tokens.example.com/#acme",
    ] {
        assert!(matches!(build(issuer), Err(SettingsError::Url)), "{issuer}");
    }
    for issuer in [
        "https://tokens.invalid",
        "http://localhost:1",
        "http://[::1]:1",
        "http://127.9.9.9:1",
    ] {
        assert!(build(issuer).is_ok(), "{issuer}");
    }
    let elsewhere =
        RemoteVerifier::builder(Rules::new("https://tokens.invalid", "a"), Algorithm::Es256)
            .jwks_url("http://tokens.invalid/jwks.json")
            .build();
    assert!(matches!(elsewhere, Err(SettingsError::NotHttps)));
}

#[tokio::test]
async fn settings_that_would_fail_open_are_refused() {
    let builder =
        |algorithm| RemoteVerifier::builder(Rules::new("https://tokens.invalid", "a"), algorithm);
    let symmetric = builder(Algorithm::Hs256).build();
    assert!(matches!(symmetric, Err(SettingsError::Symmetric)));
    let polling = RevocationPolling::default();
    let symmetric = builder(Algorithm::Es256)
        .with_revocations_signed(polling, Algorithm::Hs256)
        .build();
    assert!(matches!(symmetric, Err(SettingsError::Symmetric)));
    for (interval, max_staleness) in [(0, 60), (60, 60), (61, 60)] {
        let polling = RevocationPolling {
            interval: Duration::from_secs(interval),
            max_staleness: Duration::from_secs(max_staleness),
        };
        let built = builder(Algorithm::Es256).with_revocations(polling).build();
        assert!(matches!(built, Err(SettingsError::Polling)));
    }
    let grace = builder(Algorithm::Es256)
        .key_grace(Duration::from_hours(25))
        .build();
    assert!(matches!(grace, Err(SettingsError::Grace)));
}

#[test]
fn a_verifier_without_a_runtime_is_an_error() {
    assert!(matches!(
        build("https://tokens.invalid"),
        Err(SettingsError::NoRuntime)
    ));
}

async fn failure(issuer: &Issuer) -> Arc<FetchError> {
    let verifier = issuer.builder().build().unwrap();
    let error = verifier.refresh().await.unwrap_err();
    let token = issuer.token(&Signer::es256());
    assert_eq!(
        verifier.verify(&token).await,
        Err(VerifyError::KeysUnavailable)
    );
    error
}

#[tokio::test]
async fn a_body_above_the_limit_is_not_read_to_its_end() {
    let issuer = Issuer::start().await;
    let (status, headers) = (StatusCode::OK, vec![]);
    let body = format!("{}{}", jwks([&Signer::es256()]), " ".repeat(1024 * 1024));
    issuer.answer(
        JWKS,
        Page {
            status,
            headers,
            body,
        },
    );
    assert!(matches!(*failure(&issuer).await, FetchError::TooLarge(_)));
}

#[tokio::test]
async fn redirects_are_followed_within_the_host_alone() {
    let (issuer, other, signer) = (
        Issuer::start().await,
        Issuer::start().await,
        Signer::es256(),
    );
    let redirect = |to: String| Page {
        status: StatusCode::FOUND,
        headers: vec![("location", to)],
        body: String::new(),
    };
    other.publish([&signer]);
    issuer.answer(JWKS, redirect(format!("{}{JWKS}", other.url)));
    assert!(matches!(*failure(&issuer).await, FetchError::Transport(_)));
    assert_eq!(other.count(JWKS), 0);

    issuer.answer(JWKS, redirect("/keys".to_owned()));
    let (status, headers, body) = (StatusCode::OK, vec![], jwks([&signer]));
    issuer.answer(
        "/keys",
        Page {
            status,
            headers,
            body,
        },
    );
    let verifier = issuer.builder().build().unwrap();
    assert!(verifier.verify(&issuer.token(&signer)).await.is_ok());

    issuer.answer(JWKS, redirect(JWKS.to_owned()));
    let before = issuer.count(JWKS);
    assert!(matches!(*failure(&issuer).await, FetchError::Transport(_)));
    assert!(issuer.count(JWKS) - before <= 4);
}

#[tokio::test]
async fn answers_that_are_no_document_are_failures() {
    let issuer = Issuer::start().await;
    for status in [
        StatusCode::NOT_FOUND,
        StatusCode::NOT_MODIFIED,
        StatusCode::NO_CONTENT,
    ] {
        issuer.answer_status(JWKS, status);
        let error = failure(&issuer).await;
        assert!(
            matches!(*error, FetchError::Status(code) if code == status.as_u16()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_an_error_without_the_address_of_anything() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let verifier = build(&format!("http://{address}")).unwrap();
    let error = verifier.refresh().await.unwrap_err();
    assert!(matches!(*error, FetchError::Transport(_)));
    assert!(!error.to_string().contains("jwks.json"), "{error}");
}
