//! Editing, switching and removing keys by people; limits, events and isolation.

use ipnet::IpNet;
use serde_json::{Value, json};
use sqlx::types::Json;
use storage::testing::on_both_engines;
use storage::{Clock, Timestamp, execute};

use crate::api_keys::InvalidKey;
use crate::audit::{self, AuditEvent, AuditFilter};
use crate::rate_limit::RateLimit;
use crate::testing::{App, act, add_organization};
use crate::{
    ApiKeyId, ApiKeyPatch, Asker, AuthenticateError, ChangeKeyError, CreateKeyError, Edit,
    KeyAdminSettings, KeyCeiling, KeyState, NewApiKey, OrganizationPatch, Permission,
};
use crate::{IssuedTokens, KeyRevocation};

fn expiry(at: Option<Timestamp>) -> ApiKeyPatch {
    ApiKeyPatch {
        expires_at: Edit::Set(at),
        ..ApiKeyPatch::default()
    }
}

fn renamed(name: &str) -> ApiKeyPatch {
    ApiKeyPatch {
        name: Edit::Set(name.to_owned()),
        ..ApiKeyPatch::default()
    }
}

impl App {
    async fn updates(&self, id: ApiKeyId, patch: ApiKeyPatch) -> Result<(), ChangeKeyError> {
        let keys = &self.node.keys;
        let updated = keys.update_key(act(), Asker::Machine, self.organization, id, patch);
        let updated = updated.await?;
        let read = keys.get_key(self.organization, id).await?.unwrap();
        assert_eq!(read.key, updated);
        Ok(())
    }

    async fn events(&self, id: ApiKeyId) -> Vec<AuditEvent> {
        let filter = AuditFilter {
            target_id: Some(id.to_string()),
            ..AuditFilter::default()
        };
        audit::list(&self.database, self.organization, &filter, None, 100)
            .await
            .unwrap()
    }

    async fn limits_lifetime(&self, seconds: u32) {
        let patch = OrganizationPatch {
            max_key_lifetime_seconds: Edit::Set(Some(seconds)),
            ..OrganizationPatch::default()
        };
        let keys = &self.node.keys;
        keys.update_organization(act(), self.organization, patch)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_field_can_be_edited_and_taken_back() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let made = app.creates_key("ci").await.key;
        let patch = ApiKeyPatch {
            name: Edit::Set(" Été ".to_owned()),
            permissions: Edit::Set(vec![Permission::KeysRead]),
            ceiling: Edit::Set(KeyCeiling {
                max_ttl_seconds: Some(60),
                ..KeyCeiling::default()
            }),
            expires_at: Edit::Set(Some(app.clock.now().plus_seconds(60))),
            allowed_networks: Edit::Set(vec!["10.0.0.0/8".parse().unwrap()]),
            rate_limit: Edit::Set(Some(RateLimit {
                per_minute: 1,
                burst: 1,
            })),
        };
        app.updates(made.id, patch).await.unwrap();
        let edited = app.node.keys.get_key(app.organization, made.id).await;
        let edited = edited.unwrap().unwrap().key;
        assert_eq!(edited.name, "Été");
        assert_eq!(edited.permissions, [Permission::KeysRead]);
        assert!(edited.rate_limit.is_some() && edited.expires_at.is_some());

        let back = ApiKeyPatch {
            name: Edit::Set(made.name.clone()),
            permissions: Edit::Set(made.permissions.clone()),
            ceiling: Edit::Set(made.ceiling.clone()),
            expires_at: Edit::Set(None),
            allowed_networks: Edit::Set(Vec::new()),
            rate_limit: Edit::Set(None),
        };
        app.updates(made.id, back).await.unwrap();
        assert_eq!(app.lists().await[0].key, made);
    })
    .await;
}

#[tokio::test]
async fn a_key_from_before_networks_were_bounded_can_be_edited() {
    on_both_engines(|database| async move {
        let app = App::on(database.clone()).await;
        let id = app.creates_key("ci").await.key.id;
        let networks = (0..101).map(|number| format!("10.0.{number}.0/24").parse().unwrap());
        let networks: Vec<IpNet> = networks.collect();
        let mut tx = database.write().await.unwrap();
        let sql = "update api_keys set allowed_networks = $2 where id = $1";
        execute!(tx.conn(), sql, id.as_str(), Json(&networks)).unwrap();
        tx.commit().await.unwrap();

        app.updates(id, renamed("renamed")).await.unwrap();
        let edited = app.node.keys.get_key(app.organization, id).await;
        let edited = edited.unwrap().unwrap().key;
        assert_eq!(edited.name, "renamed");
        assert_eq!(edited.allowed_networks, networks);
        let same = ApiKeyPatch {
            allowed_networks: Edit::Set(networks),
            ..ApiKeyPatch::default()
        };
        let refused = app.updates(id, same).await.unwrap_err();
        assert!(matches!(
            refused,
            ChangeKeyError::Invalid(InvalidKey::TooManyNetworks)
        ));
    })
    .await;
}

