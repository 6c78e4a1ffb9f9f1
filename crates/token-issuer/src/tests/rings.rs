//! Audiences of every algorithm, and the life of their rings.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use key_admin::Act;
use key_admin::audit::{self, AuditFilter};
use policy::{AudienceLimits, AudienceName};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::on_both_engines;

use super::{App, request};
use crate::audiences::{
    Audience, AudienceError, AudiencePatch, AudienceSettings, MAX_TTL_SECONDS, NewAudience,
};
use crate::rings::JWKS_MAX_AGE_SECONDS;
use crate::signing_keys::{
    ImportedKey, KeepRingsError, KeyPair, KeyState, ROTATION_SECONDS, RingError, SigningAlgorithm,
};
use crate::{IssueError, IssueRequest, IssuedToken, Origin};

fn act() -> Act {
    Act::on_command_line()
}

impl App {
    async fn adds(&self, algorithm: SigningAlgorithm) -> Audience {
        let name = algorithm.as_str().to_lowercase();
        let new = NewAudience {
            name: AudienceName::parse(name).unwrap(),
            aud: None,
            algorithm,
            limits: AudienceLimits {
                default_ttl_seconds: 60,
                max_ttl_seconds: 900,
            },
            settings: AudienceSettings::default(),
            secret: None,
        };
        let issuer = &self.services.issuer;
        let act = act();
        let made = issuer.create_audience(&act, self.organization.id, new);
        made.await.unwrap()
    }

    async fn issues_for(&self, audience: &Audience) -> Result<IssuedToken, IssueError> {
        let mut grant = request("user-42");
        grant.audience = audience.name.to_string();
        let origin = Origin {
            request_id: "req-1".to_owned(),
            client: "192.0.2.1".parse().unwrap(),
        };
        let request = IssueRequest { grant, origin };
        self.services.issuer.issue(&self.caller, request).await
    }

    async fn jwks_of(&self, audience: &Audience) -> JwkSet {
        let slug = &self.organization.slug;
        let issuer = self.services.issuer.organization(slug).await.unwrap();
        let issuer = issuer.unwrap();
        serde_json::from_str(&issuer.value.jwks_of(audience.id).unwrap().body).unwrap()
    }

    async fn verifies(&self, audience: &Audience, token: &IssuedToken) -> bool {
        verifies(&self.jwks_of(audience).await, audience, token)
    }

    async fn rotates(&self, audience: &Audience) -> Result<(), RingError> {
        let issuer = &self.services.issuer;
        issuer
            .rotate_signing_key(&act(), self.organization.id, audience.id)
            .await
    }

    async fn states(&self, audience: &Audience) -> Vec<(String, KeyState)> {
        let issuer = &self.services.issuer;
        let keys = issuer.signing_keys(self.organization.id, audience.id);
        let keys = keys.await.unwrap().into_iter();
        keys.map(|key| (key.kid, key.state)).collect()
    }

    fn waits(&self, seconds: i64) {
        self.clock.advance_seconds(seconds);
    }
}

fn verifies(jwks: &JwkSet, audience: &Audience, token: &IssuedToken) -> bool {
    let text = token.token().expose_secret();
    let kid = jsonwebtoken::decode_header(text).unwrap().kid.unwrap();
    let Some(jwk) = jwks.find(&kid) else {
        return false;
    };
    let algorithm: Algorithm = audience.algorithm.as_str().parse().unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[&audience.aud]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(jwk).unwrap();
    jsonwebtoken::decode::<Value>(text, &key, &validation).is_ok()
}

/// A fresh private key, as its owner would hand it in.
fn imported(algorithm: SigningAlgorithm) -> ImportedKey {
    let private = KeyPair::generate(algorithm).unwrap();
    if algorithm.is_symmetric() {
        return ImportedKey::Secret(private);
    }
    let base64 = BASE64_STANDARD.encode(private.expose_secret());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    ImportedKey::Pem(pem.into())
}

#[tokio::test]
async fn tokens_of_every_algorithm_verify_with_the_keys_of_their_audience_alone() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for &algorithm in SigningAlgorithm::ALL {
            let audience = app.adds(algorithm).await;
            let token = app.issues_for(&audience).await.unwrap();
            let jwks = app.jwks_of(&audience).await;
            if algorithm.is_symmetric() {
                assert!(jwks.keys.is_empty());
                continue;
            }
            assert!(verifies(&jwks, &audience, &token), "{algorithm}");
            assert_eq!(jwks.keys.len(), 2);
            for key in &jwks.keys {
                let said = key.common.key_algorithm.unwrap();
                assert_eq!(said.to_string(), algorithm.as_str());
            }
        }
        let slug = &app.organization.slug;
        let issuer = app.services.issuer.organization(slug).await.unwrap();
        let issuer = issuer.unwrap();
        let all: JwkSet = serde_json::from_str(&issuer.value.jwks().body).unwrap();
        assert_eq!(
            all.keys.len(),
            2 * 6,
            "the default audience, five others, no secret"
        );
        assert!(!issuer.value.jwks().body.contains("\"oct\""));
    })
    .await;
}

