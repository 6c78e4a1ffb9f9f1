//! Tokens in the form that their audience's settings ask for.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use policy::{GrantRequest, Resource};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use storage::fetch_one;
use storage::testing::on_both_engines;

use super::checking::{check, claims_in};
use super::issuing::refuse;
use super::renewing::{act, origin, text};
use super::{App, request};
use crate::audiences::{Audience, AudienceSettings, TokenType};
use crate::rings::JWKS_MAX_AGE_SECONDS;
use crate::sessions::RecordError;
use crate::signing_keys::{ImportedKey, SigningAlgorithm};
use crate::templates::{Given, IssuerClaim, KeyIdRule, PRESETS, Preset};
use crate::{ClaimsError, IssueError, IssueRequest, IssuedToken};

const USER: &str = "0190163d-8694-739b-aea5-966c26f8ad91";
const SECRET: &[u8] = b"a shared secret of at least 32 bytes";

fn policy() -> Value {
    let rule = |table: &str| {
        json!({
            "name": table, "table": table, "roles": ["viewer"],
            "where": { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" },
        })
    };
    json!({
        "roles": [{ "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] }],
        "attributes": [
            { "name": "tenant_id", "type": "string", "required": true },
            { "name": "regions", "type": "string", "list": true },
            { "name": "workspace_id", "type": "string" },
        ],
        "row_rules": [rule("orders"), rule("customers")],
    })
}

/// The settings that a preset stands for.
fn preset(preset: &Preset) -> AudienceSettings {
    let mut settings = AudienceSettings::default();
    let claims = &mut settings.claims;
    claims.template = Some(preset.template_json());
    claims.registered = preset.registered.clone();
    if preset.given.contains(&Given::Issuer) {
        claims.registered.issuer = IssuerClaim::Given("client-1".into());
    }
    claims.typ = match preset.header.typ {
        "JWT" => TokenType::Jwt,
        _ => TokenType::AccessToken,
    };
    if preset.header.key_id == KeyIdRule::Given {
        claims.key_id = Some("given-1".to_owned());
    }
    claims.issuer_in_header = preset.header.repeats_issuer;
    let datasets = [
        ("orders", Some(41)),
        ("customers", None),
        ("other", Some(43)),
    ];
    claims.superset_datasets = datasets.map(|(table, id)| (table.to_owned(), id)).into();
    settings
}

/// What a preset's template makes of the request.
fn expected(name: &str, jti: &Value) -> Value {
    let attributes = json!({ "tenant_id": "t-1", "regions": ["eu", "us"] });
    match name {
        "standard" => json!({
            "roles": ["viewer"], "attributes": attributes, "resources": [{ "type": "dashboard", "id": "17" }],
            "scope": "dashboard:view",
        }),
        "postgrest" => {
            json!({ "role": "viewer", "attributes": attributes, "scope": "dashboard:view" })
        }
        "supabase" => json!({
            "role": "authenticated", "session_id": jti, "aal": "aal1", "is_anonymous": false,
            "app_metadata": { "roles": ["viewer"], "attributes": attributes },
        }),
        "hasura" => json!({
            "https://hasura.io/jwt/claims": {
                "x-hasura-default-role": "viewer", "x-hasura-allowed-roles": ["viewer"], "x-hasura-user-id": USER,
                "x-hasura-tenant-id": "t-1", "x-hasura-regions": "{\"eu\",\"us\"}",
            },
        }),
        "cube" => json!({ "tenant_id": "t-1", "groups": ["viewer"] }),
        "superset-guest" => json!({
            "type": "guest", "user": { "username": USER }, "resources": [{ "type": "dashboard", "id": "17" }],
            "rls_rules": [
                { "dataset": 41, "clause": "tenant_id = 't-1'" }, { "dataset": 43, "clause": "1 = 0" },
            ],
        }),
        "metabase" => json!({ "resource": { "dashboard": 17 }, "params": { "tenant_id": "t-1" } }),
        "clickhouse" => json!({ "clickhouse:roles": ["viewer"], "clickhouse:grants": [] }),
        "tableau" => json!({ "scp": ["tableau:views:embed"], "tenant_id": "t-1" }),
        other => panic!("{other}"),
    }
}

fn asked(audience: &str) -> GrantRequest {
    GrantRequest {
        audience: audience.to_owned(),
        ttl_seconds: Some(300),
        resources: vec![Resource {
            kind: "dashboard".to_owned(),
            id: "17".to_owned(),
        }],
        ..request(USER)
    }
}

fn header(token: &IssuedToken) -> Value {
    let header = text(token).split('.').next().unwrap();
    serde_json::from_slice(&BASE64.decode(header).unwrap()).unwrap()
}

impl App {
    async fn asks(&self, grant: GrantRequest) -> Result<IssuedToken, IssueError> {
        let origin = origin("192.0.2.1");
        let request = IssueRequest { grant, origin };
        self.services.issuer.issue(&self.caller, request).await
    }

    /// Gives a symmetric ring a secret that the test knows.
    async fn shares_secret(&self, audience: &Audience) {
        let (issuer, secret) = (&self.services.issuer, SecretSlice::from(SECRET.to_vec()));
        let imported = issuer.import_signing_key(
            act(),
            self.organization.id,
            audience.id,
            ImportedKey::Secret(secret),
        );
        imported.await.unwrap();
    }

    /// Does the token verify with what its consumer has: the JWKS, or the secret?
    async fn is_verified(&self, audience: &Audience, token: &IssuedToken) -> bool {
        let key = if audience.algorithm.is_symmetric() {
            DecodingKey::from_secret(SECRET)
        } else {
            let slug = &self.organization.slug;
            let issuer = self.services.issuer.organization(slug).await.unwrap();
            let jwks = issuer.unwrap().value.jwks_of(audience.id).unwrap().clone();
            let jwks: JwkSet = serde_json::from_str(&jwks.body).unwrap();
            let kid = header(token)["kid"].as_str().unwrap().to_owned();
            DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap()
        };
        let mut validation = Validation::new(audience.algorithm.into());
        validation.set_audience(&[&audience.aud]);
        // The test's clock stands still.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Value>(text(token), &key, &validation).is_ok()
    }

    async fn count_sessions(&self) -> i64 {
        let mut read = self.database.read_settled().await.unwrap();
        let sql = "select count(*) from sessions";
        fetch_one!(read.conn(), (i64,), sql).unwrap().0
    }
}

#[tokio::test]
async fn every_presets_tokens_have_its_form_and_are_known_again() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.has_policy(&policy()).await;
        // Toucan's has an attribute that no other has; the end-to-end tests show it to its consumer.
        for it in PRESETS.iter().filter(|it| it.name != "toucan-embed") {
            let algorithm = SigningAlgorithm::parse(&format!("{:?}", it.algorithms[0])).unwrap();
            let audience = app.makes(it.name, algorithm, preset(it)).await;
            if algorithm.is_symmetric() {
                app.shares_secret(&audience).await;
            }
            let token = app.grants(asked(it.name)).await;
            assert!(app.is_verified(&audience, &token).await, "{}", it.name);
            let mut claims = claims_in(text(&token));
            let jti = claims["jti"].clone();
            let wanted = expected(it.name, &jti);
            let members = claims.as_object_mut().unwrap();
            let given = it.given.contains(&Given::Issuer);
            let issuer = if given {
                "client-1"
            } else {
                "https://tokens.example.com/orgs/acme"
            };
            assert_eq!(members["iss"], issuer);
            assert_eq!(members.get("client_id").is_some(), it.registered.client_id);
            assert_eq!(members.get("nbf").is_some(), it.registered.not_before);
            let registered = ["iss", "aud", "sub", "client_id", "jti", "iat", "nbf", "exp"];
            members.retain(|name, _| !registered.contains(&name.as_str()));
            assert_eq!(claims, wanted, "{}", it.name);

            let head = header(&token);
            assert_eq!(head["typ"], it.header.typ);
            assert_eq!(head.get("iss").is_some(), it.header.repeats_issuer);
            assert_eq!(
                head["kid"] == "given-1",
                it.header.key_id == KeyIdRule::Given
            );

            let checked = check(&app, text(&token)).await.unwrap();
            assert_eq!(
                (checked.session.subject.as_str(), checked.audience.as_str()),
                (USER, it.name)
            );
            assert_eq!(checked.roles, ["viewer"]);
            assert_eq!(
                Value::from(checked.attributes),
                json!({ "tenant_id": "t-1", "regions": ["eu", "us"] })
            );
            assert_eq!(checked.resources.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn keys_of_one_given_name_verify_the_tokens_of_each() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Hs256] {
            let name = algorithm.as_str().to_lowercase();
            let mut settings = AudienceSettings::default();
            settings.claims.key_id = Some("given-1".to_owned());
            let audience = app.makes(&name, algorithm, settings).await;
            let long = || GrantRequest {
                ttl_seconds: Some(900),
                ..asked(&name)
            };
            let mut tokens = vec![app.grants(long()).await];
            for _ in 0..2 {
                app.clock.advance_seconds(JWKS_MAX_AGE_SECONDS.into());
                let issuer = &app.services.issuer;
                let rotated = issuer.rotate_signing_key(act(), app.organization.id, audience.id);
                rotated.await.unwrap();
                tokens.push(app.grants(long()).await);
            }
            let mut signers = std::collections::BTreeSet::new();
            for token in &tokens {
                assert_eq!(header(token)["kid"], "given-1");
                signers.insert(check(&app, text(token)).await.unwrap().session.kid);
            }
            assert_eq!(signers.len(), 3, "{algorithm}");
            assert!(!signers.contains("given-1"));
        }
    })
    .await;
}

#[tokio::test]
async fn issuer_subject_and_header_are_what_the_consumer_gave() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let mut settings: AudienceSettings = serde_json::from_value(json!({
            "claims": {
                "registered": {
                    "issuer": { "given": "client-7" }, "subject": { "given": "embedder" },
                    "client_id": false, "not_before": false,
                },
                "typ": "JWT", "key_id": "secret-7", "issuer_in_header": true,
                "template": { "user": "{{ user.id }}" },
            },
        }))
        .unwrap();
        app.makes("app", SigningAlgorithm::Hs256, settings.clone())
            .await;
        let token = app.grants(asked("app")).await;
        let head = json!({ "alg": "HS256", "typ": "JWT", "kid": "secret-7", "iss": "client-7" });
        assert_eq!(header(&token), head);
        let claims = claims_in(text(&token));
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["user"]),
            (&json!("client-7"), &json!("embedder"), &json!(USER))
        );
        check(&app, text(&token)).await.unwrap();

        // Without a template, the form is Jeton's own, with these registered claims.
        settings.claims.template = None;
        app.makes("own", SigningAlgorithm::EdDsa, settings).await;
        let token = app.grants(asked("own")).await;
        let claims = claims_in(text(&token));
        assert_eq!(claims["attributes"]["tenant_id"], "t-1");
        assert_eq!((claims.get("client_id"), claims.get("nbf")), (None, None));
        check(&app, text(&token)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_audience_says_how_long_a_token_may_be() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let sized = |bytes| AudienceSettings {
            max_token_bytes: bytes,
            ..AudienceSettings::default()
        };
        let bytes = app.grants(asked("default")).await.claims().token_bytes();
        let exact = u32::try_from(bytes).unwrap();
        // With a name as long as `default`, tokens are of one length.
        app.makes("tooless", SigningAlgorithm::Es256, sized(exact - 1))
            .await;
        app.makes("justfit", SigningAlgorithm::Es256, sized(exact))
            .await;
        app.makes("plentys", SigningAlgorithm::Es256, sized(exact * 2))
            .await;
        let refused = app.asks(asked("tooless")).await.unwrap_err();
        let IssueError::Claims(error @ ClaimsError::TooLarge(sizes)) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!((sizes.bytes, sizes.allowed), (bytes, bytes - 1));
        assert_eq!(error.refusal().unwrap().0, "token_too_large");
        let events = app.events("session_token.refuse").await;
        assert_eq!(events[0]["reasons"][0]["code"], "token_too_large");

        let fits = app.grants(asked("justfit")).await;
        assert_eq!(text(&fits).len(), bytes);
        assert_eq!(fits.claims().budget_in_sight(), Some(bytes));
        check(&app, text(&fits)).await.unwrap();
        assert_eq!(
            app.grants(asked("plentys"))
                .await
                .claims()
                .budget_in_sight(),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_template_that_lacks_something_refuses_and_leaves_an_event() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.has_policy(&policy()).await;
        let mut settings = AudienceSettings::default();
        settings.claims.template = Some(json!({ "workspace": "{{ attributes.workspace_id }}" }));
        app.makes("app", SigningAlgorithm::Es256, settings).await;
        let refused = app.asks(asked("app")).await.unwrap_err();
        let IssueError::Claims(error @ ClaimsError::Template(_)) = &refused else {
            panic!("{refused:?}")
        };
        let (code, detail) = error.refusal().unwrap();
        assert_eq!(code, "claim_template_refused");
        assert!(
            detail.contains("workspace_id") && !detail.contains("t-1"),
            "{detail}"
        );
        let preview = app.services.issuer.preview(&app.caller, asked("app")).await;
        assert!(matches!(
            preview,
            Err(IssueError::Claims(ClaimsError::Template(_)))
        ));
        assert_eq!(app.count_sessions().await, 0);
        let events = app.events("session_token.refuse").await;
        assert_eq!(events.len(), 1, "a preview leaves none");
        assert_eq!(events[0]["reasons"][0]["code"], "claim_template_refused");

        let mut grant = asked("app");
        grant
            .attributes
            .insert("workspace_id".to_owned(), json!("w-1"));
        assert_eq!(
            claims_in(text(&app.grants(grant).await))["workspace"],
            "w-1"
        );
    })
    .await;
}

