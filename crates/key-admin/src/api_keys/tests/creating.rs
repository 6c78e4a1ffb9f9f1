use std::sync::Arc;

use storage::testing::on_both_engines;
use storage::{Clock, PrincipalId, Timestamp};

use crate::api_keys::InvalidKey;
use crate::rate_limit::RateLimit;
use crate::testing::{App, act, add_organization, add_owner};
use crate::{Asker, CreateKeyError, KeyAdminSettings, KeyCeiling, KeyState, NewApiKey};

#[tokio::test]
async fn a_key_is_listed_as_it_was_made() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ceiling = r#"{"roles": ["viewer"], "audiences": ["default"], "max_ttl_seconds": 60,
                          "fixed_attributes": {"tenant_id": "t-1"}}"#;
        let new = NewApiKey {
            created_by: Some(app.owner),
            expires_at: Some(Timestamp::parse("2026-06-01T00:00:00.000001Z").unwrap()),
            ceiling: serde_json::from_str::<KeyCeiling>(ceiling).unwrap(),
            allowed_networks: vec![
                "10.0.0.0/8".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ],
            rate_limit: Some(RateLimit {
                per_minute: 60,
                burst: 2,
            }),
            ..app.new_key("  ci  ")
        };
        let made = app.creates(new.clone()).await.key;
        assert_eq!(made.name, "ci");
        assert_eq!(made.state(app.clock.now()), KeyState::Active);

        app.clock.advance_seconds(1);
        let younger = app.creates_key("younger").await.key;
        let listed = app.lists().await;
        let names: Vec<_> = listed
            .iter()
            .map(|listed| (listed.key.id, &listed.key.name))
            .collect();
        assert_eq!(names, [(younger.id, &younger.name), (made.id, &made.name)]);
        let [_, listed] = listed.try_into().unwrap();
        assert_eq!(listed.key, made);
        assert_eq!((made.owner, made.ceiling), (new.owner, new.ceiling));
        assert_eq!(listed.owner_name, "ci");
        assert_eq!(listed.created_by_name.as_deref(), Some("ci"));
    })
    .await;
}

#[tokio::test]
async fn names_and_limits_that_make_no_sense_are_refused() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for name in ["", "   ", "a\nb", "\u{7f}", &"x".repeat(101)] {
            let refused = app
                .node
                .keys
                .create_key(act(), Asker::Machine, app.new_key(name))
                .await;
            let refused = refused.unwrap_err();
            assert!(
                matches!(refused, CreateKeyError::Invalid(InvalidKey::Name)),
                "{name:?}: {refused}"
            );
        }
        app.creates_key(&"é".repeat(100)).await;
        for (per_minute, burst) in [(0, 1), (1, 0)] {
            let new = NewApiKey {
                rate_limit: Some(RateLimit { per_minute, burst }),
                ..app.new_key("ci")
            };
            let refused = app
                .node
                .keys
                .create_key(act(), Asker::Machine, new)
                .await
                .unwrap_err();
            assert!(
                matches!(refused, CreateKeyError::Invalid(InvalidKey::RateLimit)),
                "{refused}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_expiry_lies_in_the_future() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for seconds in [-1, 0] {
            let new = NewApiKey {
                expires_at: Some(app.clock.now().plus_seconds(seconds)),
                ..app.new_key("ci")
            };
            let refused = app
                .node
                .keys
                .create_key(act(), Asker::Machine, new)
                .await
                .unwrap_err();
            assert!(
                matches!(
                    refused,
                    CreateKeyError::Invalid(InvalidKey::ExpiryInThePast)
                ),
                "{refused}"
            );
        }
        assert!(app.lists().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_an_active_owner_of_the_organization_gets_keys() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let stranger = add_owner(&app.database, &*app.clock, globex).await;
        for owner in [stranger, PrincipalId::new(&*app.clock)] {
            let new = NewApiKey {
                owner,
                ..app.new_key("ci")
            };
            let refused = app
                .node
                .keys
                .create_key(act(), Asker::Machine, new)
                .await
                .unwrap_err();
            assert!(matches!(refused, CreateKeyError::NoSuchOwner), "{refused}");
        }
        app.suspends_owner().await;
        let refused = app
            .node
            .keys
            .create_key(act(), Asker::Machine, app.new_key("ci"))
            .await
            .unwrap_err();
        assert!(matches!(refused, CreateKeyError::NoSuchOwner), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_creations_cannot_pass_the_limit() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        for number in 1..50 {
            app.creates_key(&format!("key {number}")).await;
        }
        let creations: Vec<_> = (0..64)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move {
                    app.node
                        .keys
                        .create_key(act(), Asker::Machine, app.new_key("one more"))
                        .await
                })
            })
            .collect();
        let mut made = 0;
        for creation in creations {
            match creation.await.unwrap() {
                Ok(_) => made += 1,
                Err(CreateKeyError::LimitReached { limit: 50 }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(app.lists().await.len(), 50);
    })
    .await;
}

#[tokio::test]
async fn deleted_and_expired_keys_free_their_place_and_disabled_ones_do_not() {
    on_both_engines(|database| async move {
        let settings = KeyAdminSettings {
            max_live_keys_per_owner: 2,
            ..KeyAdminSettings::default()
        };
        let app = App::with(database, settings).await;
        let full = async || {
            let refused = app
                .node
                .keys
                .create_key(act(), Asker::Machine, app.new_key("one more"))
                .await;
            matches!(refused, Err(CreateKeyError::LimitReached { limit: 2 }))
        };
        let disabled = app.creates_key("disabled").await;
        let short_lived = app
            .creates(NewApiKey {
                expires_at: Some(app.clock.now().plus_seconds(60)),
                ..app.new_key("short-lived")
            })
            .await;
        app.disables(&disabled).await;
        assert!(full().await, "a disabled key keeps its place");

        app.clock.advance_seconds(60);
        let replacement = app.creates_key("in the place of the expired one").await;
        assert!(full().await);

        app.deletes(&replacement).await;
        app.creates_key("in the place of the deleted one").await;
        assert!(full().await);

        // An expired key has no place to give back.
        app.deletes(&short_lived).await;
        assert!(full().await);
    })
    .await;
}

#[tokio::test]
async fn owners_have_places_of_their_own() {
    on_both_engines(|database| async move {
        let settings = KeyAdminSettings {
            max_live_keys_per_owner: 1,
            ..KeyAdminSettings::default()
        };
        let app = App::with(database, settings).await;
        app.creates_key("first").await;
        let owner = add_owner(&app.database, &*app.clock, app.organization).await;
        app.creates(NewApiKey {
            owner,
            ..app.new_key("first of another owner")
        })
        .await;
    })
    .await;
}
