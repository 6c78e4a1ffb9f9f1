//! `POST /v1/session-tokens/renew`: the token is the credential.

use key_admin::cutoffs::{self, CutoffKind, CutoffTarget};
use key_admin::{Act, Asker, IssuedTokens, KeyRevocation};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use storage::{Clock, SystemClock};

use crate::support::{Answer, App, decode, on_both_engines};

pub(crate) const PAGE: &str = "https://app.example.com";
pub(crate) const RENEW: &str = "/v1/session-tokens/renew";

pub(crate) fn rule() -> Value {
    json!({ "session_seconds": 3600 })
}

pub(crate) fn asked() -> Value {
    json!({ "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

impl App {
    pub(crate) fn renewal(&self, token: &str) -> RequestBuilder {
        let request = self.http.post(self.server.url() + RENEW);
        request.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) async fn renews(&self, token: &str) -> Answer {
        self.send(self.renewal(token).header("origin", PAGE)).await
    }
}

#[tokio::test]
async fn a_page_gets_what_its_backend_got() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let first = app.issue(&asked()).await.issued();
        let answer = app.renews(first["token"].as_str().unwrap()).await;
        let second = answer.issued();
        assert_eq!(answer.header("cache-control"), "no-store");
        let members = |answer: &Value| -> Vec<String> {
            answer.as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(members(&second), members(&first));
        for same in [
            "token_type",
            "expires_in",
            "refresh_in",
            "audience",
            "roles",
            "attributes",
            "session_expires_at",
        ] {
            assert_eq!(second[same], first[same], "{same}");
        }
        assert_ne!(second["session_id"], first["session_id"]);
        let claims = decode(second["token"].as_str().unwrap()).1;
        assert_eq!(claims["jti"], second["session_id"]);
        assert!(app.has_session(&second).await);

        let again = app.renews(first["token"].as_str().unwrap()).await;
        again.assert_problem(StatusCode::CONFLICT, "already_renewed");
        let events = app.call(
            reqwest::Method::GET,
            "/v1/audit-events?action=session_token.renew_again",
            None,
        );
        let events = events.await.json();
        assert_eq!(
            events["data"][0]["detail"]["session_id"], first["session_id"],
            "{events}"
        );
    })
    .await;
}

#[tokio::test]
async fn only_a_session_token_renews() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let token = app.issue(&asked()).await.token();
        let bare = || {
            app.http
                .post(app.server.url() + RENEW)
                .header("origin", PAGE)
        };
        for request in [
            bare(),
            bare().header("x-api-key", &app.key),
            bare().header("authorization", format!("ApiKey {}", app.key)),
            bare().header("authorization", format!("Bearer {}", app.key)),
            bare().header("authorization", format!("Basic {token}")),
            bare().header("authorization", &token),
            bare().header("authorization", "Bearer"),
            bare().header("authorization", format!("Bearer {token}x")),
            bare()
                .header("authorization", format!("Bearer {token}"))
                .header("authorization", "Bearer x"),
        ] {
            let answer = app.send(request).await;
            answer.assert_problem(StatusCode::UNAUTHORIZED, "token_not_active");
            let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(
                challenges,
                ["Bearer realm=\"jeton\", error=\"invalid_token\""]
            );
        }
        let filled = app.renewal(&token).header("origin", PAGE).body("{}");
        app.send(filled)
            .await
            .assert_problem(StatusCode::BAD_REQUEST, "body_not_empty");
        assert_eq!(app.count_sessions().await, 1);
        app.send(app.renewal(&token).header("origin", PAGE).body(""))
            .await
            .issued();
    })
    .await;
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    on_both_engines(|app| async move {
        let never = app.issue(&asked()).await.token();
        app.lets_pages_renew(&[PAGE, "https://b.example.com"], rule())
            .await;
        app.renews(&never)
            .await
            .assert_problem(StatusCode::FORBIDDEN, "not_renewable");

        let token = app.issue(&asked()).await.token();
        let absent = app.send(app.renewal(&token)).await;
        absent.assert_problem(StatusCode::FORBIDDEN, "origin_not_authorized");
        for page in ["null", "https://evil.example.com", "http://app.example.com"] {
            let request = app.renewal(&token).header("origin", page);
            app.send(request)
                .await
                .assert_problem(StatusCode::FORBIDDEN, "origin_not_authorized");
        }
        let twice = app
            .renewal(&token)
            .header("origin", PAGE)
            .header("origin", PAGE);
        app.send(twice)
            .await
            .assert_problem(StatusCode::FORBIDDEN, "origin_not_authorized");

        // One word why, nothing of the policy.
        let mut policy = app
            .call(reqwest::Method::GET, "/v1/policy", None)
            .await
            .json();
        let attributes = policy["attributes"].as_array_mut().unwrap();
        let tenant = attributes
            .iter_mut()
            .find(|it| it["name"] == "tenant_id")
            .unwrap();
        tenant["allowed_values"] = json!(["t-2"]);
        let policy = json!({ "roles": policy["roles"], "attributes": policy["attributes"] });
        assert_eq!(
            app.call(reqwest::Method::PUT, "/v1/policy", Some(policy))
                .await
                .status,
            200
        );
        let refused = app.renews(&token).await;
        let problem = refused.assert_problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "attribute_value_not_allowed",
        );
        assert!(
            problem.get("errors").is_none() && !refused.text.contains("t-2"),
            "{problem}"
        );
        assert!(
            !problem["detail"].as_str().unwrap().contains("tenant_id"),
            "{problem}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_taken_back_has_ended() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let token = app.issue(&asked()).await.token();
        let now = SystemClock.now();
        let target = CutoffTarget::new(CutoffKind::Subject, "user-42");
        let mut tx = app.services.database.write().await.unwrap();
        let cutoff = cutoffs::set_cutoff(&mut tx, app.organization.id, &target, now, now);
        cutoff.await.unwrap();
        tx.commit().await.unwrap();
        app.renews(&token)
            .await
            .assert_problem(StatusCode::FORBIDDEN, "session_ended");

        let (key, secret) = app.create_key(crate::support::NewKey::default()).await;
        let token = app.issue_with(&secret, &asked()).await.token();
        let token = app.renews(&token).await.token();
        let (keys, act) = (&app.services.keys, Act::on_command_line());
        let revoked = keys.revoke_key(
            &act,
            Asker::Machine,
            app.organization.id,
            key.id,
            KeyRevocation {
                reason: None,
                issued: IssuedTokens::Keep,
            },
        );
        revoked.await.unwrap();
        app.server_sees_changes().await;
        app.renews(&token)
            .await
            .assert_problem(StatusCode::FORBIDDEN, "session_ended");
        // Who does not hold the token learns nothing of it.
        let (signed, _) = token.rsplit_once('.').unwrap();
        app.renews(&format!("{signed}.AAAA"))
            .await
            .assert_problem(StatusCode::UNAUTHORIZED, "token_not_active");
    })
    .await;
}

#[tokio::test]
async fn an_address_cannot_try_out_tokens() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let token = app.issue(&asked()).await.token();
        let mut limited = None;
        for _ in 0..300 {
            let answer = app.renews("a.b.c").await;
            if answer.status == 429 {
                limited = Some(answer);
                break;
            }
            answer.assert_problem(StatusCode::UNAUTHORIZED, "token_not_active");
        }
        let limited = limited.unwrap();
        limited.assert_problem(StatusCode::TOO_MANY_REQUESTS, "too_many_failed_attempts");
        assert!(!limited.header("retry-after").is_empty());
        assert_eq!(
            limited.header("access-control-expose-headers"),
            "Retry-After"
        );
        assert!(matches!(app.renews(&token).await.status, 201 | 429));
    })
    .await;
}