#[tokio::test]
async fn a_rotation_is_noticed_by_nobody_who_verifies() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let audience = app.adds(SigningAlgorithm::Es256).await;
        let cached = app.jwks_of(&audience).await;
        let young = app.rotates(&audience).await;
        let wait = i64::from(JWKS_MAX_AGE_SECONDS);
        assert!(
            matches!(young, Err(RingError::NotPublishedLongEnough { seconds }) if seconds == wait),
            "{young:?}"
        );
        let before = app.issues_for(&audience).await.unwrap();
        app.waits(wait);
        app.rotates(&audience).await.unwrap();
        let after = app.issues_for(&audience).await.unwrap();
        for token in [&before, &after] {
            assert!(verifies(&cached, &audience, token), "kept for its max-age");
            assert!(app.verifies(&audience, token).await);
        }
        let states: Vec<_> = app.states(&audience).await;
        let states: Vec<_> = states.iter().map(|(_, state)| *state).collect();
        assert_eq!(
            states,
            [KeyState::Active, KeyState::Next, KeyState::Previous]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_rotations_at_once_one_happens() {
    on_both_engines(|database| async move {
        let app = std::sync::Arc::new(App::on(database).await);
        let audience = app.adds(SigningAlgorithm::EdDsa).await;
        app.waits(JWKS_MAX_AGE_SECONDS.into());
        let work: Vec<_> = (0..16)
            .map(|_| {
                let (app, audience) = (app.clone(), audience.clone());
                tokio::spawn(async move { app.rotates(&audience).await })
            })
            .collect();
        let mut done = 0;
        for rotation in work {
            match rotation.await.unwrap() {
                Ok(()) => done += 1,
                Err(RingError::NotPublishedLongEnough { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(done, 1);
        assert_eq!(app.states(&audience).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_retired_key_verifies_nothing_and_the_next_signs() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let audience = app.adds(SigningAlgorithm::Es256).await;
        let leaked = app.issues_for(&audience).await.unwrap();
        let [(active, _), (next, _)] = app.states(&audience).await.try_into().unwrap();
        let issuer = &app.services.issuer;
        let retire = async |kid: &str| {
            let (organization, audience) = (app.organization.id, audience.id);
            issuer
                .retire_signing_key(&act(), organization, audience, kid)
                .await
        };
        retire(&active).await.unwrap();
        assert!(!app.verifies(&audience, &leaked).await);
        let fresh = app.issues_for(&audience).await.unwrap();
        assert!(app.verifies(&audience, &fresh).await);
        let states = app.states(&audience).await;
        assert_eq!(states[0], (next.clone(), KeyState::Active));
        for gone in [active.as_str(), "nothing"] {
            assert!(matches!(retire(gone).await, Err(RingError::NoSuchKey)));
        }
        let next = states[1].0.clone();
        retire(&next).await.unwrap();
        let states = app.states(&audience).await;
        assert!(states.len() == 2 && states.iter().all(|(kid, _)| *kid != next));
    })
    .await;
}

#[tokio::test]
async fn rings_rotate_by_themselves_and_forget_keys_whose_tokens_have_ended() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let audience = app.adds(SigningAlgorithm::Es256).await;
        let issuer = &app.services.issuer;
        app.waits(ROTATION_SECONDS - 1);
        issuer.keep_rings().await.unwrap();
        assert_eq!(app.states(&audience).await.len(), 2);
        app.waits(2);
        issuer.keep_rings().await.unwrap();
        issuer.keep_rings().await.unwrap();
        let rotated = app.states(&audience).await;
        assert_eq!(rotated.len(), 3, "once, and the key that signed stays");
        app.waits(i64::from(MAX_TTL_SECONDS) + 61);
        issuer.keep_rings().await.unwrap();
        assert_eq!(app.states(&audience).await, rotated[..2]);

        let filter = AuditFilter {
            target_id: Some(audience.id.to_string()),
            ..AuditFilter::default()
        };
        let (database, organization) = (&app.database, app.organization.id);
        let events = audit::list(database, organization, &filter, None, 10).await;
        let events: Vec<_> = events
            .unwrap()
            .into_iter()
            .map(|it| (it.action, it.actor_kind))
            .collect();
        let event = |action: &str, actor: &str| (action.to_owned(), actor.to_owned());
        assert_eq!(
            events,
            [
                event("signing_key.retire", "server"),
                event("signing_key.rotate", "server"),
                event("audience.create", "command_line"),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_ring_that_fails_keeps_no_other_from_its_turn() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let broken = app.adds(SigningAlgorithm::Es256).await;
        let others = [
            app.default().await,
            app.adds(SigningAlgorithm::EdDsa).await,
            app.adds(SigningAlgorithm::Ps256).await,
        ];
        let mut tx = app.database.write().await.unwrap();
        let sql = "update audiences set name = 'No Name' where id = $1";
        storage::execute!(tx.conn(), sql, broken.id).unwrap();
        tx.commit().await.unwrap();
        app.waits(ROTATION_SECONDS + 1);
        let kept = app.services.issuer.keep_rings().await;
        assert!(
            matches!(kept, Err(KeepRingsError::Rings { failed: 1 })),
            "{kept:?}"
        );
        for audience in &others {
            assert_eq!(app.states(audience).await.len(), 3, "{}", audience.name);
        }
    })
    .await;
}

#[tokio::test]
async fn an_imported_key_signs_after_a_rotation_and_a_shared_secret_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let issuer = &app.services.issuer;
        for &algorithm in SigningAlgorithm::ALL {
            let audience = app.adds(algorithm).await;
            let import = async |private: ImportedKey| {
                let (organization, audience) = (app.organization.id, audience.id);
                issuer
                    .import_signing_key(&act(), organization, audience, private)
                    .await
            };
            let private = imported(algorithm);
            let kid = import(private.clone()).await.unwrap().kid;
            let place = usize::from(!algorithm.is_symmetric());
            assert_eq!(app.states(&audience).await[place].0, kid, "{algorithm}");
            if algorithm.is_symmetric() {
                continue;
            }
            assert!(matches!(import(private).await, Err(RingError::Exists)));
            app.waits(JWKS_MAX_AGE_SECONDS.into());
            app.rotates(&audience).await.unwrap();
            let token = app.issues_for(&audience).await.unwrap();
            assert!(app.verifies(&audience, &token).await, "{algorithm}");
            let junk = ImportedKey::Secret(vec![0; 32].into());
            assert!(matches!(import(junk).await, Err(RingError::Unusable(_))));
        }
    })
    .await;
}

#[tokio::test]
async fn an_audience_that_is_removed_verifies_nothing_and_frees_its_name() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (issuer, organization) = (&app.services.issuer, app.organization.id);
        let audience = app.adds(SigningAlgorithm::Es256).await;
        let token = app.issues_for(&audience).await.unwrap();
        issuer
            .delete_audience(&act(), organization, audience.id)
            .await
            .unwrap();
        assert!(matches!(
            app.issues_for(&audience).await,
            Err(IssueError::Refused(_))
        ));
        let again = app.adds(SigningAlgorithm::Es256).await;
        assert!(!app.verifies(&again, &token).await);
        for (id, expected) in [
            (audience.id, "there is no such audience"),
            (app.default().await.id, "the audience `default` stays"),
        ] {
            let refused = issuer.delete_audience(&act(), organization, id).await;
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn what_an_audience_cannot_be_changes_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (issuer, organization) = (&app.services.issuer, app.organization.id);
        let before = app.adds(SigningAlgorithm::Es256).await;
        let limits = |least, most| AudiencePatch {
            default_ttl_seconds: Some(least),
            max_ttl_seconds: Some(most),
            ..AudiencePatch::default()
        };
        let named = |aud: &str| AudiencePatch {
            aud: Some(aud.to_owned()),
            ..AudiencePatch::default()
        };
        let settings: AudienceSettings =
            serde_json::from_value(json!({ "max_token_bytes": 1 })).unwrap();
        let settings = AudiencePatch {
            settings: settings.into(),
            ..AudiencePatch::default()
        };
        for bad in [
            limits(0, 60),
            limits(61, 60),
            limits(60, MAX_TTL_SECONDS + 1),
            named(""),
            named("a\nb"),
            settings,
        ] {
            let refused = issuer
                .update_audience(&act(), organization, before.id, bad)
                .await;
            assert!(
                !matches!(refused, Ok(_) | Err(AudienceError::NotFound)),
                "{refused:?}"
            );
        }
        let now = issuer.audience(organization, before.id).await.unwrap();
        assert_eq!(
            (now.aud, now.limits, now.settings),
            (before.aud, before.limits, before.settings)
        );
        let renamed = issuer
            .update_audience(
                &act(),
                organization,
                before.id,
                named("https://app.example.com"),
            )
            .await;
        assert_eq!(renamed.unwrap().aud, "https://app.example.com");
    })
    .await;
}
