//! Tokens that are traded for the next one.

use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use key_admin::Act;
use policy::{AudienceLimits, AudienceName, GrantRequest, PolicyDocument};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::types::Json;
use storage::testing::on_both_engines;
use storage::{SessionId, Timestamp, fetch_all};

use super::checking::{check, claims_in, sign, signer};
use super::{App, found, request};
use crate::audiences::{Audience, AudiencePatch, AudienceSettings, NewAudience};
use crate::signing_keys::SigningAlgorithm;
use crate::{InactiveToken, IssueRequest, IssuedToken, Origin, RenewError};

pub(super) const PAGE: &str = "https://app.example.com";

pub(super) fn act() -> &'static Act {
    static ACT: LazyLock<Act> = LazyLock::new(Act::on_command_line);
    &ACT
}

pub(super) fn origin(client: &str) -> Origin {
    Origin {
        request_id: "req-2".to_owned(),
        client: client.parse().unwrap(),
    }
}

pub(super) fn text(token: &IssuedToken) -> &str {
    token.token().expose_secret()
}

/// Settings of an audience whose tokens pages renew.
pub(super) fn renewable(rule: &Value) -> AudienceSettings {
    serde_json::from_value(json!({ "authorized_origins": [PAGE], "renewal": rule })).unwrap()
}

impl App {
    /// An installation whose default audience has this renewal rule.
    pub(super) async fn renewing(database: storage::Database, rule: Value) -> Self {
        let app = Self::on(database).await;
        app.sets(&renewable(&rule)).await;
        app
    }

    /// Changes the settings of the default audience.
    pub(super) async fn sets(&self, settings: &AudienceSettings) {
        let patch = AudiencePatch {
            settings: settings.clone().into(),
            ..AudiencePatch::default()
        };
        self.patches(patch).await;
    }

    /// Changes the default audience.
    pub(super) async fn patches(&self, patch: AudiencePatch) {
        let (issuer, id) = (&self.services.issuer, self.default().await.id);
        let changed = issuer.update_audience(act(), self.organization.id, id, patch);
        changed.await.unwrap();
    }

    /// Makes an audience.
    pub(super) async fn makes(
        &self,
        name: &str,
        algorithm: SigningAlgorithm,
        settings: AudienceSettings,
    ) -> Audience {
        let new = NewAudience {
            name: AudienceName::parse(name).unwrap(),
            aud: None,
            algorithm,
            limits: AudienceLimits {
                default_ttl_seconds: 60,
                max_ttl_seconds: 900,
            },
            settings,
            secret: None,
        };
        let made = self
            .services
            .issuer
            .create_audience(act(), self.organization.id, new);
        made.await.unwrap()
    }

    pub(super) async fn has_policy(&self, policy: &Value) {
        let policy: PolicyDocument = serde_json::from_value(policy.clone()).unwrap();
        let replaced = self
            .services
            .policy
            .replace(act(), self.organization.id, None, policy);
        replaced.await.unwrap();
    }

    pub(super) async fn grants(&self, grant: GrantRequest) -> IssuedToken {
        let origin = origin("192.0.2.1");
        let request = IssueRequest { grant, origin };
        let issued = self.services.issuer.issue(&self.caller, request);
        issued.await.unwrap()
    }

    pub(super) async fn renews(&self, token: &str) -> Result<IssuedToken, RenewError> {
        self.renews_on(PAGE, token).await
    }

    pub(super) async fn renews_on(
        &self,
        page: &str,
        token: &str,
    ) -> Result<IssuedToken, RenewError> {
        let origin = origin("192.0.2.9");
        let services = &self.services;
        services.renew_session_token(token, page, &origin).await
    }

    pub(super) async fn events(&self, action: &str) -> Vec<Value> {
        let mut read = self.database.read_settled().await.unwrap();
        let sql = "select detail from audit_events where action = $1 order by id";
        let found = fetch_all!(read.conn(), (Json<Value>,), sql, action).unwrap();
        found.into_iter().map(|(Json(detail),)| detail).collect()
    }

