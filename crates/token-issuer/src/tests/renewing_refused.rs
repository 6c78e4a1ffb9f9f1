//! Tokens that were renewable once.

use key_admin::{ApiKeyPatch, Asker, Edit, IssuedTokens, KeyCeiling, KeyRevocation};
use policy::GrantRequest;
use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{Clock, execute, record_change};

use super::renewing::{PAGE, act, renewable, text};
use super::{App, caller, request};
use crate::audiences::{AudiencePatch, AudienceSettings};
use crate::signing_keys::SigningAlgorithm;
use crate::{IssueError, IssuedToken, RenewError};

fn rule() -> Value {
    json!({ "session_seconds": 36000 })
}

/// The starter policy, and what makes of it another one.
fn policy(change: impl FnOnce(&mut Value)) -> Value {
    let mut policy = serde_json::to_value(policy::starter_policy()).unwrap();
    change(&mut policy);
    policy
}

fn codes(error: &RenewError) -> Vec<&str> {
    match error {
        RenewError::Issue(IssueError::Refused(denial)) => {
            denial.reasons().iter().map(|it| it.code.as_str()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_policy_decides_again() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let mut token = app.issues("user-42").await.unwrap();
        let tenants = |values: Value| {
            policy(|it| {
                let attributes = it["attributes"].as_array_mut().unwrap();
                let tenant = attributes.iter_mut().find(|it| it["name"] == "tenant_id");
                tenant.unwrap()["allowed_values"] = values;
            })
        };
        let gone = policy(|it| it["roles"] = json!([{ "name": "editor" }]));
        let required = policy(|it| {
            let more = json!({ "name": "plan", "type": "string", "required": true });
            it["attributes"].as_array_mut().unwrap().push(more);
        });
        let removed = policy(|it| {
            let attributes = it["attributes"].as_array_mut().unwrap();
            attributes.retain(|it| it["name"] != "regions");
        });
        let shorter = policy(|it| {
            let roles = it["roles"].as_array_mut().unwrap();
            let viewer = roles.iter_mut().find(|it| it["name"] == "viewer");
            viewer.unwrap()["max_ttl_seconds"] = json!(60);
        });
        for (count, (changed, code)) in [
            (gone, "unknown_role"),
            (tenants(json!(["t-2"])), "attribute_value_not_allowed"),
            (required, "missing_attribute"),
            (removed, "undeclared_attribute"),
            (shorter, "ttl_out_of_range"),
        ]
        .iter()
        .enumerate()
        {
            app.has_policy(changed).await;
            let refused = app.renews(text(&token)).await.unwrap_err();
            assert_eq!(codes(&refused), [*code]);
            let events = app.events("session_token.refuse").await;
            assert_eq!(events.len(), count + 1);
            assert_eq!(events[count]["reasons"][0]["code"], *code);
            // A refusal takes nothing away: it can be put right.
            app.has_policy(&policy(|_| ())).await;
            token = app.renews(text(&token)).await.unwrap();
        }
        app.patches(AudiencePatch {
            default_ttl_seconds: Some(60),
            max_ttl_seconds: Some(60),
            ..AudiencePatch::default()
        })
        .await;
        let refused = app.renews(text(&token)).await.unwrap_err();
        assert_eq!(codes(&refused), ["ttl_out_of_range"]);
    })
    .await;
}

#[tokio::test]
async fn the_key_limits_what_its_tokens_are_renewed_to() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let token = app.issues("user-42").await.unwrap();
        let europe = KeyCeiling {
            allowed_attributes: [("regions".to_owned(), vec![json!("eu")])].into(),
            ..KeyCeiling::default()
        };
        let tenant = KeyCeiling {
            fixed_attributes: [("tenant_id".to_owned(), json!("t-2"))].into(),
            ..KeyCeiling::default()
        };
        for (ceiling, code) in [
            (europe, "attribute_beyond_key"),
            (tenant, "attribute_fixed"),
        ] {
            app.limits_its_key(ceiling).await;
            let refused = app.renews(text(&token)).await.unwrap_err();
            assert_eq!(codes(&refused), [code]);
        }
        app.limits_its_key(KeyCeiling::default()).await;
        app.renews(text(&token)).await.unwrap();
    })
    .await;
}

impl App {
    async fn limits_its_key(&self, ceiling: KeyCeiling) {
        let patch = ApiKeyPatch {
            ceiling: Edit::Set(ceiling),
            ..ApiKeyPatch::default()
        };
        let (organization, key) = (self.organization.id, self.caller.key_id());
        let services = &self.services;
        let updated = services.update_api_key(act(), Asker::Machine, organization, key, patch);
        updated.await.unwrap();
    }

    /// A token of a key of its own.
    async fn key_with_token(&self) -> (key_admin::ApiKeyId, IssuedToken) {
        let caller = caller(&self.services, &self.organization, self.owner).await;
        let caller = self.services.authorizer.permit(caller).unwrap();
        let token = self.issues_to(&caller, "user-42").await.unwrap();
        (caller.key_id(), token)
    }

    /// Changes rows that no service changes in this way.
    async fn runs(&self, sql: &'static str, key: key_admin::ApiKeyId) {
        let mut tx = self.database.write().await.unwrap();
        let changed = execute!(
            tx.conn(),
            sql,
            key.as_str(),
            self.clock.now().plus_seconds(60)
        );
        assert_eq!(changed.unwrap(), 1, "{sql}");
        record_change(&mut tx, self.organization.id).await.unwrap();
        tx.commit().await.unwrap();
        self.services.feed.refresh().await.unwrap();
    }

