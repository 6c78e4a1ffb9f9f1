//! The revocation snapshot, as offline verifiers read it.

use jeton_verifier::{Algorithm, RemoteVerifier, RevocationPolling, Rules, VerifyError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, on_both_engines};

fn request(subject: &str) -> Value {
    json!({ "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

impl App {
    /// What a verifier says that has just fetched everything.
    async fn verified(&self, token: &str) -> Result<(), VerifyError> {
        let issuer = format!("{}/orgs/acme", self.server.url());
        let verifier = RemoteVerifier::builder(Rules::new(issuer, "default"), Algorithm::Es256)
            .with_revocations(RevocationPolling::default())
            .build()
            .unwrap();
        verifier.refresh().await.unwrap();
        verifier.verify(token).await.map(drop)
    }

    async fn issue_for(&self, subject: &str) -> Value {
        self.issue(&request(subject)).await.issued()
    }
}

fn token(issued: &Value) -> &str {
    issued["token"].as_str().unwrap()
}

#[tokio::test]
async fn a_verifier_refuses_what_is_revoked_and_takes_what_comes_after() {
    on_both_engines(|mut app| async move {
        app.serve_under_its_own_address();
        let id = app.call(Method::GET, "/v1/account", None).await.json()["api_key"]["id"].clone();
        let single = app.issue_for("single").await;
        let path = format!("/v1/sessions/{}", single["session_id"].as_str().unwrap());
        let bystander = app.issue_for("bystander").await;
        assert_eq!(app.call(Method::DELETE, &path, None).await.status, 204);
        assert_eq!(
            app.verified(token(&single)).await,
            Err(VerifyError::Revoked)
        );
        assert_eq!(app.verified(token(&bystander)).await, Ok(()));
        for body in [
            json!({ "subject": "u" }),
            json!({ "role": "viewer" }),
            json!({ "audience": "default" }),
            json!({ "attribute": { "name": "tenant_id", "value": "t-1" } }),
            json!({ "api_key_id": id }),
            json!({ "all": true }),
        ] {
            let before = app.issue_for("u").await;
            assert_eq!(app.verified(token(&before)).await, Ok(()), "{body}");
            let path = "/v1/sessions/revoke";
            let answer = app.call(Method::POST, path, Some(body.clone())).await;
            assert_eq!(answer.status, 204, "{}", answer.text);
            assert_eq!(
                app.verified(token(&before)).await,
                Err(VerifyError::Revoked),
                "{body}"
            );
            let after = app.issue_for("u").await;
            assert_eq!(app.verified(token(&after)).await, Ok(()), "{body}");
        }
        assert_eq!(
            app.verified(token(&bystander)).await,
            Err(VerifyError::Revoked)
        );
    })
    .await;
}

#[tokio::test]
async fn the_snapshot_is_public_and_cached_and_sent_once() {
    on_both_engines(|app| async move {
        let first = app.get("/orgs/acme/revocations").await;
        assert_eq!(first.status, 200);
        assert_eq!(first.header("content-type"), "application/jwt");
        assert_eq!(first.header("cache-control"), "public, max-age=5");
        assert_eq!(first.header("access-control-allow-origin"), "*");
        let etag = first.header("etag").to_owned();
        let again = async || {
            let url = app.server.url() + "/orgs/acme/revocations";
            app.send(app.http.get(url).header("if-none-match", &etag))
                .await
        };
        let unchanged = again().await;
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
        let body = json!({ "subject": "u" });
        app.call(Method::POST, "/v1/sessions/revoke", Some(body))
            .await;
        let changed = again().await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), etag);
        assert_eq!(app.get("/orgs/nobody/revocations").await.status, 404);
        assert_eq!(app.get("/orgs/No-Slug!/revocations").await.status, 404);
    })
    .await;
}