    pub(super) async fn chain(&self) -> Vec<ChainRow> {
        let mut read = self.database.read_settled().await.unwrap();
        let sql = "select id, root_id, attributes, expires_at, ends_at, renewed_at, client_address, request_id
                   from sessions order by id";
        fetch_all!(read.conn(), ChainRow, sql).unwrap()
    }
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct ChainRow {
    id: SessionId,
    root_id: SessionId,
    attributes: Json<Value>,
    expires_at: Timestamp,
    ends_at: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
    client_address: String,
    request_id: String,
}

#[tokio::test]
async fn each_token_of_a_session_is_traded_for_the_next() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 3600 })).await;
        let first = app.issues("user-42").await.unwrap();
        app.clock.advance_seconds(600);
        let second = app.renews(text(&first)).await.unwrap();
        app.clock.advance_seconds(600);
        let third = app.renews(text(&second)).await.unwrap();

        let (before, after) = (claims_in(text(&first)), claims_in(text(&third)));
        for claim in [
            "iss",
            "aud",
            "sub",
            "client_id",
            "roles",
            "attributes",
            "resources",
            "scope",
        ] {
            assert_eq!(after[claim], before[claim], "{claim}");
        }
        assert_ne!(after["jti"], before["jti"]);
        assert_eq!(after["iat"], before["iat"].as_i64().unwrap() + 1200);
        assert_eq!(after["exp"], before["exp"].as_i64().unwrap() + 1200);
        let ends = first.claims().session_ends_at();
        assert_eq!(ends, Some(first.claims().issued_at().plus_seconds(3600)));
        assert_eq!(third.claims().session_ends_at(), ends);

        let rows: [ChainRow; 3] = app.chain().await.try_into().unwrap();
        let [one, two, three] = rows;
        assert_eq!(one.root_id, one.id);
        assert_eq!([two.root_id, three.root_id], [one.id; 2]);
        assert_eq!([one.ends_at, two.ends_at, three.ends_at], [ends; 3]);
        assert_eq!(one.renewed_at, Some(second.claims().issued_at()));
        assert_eq!(two.renewed_at, Some(third.claims().issued_at()));
        assert_eq!(three.renewed_at, None);
        assert_eq!(
            (three.client_address.as_str(), three.request_id.as_str()),
            ("192.0.2.9", "req-2")
        );
        assert_eq!(three.expires_at, third.claims().expires_at());
        check(&app, text(&third)).await.unwrap();
        assert_eq!(
            check(&app, text(&first)).await.unwrap_err(),
            InactiveToken::Expired
        );
        check(&app, text(&second)).await.unwrap();

        let usage = app.usage(app.caller.key_id()).await;
        assert_eq!(
            usage.tokens_issued.ever, 3,
            "renewals count for the key that began the session"
        );
        assert!(app.events("session_token.renew_again").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_attempts_at_once_one_succeeds_and_the_others_are_recorded() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::renewing(database, json!({ "session_seconds": 3600 })).await);
        let token = app.issues("user-42").await.unwrap();
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (app, token) = (app.clone(), text(&token).to_owned());
                tokio::spawn(async move { app.renews(&token).await })
            })
            .collect();
        let mut renewed = Vec::new();
        for attempt in attempts {
            match attempt.await.unwrap() {
                Ok(token) => renewed.push(token),
                Err(error) => assert!(matches!(error, RenewError::AlreadyRenewed), "{error:?}"),
            }
        }
        assert_eq!(renewed.len(), 1);
        assert_eq!(app.chain().await.len(), 2, "no row without its token");
        let again = app.renews(text(&token)).await.unwrap_err();
        assert!(matches!(again, RenewError::AlreadyRenewed), "{again:?}");
        let events = app.events("session_token.renew_again").await;
        assert_eq!(events.len(), 8);
        let session = json!(token.claims().session_id());
        assert_eq!(
            events[0],
            json!({ "session_id": session, "chain": session })
        );
        assert_eq!(app.usage(app.caller.key_id()).await.tokens_issued.ever, 2);
        app.renews(text(&renewed[0])).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_token_can_be_renewed_for_the_grace_after_its_end_and_no_longer() {
    on_both_engines(|database| async move {
        let rule = json!({ "session_seconds": 36000, "grace_seconds": 60 });
        let app = App::renewing(database, rule).await;
        let token = app.issues("user-42").await.unwrap();
        app.clock.advance_seconds(900 + 59);
        assert_eq!(
            check(&app, text(&token)).await.unwrap_err(),
            InactiveToken::Expired
        );
        let next = app.renews(text(&token)).await.unwrap();
        app.clock.advance_seconds(900 + 60);
        let late = app.renews(text(&next)).await.unwrap_err();
        assert!(
            matches!(late, RenewError::Token(InactiveToken::Expired)),
            "{late:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_that_was_left_alone_for_too_long_is_not_renewed() {
    on_both_engines(|database| async move {
        let rule = json!({ "session_seconds": 36000, "idle_seconds": 300 });
        let app = App::renewing(database, rule).await;
        let token = app.issues("user-42").await.unwrap();
        app.clock.advance_seconds(299);
        let next = app.renews(text(&token)).await.unwrap();
        app.clock.advance_seconds(300);
        let late = app.renews(text(&next)).await.unwrap_err();
        assert!(
            matches!(late, RenewError::Token(InactiveToken::Expired)),
            "{late:?}"
        );
        check(&app, text(&next)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_token_outlives_its_session() {
    on_both_engines(|database| async move {
        let rule = json!({ "session_seconds": 1000, "grace_seconds": 300 });
        let app = App::renewing(database, rule).await;
        let first = app.issues("user-42").await.unwrap();
        let ends = first.claims().issued_at().plus_seconds(1000);
        app.clock.advance_seconds(800);
        let shorter = app.renews(text(&first)).await.unwrap();
        assert_eq!(shorter.claims().expires_at(), ends);
        app.clock.advance_seconds(199);
        let last = app.renews(text(&shorter)).await.unwrap();
        assert_eq!(
            (last.claims().expires_at(), last.claims().lifetime_seconds()),
            (ends, 1)
        );
        app.clock.advance_seconds(1);
        let over = app.renews(text(&last)).await.unwrap_err();
        assert!(matches!(over, RenewError::SessionEnded), "{over:?}");
        app.clock.advance_seconds(1_000_000);
        let over = app.renews(text(&last)).await.unwrap_err();
        assert!(matches!(over, RenewError::SessionEnded), "{over:?}");

        // A token whose life is longer than its session ends with it, too.
        let rule = renewable(&json!({ "session_seconds": 60 }));
        app.sets(&rule).await;
        let short = app.issues("user-42").await.unwrap();
        app.clock.advance_seconds(61);
        let over = app.renews(text(&short)).await.unwrap_err();
        assert!(matches!(over, RenewError::SessionEnded), "{over:?}");
    })
    .await;
}

fn sensitive_policy() -> Value {
    json!({
        "roles": [{ "name": "viewer" }],
        "attributes": [
            { "name": "tenant_id", "type": "string", "sensitive": true },
            { "name": "regions", "type": "string", "list": true, "sensitive": true },
            { "name": "plan", "type": "string" },
        ],
    })
}

#[tokio::test]
async fn sensitive_values_come_from_the_token_and_are_stored_as_hashes_again() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 3600 })).await;
        app.has_policy(&sensitive_policy()).await;
        let attributes =
            json!({ "tenant_id": "tenant-canary", "regions": ["canary-1", "canary-2"], "plan": "pro" });
        let mut asked = request("user-42");
        asked.attributes = attributes.as_object().unwrap().clone();
        let first = app.grants(asked).await;
        let second = app.renews(text(&first)).await.unwrap();
        let third = app.renews(text(&second)).await.unwrap();
        assert_eq!(claims_in(text(&third))["attributes"], attributes);
        let rows = app.chain().await;
        assert_eq!(rows.len(), 3);
        for row in &rows {
            assert_eq!(row.attributes, rows[0].attributes);
            let stored = row.attributes.0.to_string();
            assert!(stored.contains("hmac") && !stored.contains("canary"), "{stored}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_of_a_template_is_renewed_if_its_values_can_be_had() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 3600 })).await;
        let mut settings = renewable(&json!({ "session_seconds": 3600 }));
        settings.claims.template =
            Some(json!({ "t": "{{ attributes.tenant_id }}", "r": "{{ roles }}" }));
        app.sets(&settings).await;
        let plain = app.issues("user-42").await.unwrap();
        let renewed = app.renews(text(&plain)).await.unwrap();
        let claims = claims_in(text(&renewed));
        assert_eq!(
            (&claims["t"], &claims["r"]),
            (&json!("t-1"), &json!(["viewer"]))
        );
        assert!(claims.get("attributes").is_none());

        app.has_policy(&sensitive_policy()).await;
        let secret = app.issues("user-42").await.unwrap();
        let refused = app.renews(text(&secret)).await.unwrap_err();
        assert!(matches!(refused, RenewError::NotRenewable), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_renewed_after_a_rotation_too() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for &algorithm in SigningAlgorithm::ALL {
            let name = algorithm.as_str().to_lowercase();
            let settings = renewable(&json!({ "session_seconds": 36000 }));
            let audience = app.makes(&name, algorithm, settings).await;
            let mut asked = request("user-42");
            asked.audience = name;
            app.clock
                .advance_seconds(crate::rings::JWKS_MAX_AGE_SECONDS.into());
            let first = app.grants(asked).await;
            let issuer = &app.services.issuer;
            let rotated = issuer.rotate_signing_key(act(), app.organization.id, audience.id);
            rotated.await.unwrap();
            let second = app.renews(text(&first)).await.unwrap();
            let kid = |token| jsonwebtoken::decode_header(text(token)).unwrap().kid;
            assert_ne!(kid(&first), kid(&second), "{algorithm}");
            check(&app, text(&second)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_is_not_renewed_and_teaches_nothing() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 3600 })).await;
        let token = app.issues("user-42").await.unwrap();
        let (signed, signature) = text(&token).rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let (key, head) = signer(&app).await;
        let kid = head.kid.unwrap();
        let ours = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#);
        let mut claims = claims_in(text(&token));
        claims["jti"] = json!(SessionId::first_at(super::NOW));
        let unknown = sign(&key, &ours, &claims.to_string());
        claims["jti"] = json!(token.claims().session_id());
        claims["roles"] = json!(["admin"]);
        let altered = format!("{header}.{}.{signature}", BASE64.encode(claims.to_string()));
        let none = BASE64.encode(ours.replace("ES256", "none"));

        // Another organization's key signs for this organization's session.
        let (globex, bob) = found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
        let theirs = super::caller(&app.services, &globex, bob).await;
        let theirs = app.services.authorizer.permit(theirs).unwrap();
        let foreign = app.issues_to(&theirs, "user-42").await.unwrap();
        let foreign_header = text(&foreign).split('.').next().unwrap();
        let foreign = format!("{foreign_header}.{payload}.{signature}");
        for forged in [
            "",
            "jtn_000000000000_x",
            "a.b.c",
            signed,
            &unknown,
            &altered,
            &format!("{none}.{payload}."),
            &foreign,
        ] {
            for page in [PAGE, "https://evil.example.com"] {
                let refused = app.renews_on(page, forged).await.unwrap_err();
                assert!(
                    matches!(refused, RenewError::Token(_)),
                    "{forged}: {refused:?}"
                );
            }
        }
        assert!(app.events("session_token.renew_again").await.is_empty());
        app.renews(text(&token)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_address_that_presents_too_much_that_is_no_token_has_to_wait() {
    on_both_engines(|database| async move {
        let app = App::renewing(database, json!({ "session_seconds": 36000 })).await;
        let mut token = app.issues("user-42").await.unwrap();
        // Success costs nothing, nor does a refusal of what is a token.
        for _ in 0..70 {
            assert!(
                app.renews_on("https://evil.example.com", text(&token))
                    .await
                    .is_err()
            );
            token = app.renews(text(&token)).await.unwrap();
        }
        for _ in 0..60 {
            let refused = app.renews("a.b.c").await.unwrap_err();
            assert!(matches!(refused, RenewError::Token(_)), "{refused:?}");
        }
        let limited = app.renews(text(&token)).await.unwrap_err();
        assert!(
            matches!(limited, RenewError::TooManyFailures(_)),
            "{limited:?}"
        );
        let elsewhere = origin("198.51.100.1");
        let services = &app.services;
        token = services
            .renew_session_token(text(&token), PAGE, &elsewhere)
            .await
            .unwrap();
        app.clock.advance_seconds(1);
        app.renews(text(&token)).await.unwrap();
    })
    .await;
}