#[tokio::test]
async fn no_superset_dataset_goes_without_its_filter() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.has_policy(&policy()).await;
        let guest = |datasets: Value| {
            let mut settings = preset(Preset::named("superset-guest").unwrap());
            settings.claims.superset_datasets = serde_json::from_value(datasets).unwrap();
            settings
        };
        let algorithm = SigningAlgorithm::Hs256;
        let all = json!({ "orders": 41, "customers": 42, "other": 43 });
        app.makes("all", algorithm, guest(all)).await;
        app.makes("one", algorithm, guest(json!({ "orders": 41, "customers": null }))).await;
        let tenant = "tenant_id = 't-1'";
        let rules = |claims: Value| claims["rls_rules"].clone();
        assert_eq!(rules(claims_in(text(&app.grants(asked("all")).await))), json!([
            { "dataset": 42, "clause": tenant }, { "dataset": 41, "clause": tenant }, { "dataset": 43, "clause": "1 = 0" },
        ]));
        let one = json!([{ "dataset": 41, "clause": tenant }]);
        assert_eq!(rules(claims_in(text(&app.grants(asked("one")).await))), one);
        for (name, unmapped) in [
            ("unmapped", json!({ "orders": 41 })),
            ("nothing", json!({})),
            ("only-nulls", json!({ "orders": null, "customers": null })),
        ] {
            app.makes(name, algorithm, guest(unmapped)).await;
            let refused = app.asks(asked(name)).await.unwrap_err();
            let template = matches!(&refused, IssueError::Claims(ClaimsError::Template(_)));
            assert!(template, "{name}: {refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_recorded_as_a_whole_or_not_at_all() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issuer = &app.services.issuer;
        let batch = |subjects: &[&str]| subjects.iter().map(|it| request(it)).collect::<Vec<_>>();
        let origin = origin("192.0.2.1");
        let issued = issuer.issue_batch(&app.caller, batch(&["a", "", "c"]), &origin);
        let issued = issued.await.unwrap();
        let subjects: Vec<_> = issued
            .iter()
            .map(|it| it.as_ref().ok().map(|it| it.claims().subject()))
            .collect();
        assert_eq!(subjects, [Some("a"), None, Some("c")]);
        assert!(matches!(issued[1], Err(IssueError::Refused(_))));
        assert_eq!(app.events("session_token.refuse").await.len(), 1);
        for token in issued.iter().flatten() {
            check(&app, text(token)).await.unwrap();
        }
        assert_eq!(app.count_sessions().await, 2);
        assert_eq!(app.usage(app.caller.key_id()).await.tokens_issued.ever, 2);

        refuse(&app.database, "poison").await;
        let none = issuer
            .issue_batch(&app.caller, batch(&["d", "poison", "e"]), &origin)
            .await;
        assert!(
            matches!(none, Err(IssueError::Record(RecordError::Refused))),
            "{none:?}"
        );
        assert_eq!(app.count_sessions().await, 2);
        assert_eq!(app.usage(app.caller.key_id()).await.tokens_issued.ever, 2);
    })
    .await;
}
