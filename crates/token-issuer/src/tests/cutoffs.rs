//! What is void before its time: for those who check tokens, and for those who renew them.

use key_admin::cutoffs::{self, CutoffKind, CutoffTarget};
use policy::GrantRequest;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{Clock, execute};

use super::checking::check;
use super::renewing::text;
use super::{App, request};
use crate::sessions::canonical;
use crate::{InactiveToken, IssuedToken, RenewError};

impl App {
    async fn cuts_off(&self, target: &CutoffTarget) {
        let now = self.clock.now();
        let mut tx = self.database.write().await.unwrap();
        cutoffs::set_cutoff(&mut tx, self.organization.id, target, now, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn is_void(&self, token: &IssuedToken, why: &str) {
        let checked = check(self, text(token)).await.err();
        assert_eq!(checked, Some(InactiveToken::Revoked), "{why}");
        let renewed = self.renews(text(token)).await.unwrap_err();
        assert!(
            matches!(renewed, RenewError::SessionEnded),
            "{why}: {renewed:?}"
        );
        let elsewhere = self
            .renews_on("https://evil.example.com", text(token))
            .await;
        let elsewhere = elsewhere.unwrap_err();
        assert!(
            matches!(elsewhere, RenewError::Origin),
            "{why}: {elsewhere:?}"
        );
    }
}

fn policy() -> Value {
    json!({
        "roles": [{ "name": "viewer" }, { "name": "editor" }],
        "attributes": [
            { "name": "tenant_id", "type": "string" },
            { "name": "regions", "type": "string", "list": true },
            { "name": "level", "type": "integer" },
            { "name": "person", "type": "string", "sensitive": true },
        ],
    })
}

fn asked() -> GrantRequest {
    let attributes =
        json!({ "tenant_id": "t-1", "regions": ["eu", "us"], "level": 7, "person": "p-1" });
    GrantRequest {
        attributes: attributes.as_object().unwrap().clone(),
        ..request("user-42")
    }
}

#[tokio::test]
async fn a_cutoff_of_any_kind_voids_what_fits_and_nothing_that_comes_later() {
    on_both_engines(|database| async move {
        let app = Box::pin(App::renewing(database, json!({ "session_seconds": 36000 }))).await;
        Box::pin(app.has_policy(&policy())).await;
        let hasher = app.services.issuer.hasher.of(app.organization.id).unwrap();
        let hash = json!({ "hmac": hasher.hash("person", &json!("p-1")) });
        let kid = jsonwebtoken::decode_header(text(&app.grants(asked()).await));
        let kid = kid.unwrap().kid.unwrap();
        let value = |name: &str, value: Value| CutoffTarget::attribute(name, canonical(&value));
        let of = |kind, value: &str| CutoffTarget::new(kind, value);
        let key = app.caller.key_id().to_string();
        let cases = vec![
            (CutoffTarget::organization(), None),
            (
                of(CutoffKind::ApiKey, &key),
                Some(of(CutoffKind::ApiKey, "key_000000000000")),
            ),
            (
                of(CutoffKind::Subject, "user-42"),
                Some(of(CutoffKind::Subject, "user-4")),
            ),
            (
                of(CutoffKind::Audience, "default"),
                Some(of(CutoffKind::Audience, "other")),
            ),
            (
                of(CutoffKind::SigningKey, &kid),
                Some(of(CutoffKind::SigningKey, "other")),
            ),
            (
                of(CutoffKind::Role, "viewer"),
                Some(of(CutoffKind::Role, "editor")),
            ),
            (
                value("tenant_id", json!("t-1")),
                Some(value("tenant_id", json!("t-2"))),
            ),
            (
                value("regions", json!("us")),
                Some(value("tenant_id", json!("us"))),
            ),
            (value("level", json!(7)), Some(value("level", json!("7")))),
            (value("person", hash), Some(value("person", json!("p-1")))),
        ];
        for (fits, other) in cases {
            let token = app.grants(asked()).await;
            if let Some(other) = &other {
                app.cuts_off(other).await;
                Box::pin(check(&app, text(&token))).await.unwrap();
            }
            app.cuts_off(&fits).await;
            let why = format!("{fits:?}");
            Box::pin(app.is_void(&token, &why)).await;
            app.clock.advance_seconds(1);
            let later = app.grants(asked()).await;
            Box::pin(check(&app, text(&later))).await.unwrap();
            Box::pin(app.renews(text(&later))).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_revoked_by_itself_is_void_at_once() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 36000 })).await;
        let (token, other) = (
            app.issues("user-42").await.unwrap(),
            app.issues("user-42").await.unwrap(),
        );
        let session = token.claims().session_id();
        check(&app, text(&token)).await.unwrap();
        let mut tx = app.database.write().await.unwrap();
        let sql = "update sessions set revoked_at = $2 where id = $1";
        execute!(tx.conn(), sql, session, app.clock.now()).unwrap();
        tx.commit().await.unwrap();
        app.is_void(&token, "revoked").await;
        assert!(app.events("session_token.renew_again").await.is_empty());
        app.renews(text(&other)).await.unwrap();
    })
    .await;
}
