//! Who is let in, and what everybody else is told.

use key_admin::{Act, Asker, Permission};
use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::{Clock, Engine, SystemClock};

use crate::support::{Answer, App, NewKey, on_both_engines};

fn request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

/// A well-formed key of which nobody has heard.
fn unknown_key() -> String {
    with_checksum("jtn_000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

/// The key with another secret and a right checksum.
fn with_wrong_secret(key: &str) -> String {
    let (signed, _) = key.split_at(key.len() - 6);
    let last = if signed.ends_with('A') { 'B' } else { 'A' };
    with_checksum(&format!("{}{last}", &signed[..signed.len() - 1]))
}

/// CRC-32 (IEEE 802.3), bit by bit, in six base-62 digits: written again here so that the format is checked by
/// something that is not the implementation.
pub(crate) fn with_checksum(signed: &str) -> String {
    let mut crc = !0_u32;
    for byte in signed.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut rest = !crc;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize],
        );
        rest /= 62;
    }
    digits.reverse();
    format!("{signed}{}", String::from_utf8(digits).unwrap())
}

/// What is left of an answer when the request's own id is taken out.
fn without_request_id(answer: &Answer) -> String {
    answer.text.replace(answer.header("x-request-id"), "")
}

#[tokio::test]
async fn no_credential_is_asked_for_one() {
    on_both_engines(|app| async move {
        for path in ["/v1/account", "/v1/session-tokens"] {
            let request = if path.ends_with("account") {
                app.http.get(app.server.url() + path)
            } else {
                app.http.post(app.server.url() + path).json(&request())
            };
            for authorization in [None, Some("Basic dTpw"), Some("jtn_"), Some("ApiKey")] {
                let mut request = request.try_clone().unwrap();
                if let Some(authorization) = authorization {
                    request = request.header("authorization", authorization);
                }
                let answer = app.send(request).await;
                answer.assert_problem(StatusCode::UNAUTHORIZED, "missing_credential");
                let challenges: Vec<_> =
                    answer.headers.get_all("www-authenticate").iter().collect();
                assert_eq!(
                    challenges,
                    [r#"ApiKey realm="jeton""#, r#"Bearer realm="jeton""#]
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_does_not_prove_a_secret_gets_the_same_answer() {
    on_both_engines(|app| async move {
        let (deleted, deleted_key) = app.create_key(NewKey::default()).await;
        app.services
            .keys
            .delete_key(
                &Act::on_command_line(),
                Asker::Machine,
                app.organization.id,
                deleted.id,
                key_admin::IssuedTokens::Void,
            )
            .await
            .unwrap();
        app.server_sees_changes().await;
        let mut wrong_checksum = app.key.clone();
        let last = if wrong_checksum.ends_with('A') {
            "B"
        } else {
            "A"
        };
        wrong_checksum.replace_range(wrong_checksum.len() - 1.., last);

        let mut answers = Vec::new();
        for key in [
            "jtn_short".to_owned(),
            "x".repeat(66),
            "k".repeat(10_000),
            wrong_checksum,
            unknown_key(),
            deleted_key,
            with_wrong_secret(&app.key),
        ] {
            let answer = app.issue_with(&key, &request()).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
            assert!(answer.headers.contains_key("www-authenticate"));
            answers.push(without_request_id(&answer));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn only_the_right_secret_learns_that_a_key_is_disabled_or_expired() {
    on_both_engines(|app| async move {
        let (disabled, disabled_key) = app.create_key(NewKey::default()).await;
        app.issue_with(&disabled_key, &request()).await.issued();
        app.services
            .keys
            .disable_key(
                &Act::on_command_line(),
                Asker::Machine,
                app.organization.id,
                disabled.id,
            )
            .await
            .unwrap();
        let soon = SystemClock.now().plus_seconds(1);
        let (_, expired_key) = app
            .create_key(NewKey {
                expires_at: Some(soon),
                ..NewKey::default()
            })
            .await;
        app.server_sees_changes().await;
        while SystemClock.now() < soon {
            tokio::task::yield_now().await;
        }
        for (key, code) in [(disabled_key, "key_disabled"), (expired_key, "key_expired")] {
            let answer = app.issue_with(&key, &request()).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, code);
            let guessed = app.issue_with(&with_wrong_secret(&key), &request()).await;
            guessed.assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_works_only_from_its_networks() {
    on_both_engines(|app| async move {
        let elsewhere = NewKey {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..NewKey::default()
        };
        let (_, key) = app.create_key(elsewhere).await;
        app.issue_with(&key, &request())
            .await
            .assert_problem(StatusCode::FORBIDDEN, "address_not_allowed");
        let here = NewKey {
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..NewKey::default()
        };
        let (_, key) = app.create_key(here).await;
        app.issue_with(&key, &request()).await.issued();
    })
    .await;
}

#[tokio::test]
async fn two_credentials_are_not_chosen_between() {
    on_both_engines(|app| async move {
        let account = || {
            app.http
                .get(app.server.url() + "/v1/account")
                .header("x-api-key", &app.key)
        };
        let both = account().header("authorization", format!("ApiKey {}", app.key));
        app.send(both)
            .await
            .assert_problem(StatusCode::BAD_REQUEST, "ambiguous_credential");
        let twice = account().header("x-api-key", &app.key);
        app.send(twice)
            .await
            .assert_problem(StatusCode::BAD_REQUEST, "ambiguous_credential");
    })
    .await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_does_not_stop_those_who_have_proven_their_key() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let limits = [
            ("JETON_KEYS__FAILED_CREDENTIALS__PER_MINUTE", "1"),
            ("JETON_KEYS__FAILED_CREDENTIALS__BURST", "5"),
        ];
        let app = App::start_with(engine, &limits).await;
        app.issue(&request()).await.issued();
        let wrong = with_wrong_secret(&app.key);
        for _ in 0..5 {
            app.issue_with(&wrong, &request())
                .await
                .assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        }
        let answer = app.issue_with(&wrong, &request()).await;
        answer.assert_problem(StatusCode::TOO_MANY_REQUESTS, "too_many_failed_attempts");
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        app.issue(&request()).await.issued();
    }
}

#[tokio::test]
async fn a_key_made_on_another_node_works_here_at_once() {
    on_both_engines(|app| async move {
        // The server first learns that the id is unknown, and must not remember it.
        app.issue_with(&unknown_key(), &request())
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "invalid_api_key");
        let key = NewKey {
            permissions: vec![Permission::TokensIssue],
            ..NewKey::default()
        };
        let (_, key) = app.create_key(key).await;
        app.issue_with(&key, &request()).await.issued();
    })
    .await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_counts_and_otherwise_not() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for (trusted, code) in [("[\"127.0.0.0/8\"]", 201), ("[]", 403)] {
            let app = App::start_with(engine, &[("JETON_TRUSTED_PROXIES", trusted)]).await;
            let office = NewKey {
                networks: vec!["198.51.100.0/24".parse().unwrap()],
                ..NewKey::default()
            };
            let (_, key) = app.create_key(office).await;
            let request = app
                .http
                .post(app.server.url() + "/v1/session-tokens")
                .header("x-api-key", key)
                .header("x-forwarded-for", "203.0.113.1, 198.51.100.7")
                .json(&request());
            assert_eq!(app.send(request).await.status, code, "{trusted}");
        }
    }
}