#[tokio::test]
async fn an_edit_obeys_the_rules_of_creation() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let id = app.creates_key("ci").await.key.id;
        let refused = app.updates(id, renamed(" ")).await.unwrap_err();
        assert!(matches!(refused, ChangeKeyError::Invalid(InvalidKey::Name)));
        let now = expiry(Some(app.clock.now()));
        let refused = app.updates(id, now).await.unwrap_err();
        assert!(matches!(
            refused,
            ChangeKeyError::Invalid(InvalidKey::ExpiryInThePast)
        ));
        assert_eq!(app.events(id).await.len(), 1, "only its creation");
    })
    .await;
}

#[tokio::test]
async fn no_key_outlives_the_organizations_maximum() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let endless = app.creates_key("made before there was a maximum").await.key;
        app.limits_lifetime(100).await;
        let now = app.clock.now();
        for expires_at in [None, Some(now.plus_seconds(101))] {
            let new = NewApiKey {
                expires_at,
                ..app.new_key("too long")
            };
            let refused = app.node.keys.create_key(act(), Asker::Machine, new).await;
            assert!(
                matches!(
                    refused,
                    Err(CreateKeyError::Invalid(InvalidKey::LifetimeTooLong {
                        max_seconds: 100
                    }))
                ),
                "{refused:?}"
            );
        }
        let new = NewApiKey {
            expires_at: Some(now.plus_seconds(100)),
            ..app.new_key("just right")
        };
        let id = app.creates(new).await.key.id;
        app.clock.advance_seconds(50);
        for later in [None, Some(now.plus_seconds(101))] {
            let refused = app.updates(id, expiry(later)).await.unwrap_err();
            assert!(
                matches!(
                    refused,
                    ChangeKeyError::Invalid(InvalidKey::LifetimeTooLong { .. })
                ),
                "the life counts from the creation: {refused}"
            );
        }
        app.updates(id, expiry(Some(now.plus_seconds(99))))
            .await
            .unwrap();
        app.updates(endless.id, renamed("still editable"))
            .await
            .unwrap();
        let rotate = async |id| {
            let keys = &app.node.keys;
            keys.rotate_key(act(), Asker::Machine, app.organization, id, 0)
                .await
        };
        let refused = rotate(endless.id).await;
        assert!(
            matches!(
                refused,
                Err(ChangeKeyError::Invalid(InvalidKey::LifetimeTooLong { .. }))
            ),
            "{refused:?}"
        );
        rotate(id).await.unwrap();
        app.updates(endless.id, expiry(Some(now.plus_seconds(100))))
            .await
            .unwrap();
        rotate(endless.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn off_and_on_again() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let (keys, organization, id) = (&app.node.keys, app.organization, key.key.id);
        app.clock.advance_seconds(1);
        let off = keys
            .disable_key(act(), Asker::Machine, organization, id)
            .await
            .unwrap();
        assert_eq!(off.state(app.clock.now()), KeyState::Disabled);
        app.clock.advance_seconds(1);
        let again = keys
            .disable_key(act(), Asker::Machine, organization, id)
            .await
            .unwrap();
        assert_eq!(again, off, "it is off already");
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::KeyDisabled), "{told:?}");

        for _ in 0..2 {
            app.clock.advance_seconds(1);
            let on = keys
                .enable_key(act(), Asker::Machine, organization, id)
                .await;
            assert_eq!(on.unwrap(), key.key);
            app.authenticates(&key).await.unwrap();
        }
        let actions: Vec<_> = app.events(id).await.into_iter().map(|e| e.action).collect();
        assert_eq!(
            actions,
            [
                "api_key.enable",
                "api_key.refuse",
                "api_key.disable",
                "api_key.create"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_gone_for_good_and_keeps_its_first_reason() {
    on_both_engines(|database| async move {
        let settings = KeyAdminSettings {
            max_live_keys_per_owner: 1,
            ..KeyAdminSettings::default()
        };
        let app = App::with(database, settings).await;
        let key = app.creates_key("ci").await;
        let (keys, organization, id) = (&app.node.keys, app.organization, key.key.id);
        let revoke = async |reason| {
            let revocation = KeyRevocation {
                reason,
                ..KeyRevocation::default()
            };
            keys.revoke_key(act(), Asker::Machine, organization, id, revocation)
                .await
        };
        let long = "x".repeat(501);
        for bad in ["a\nb", &long] {
            let refused = revoke(Some(bad)).await.unwrap_err();
            assert!(matches!(
                refused,
                ChangeKeyError::Invalid(InvalidKey::Reason)
            ));
        }
        let revoked = revoke(Some(" leaked ")).await.unwrap();
        assert_eq!(revoked.revoked_reason.as_deref(), Some("leaked"));
        app.clock.advance_seconds(1);
        assert_eq!(revoke(Some("other")).await.unwrap(), revoked);
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::KeyRevoked), "{told:?}");

        for refused in [
            app.updates(id, renamed("other")).await.unwrap_err(),
            keys.disable_key(act(), Asker::Machine, organization, id)
                .await
                .unwrap_err(),
            keys.enable_key(act(), Asker::Machine, organization, id)
                .await
                .unwrap_err(),
            keys.rotate_key(act(), Asker::Machine, organization, id, 0)
                .await
                .unwrap_err(),
        ] {
            assert!(matches!(refused, ChangeKeyError::Revoked), "{refused}");
        }
        app.creates_key("in its place").await;
        app.deletes(&key).await;
        let actions: Vec<_> = app.events(id).await.into_iter().map(|e| e.action).collect();
        let told = |action: &&String| *action != "api_key.refuse";
        let changes: Vec<_> = actions.iter().filter(told).collect();
        assert_eq!(
            changes,
            ["api_key.delete", "api_key.revoke", "api_key.create"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_expired_key_that_lives_again_needs_a_slot() {
    on_both_engines(|database| async move {
        let settings = KeyAdminSettings {
            max_live_keys_per_owner: 1,
            ..KeyAdminSettings::default()
        };
        let app = App::with(database, settings).await;
        let new = NewApiKey {
            expires_at: Some(app.clock.now().plus_seconds(60)),
            ..app.new_key("expired")
        };
        let expired = app.creates(new).await.key.id;
        app.clock.advance_seconds(60);
        let other = app.creates_key("in its place").await;
        app.updates(expired, renamed("needs no slot"))
            .await
            .unwrap();
        let refused = app.updates(expired, expiry(None)).await.unwrap_err();
        assert!(
            matches!(refused, ChangeKeyError::LimitReached { limit: 1 }),
            "{refused}"
        );
        app.deletes(&other).await;
        app.updates(expired, expiry(None)).await.unwrap();
        let full = app
            .node
            .keys
            .create_key(act(), Asker::Machine, app.new_key("more"));
        assert!(matches!(
            full.await,
            Err(CreateKeyError::LimitReached { limit: 1 })
        ));
    })
    .await;
}

#[tokio::test]
async fn events_tell_before_and_after_and_no_secret() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let id = key.key.id;
        app.clock.advance_seconds(1);
        app.updates(id, renamed("cd")).await.unwrap();
        app.updates(id, renamed("cd")).await.unwrap();
        app.updates(id, ApiKeyPatch::default()).await.unwrap();
        app.clock.advance_seconds(1);
        let keys = &app.node.keys;
        keys.rotate_key(act(), Asker::Machine, app.organization, id, 60)
            .await
            .unwrap();
        app.clock.advance_seconds(1);
        app.deletes(&key).await;
        let events = app.events(id).await;
        let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "api_key.delete",
                "api_key.rotate",
                "api_key.update",
                "api_key.create"
            ]
        );
        let names = |event: &AuditEvent| -> (Value, Value) {
            let name = |side: &str| event.detail[side]["name"].clone();
            (name("before"), name("after"))
        };
        assert_eq!(names(&events[0]), (json!("cd"), Value::Null));
        assert_eq!(names(&events[2]), (json!("ci"), json!("cd")));
        assert_eq!(names(&events[3]), (Value::Null, json!("ci")));
        let shown = format!("{events:?}");
        assert!(
            !shown.contains("argon2") && !shown.contains("hash"),
            "{shown}"
        );
    })
    .await;
}