    async fn has_ended(&self, token: &IssuedToken, why: &str) {
        let refused = self.renews(text(token)).await.unwrap_err();
        assert!(
            matches!(refused, RenewError::SessionEnded),
            "{why}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_key_that_may_not_act_ends_its_sessions() {
    Box::pin(on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let (keys, organization, act) = (&app.services.keys, app.organization.id, act());

        let (key, token) = app.key_with_token().await;
        keys.disable_key(act, Asker::Machine, organization, key)
            .await
            .unwrap();
        app.has_ended(&token, "disabled").await;
        keys.enable_key(act, Asker::Machine, organization, key)
            .await
            .unwrap();
        app.renews(text(&token)).await.unwrap();

        let (key, token) = app.key_with_token().await;
        let alone = KeyRevocation {
            reason: None,
            issued: IssuedTokens::Keep,
        };
        keys.revoke_key(act, Asker::Machine, organization, key, alone)
            .await
            .unwrap();
        app.has_ended(&token, "revoked").await;

        let (key, token) = app.key_with_token().await;
        keys.delete_key(act, Asker::Machine, organization, key, IssuedTokens::Keep)
            .await
            .unwrap();
        app.has_ended(&token, "deleted").await;

        let (key, token) = app.key_with_token().await;
        app.runs("update api_keys set expires_at = $2 where id = $1", key)
            .await;
        let token = app.renews(text(&token)).await.unwrap();
        app.clock.advance_seconds(61);
        app.has_ended(&token, "expired").await;

        let (key, token) = app.key_with_token().await;
        let none = ApiKeyPatch {
            permissions: Edit::Set(Vec::new()),
            ..ApiKeyPatch::default()
        };
        let updated = keys
            .update_key(act, Asker::Machine, organization, key, none)
            .await;
        updated.unwrap();
        app.has_ended(&token, "without its permission").await;
    }))
    .await;
}

#[tokio::test]
async fn an_owner_who_may_not_act_ends_the_sessions_of_its_keys() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let (key, token) = app.key_with_token().await;
        for (change, undo) in [
            (
                "update users set role = 'viewer' where principal_id =
                     (select owner_id from api_keys where id = $1 and created_at < $2)",
                "update users set role = 'owner' where principal_id =
                     (select owner_id from api_keys where id = $1 and created_at < $2)",
            ),
            (
                "update principals set state = 'suspended' where id =
                     (select owner_id from api_keys where id = $1 and created_at < $2)",
                "update principals set state = 'active' where id =
                     (select owner_id from api_keys where id = $1 and created_at < $2)",
            ),
        ] {
            app.runs(change, key).await;
            app.has_ended(&token, change).await;
            app.runs(undo, key).await;
        }
        app.renews(text(&token)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_audience_decides_which_pages_renew() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let token = app.issues("user-42").await.unwrap();
        for page in [
            "",
            "null",
            "*",
            "https://evil.example.com",
            "https://app.example.com/",
            "https://app.example.com.evil.example",
            "HTTPS://APP.EXAMPLE.COM",
            "https://app.example.com:443",
        ] {
            let refused = app.renews_on(page, text(&token)).await.unwrap_err();
            assert!(matches!(refused, RenewError::Origin), "{page}: {refused:?}");
        }
        let other: AudienceSettings = serde_json::from_value(json!({
            "authorized_origins": ["https://other.example.com"], "renewal": rule(),
        }))
        .unwrap();
        app.sets(&other).await;
        let refused = app.renews(text(&token)).await.unwrap_err();
        assert!(matches!(refused, RenewError::Origin), "{refused:?}");
        let issuer = &app.services.issuer;
        assert!(!issuer.is_authorized_origin(PAGE).await);
        assert!(
            issuer
                .is_authorized_origin("https://other.example.com")
                .await
        );

        app.sets(&renewable(&Value::Null)).await;
        let refused = app.renews(text(&token)).await.unwrap_err();
        assert!(matches!(refused, RenewError::NotRenewable), "{refused:?}");
        let never = app.issues("user-42").await.unwrap();
        app.sets(&renewable(&rule())).await;
        let refused = app.renews(text(&never)).await.unwrap_err();
        assert!(matches!(refused, RenewError::NotRenewable), "{refused:?}");
        app.renews(text(&token)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tokens_of_a_removed_audience_are_none() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let settings = renewable(&rule());
        let audience = app
            .makes("reports", SigningAlgorithm::Es256, settings)
            .await;
        let asked = GrantRequest {
            audience: "reports".to_owned(),
            ..request("user-42")
        };
        let token = app.grants(asked).await;
        let issuer = &app.services.issuer;
        let (organization, id) = (app.organization.id, audience.id);
        assert!(issuer.is_authorized_origin(PAGE).await);
        issuer
            .delete_audience(act(), organization, id)
            .await
            .unwrap();
        let refused = app.renews(text(&token)).await.unwrap_err();
        assert!(matches!(refused, RenewError::Token(_)), "{refused:?}");
        assert!(!issuer.is_authorized_origin(PAGE).await);
    })
    .await;
}

#[tokio::test]
async fn without_a_database_an_origin_is_what_it_was() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, rule()).await;
        let issuer = &app.services.issuer;
        assert!(issuer.is_authorized_origin(PAGE).await);
        app.database.close().await;
        assert!(issuer.is_authorized_origin(PAGE).await);
        assert!(
            !issuer
                .is_authorized_origin("https://evil.example.com")
                .await
        );
        let token = app.renews("a.b.c").await.unwrap_err();
        assert!(matches!(token, RenewError::Token(_)), "{token:?}");
    })
    .await;
}