#[tokio::test]
async fn another_organization_cannot_see_or_touch_a_key() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let (keys, id) = (&app.node.keys, key.key.id);
        let all = crate::KeyFilter::default();
        assert!(
            keys.list_keys(globex, &all, None, 100)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(keys.get_key(globex, id).await.unwrap().is_none());
        assert!(keys.usage(globex, id).await.unwrap().is_none());
        for refused in [
            keys.update_key(act(), Asker::Machine, globex, id, renamed("mine"))
                .await
                .unwrap_err(),
            keys.disable_key(act(), Asker::Machine, globex, id)
                .await
                .unwrap_err(),
            keys.enable_key(act(), Asker::Machine, globex, id)
                .await
                .unwrap_err(),
            keys.revoke_key(act(), Asker::Machine, globex, id, KeyRevocation::default())
                .await
                .unwrap_err(),
            keys.delete_key(act(), Asker::Machine, globex, id, IssuedTokens::Void)
                .await
                .unwrap_err(),
            keys.rotate_key(act(), Asker::Machine, globex, id, 0)
                .await
                .unwrap_err(),
        ] {
            assert!(matches!(refused, ChangeKeyError::NotFound), "{refused}");
        }
        app.authenticates(&key).await.unwrap();
        app.deletes(&key).await;
        let gone = keys
            .delete_key(
                act(),
                Asker::Machine,
                app.organization,
                id,
                IssuedTokens::Void,
            )
            .await;
        assert!(matches!(gone, Err(ChangeKeyError::NotFound)));
    })
    .await;
}
