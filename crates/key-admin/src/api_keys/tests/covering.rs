//! A key that asks: what it makes, edits, rotates and enables is no stronger than itself.

use std::sync::Arc;

use storage::testing::on_both_engines;
use storage::{Clock, OrganizationId};

use crate::api_keys::{Aspect, NotCovered, Stronger};
use crate::testing::{App, act, add_organization};
use crate::{
    ApiKeyContext, ApiKeyPatch, Asker, ChangeKeyError, CreateKeyError, CreatedKey, Edit,
    KeyCeiling, NewApiKey, Permission,
};

const HELD: [Permission; 2] = [Permission::TokensIssue, Permission::KeysWrite];

fn ceiling(roles: &[&str]) -> KeyCeiling {
    KeyCeiling {
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..KeyCeiling::default()
    }
}

/// A key that may grant `viewer`, and itself as a caller.
async fn caller(app: &App) -> (CreatedKey, ApiKeyContext) {
    let key = app.creates(like_caller(app, "caller")).await;
    let caller = app.authenticates(&key).await.unwrap();
    (key, caller)
}

fn like_caller(app: &App, name: &str) -> NewApiKey {
    NewApiKey {
        permissions: HELD.to_vec(),
        ceiling: ceiling(&["viewer"]),
        expires_at: Some(app.clock.now().plus_seconds(1_000)),
        ..app.new_key(name)
    }
}

fn aspect(refused: &ChangeKeyError) -> Aspect {
    match refused {
        ChangeKeyError::NotCovered(NotCovered::Stronger(Stronger(aspect))) => *aspect,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_key_makes_keys_up_to_its_own_strength() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, caller) = caller(&app).await;
        let keys = &app.node.keys;
        let equal = like_caller(&app, "equal");
        let made = keys
            .create_key(act(), Asker::Key(&caller), equal.clone())
            .await;
        assert_eq!(made.unwrap().key.created_by, Some(app.owner));
        let stronger = NewApiKey {
            ceiling: ceiling(&["viewer", "admin"]),
            ..equal
        };
        let refused = keys.create_key(act(), Asker::Key(&caller), stronger).await;
        assert!(
            matches!(
                refused,
                Err(CreateKeyError::NotCovered(NotCovered::Stronger(Stronger(
                    Aspect::Roles
                ))))
            ),
            "{refused:?}"
        );
        assert_eq!(app.lists().await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_narrowed_caller_passes_on_no_more_than_it_may_use() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, caller) = caller(&app).await;
        let caller = caller.narrowed_to(&[Permission::KeysWrite, Permission::AuditRead]);
        assert_eq!(caller.permissions(), [Permission::KeysWrite]);
        let equal = like_caller(&app, "equal");
        let refused = app
            .node
            .keys
            .create_key(act(), Asker::Key(&caller), equal)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                CreateKeyError::NotCovered(NotCovered::Stronger(Stronger(Aspect::Permissions)))
            ),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_stays_stronger_cannot_be_touched_and_can_be_narrowed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, caller) = caller(&app).await;
        let strong = app.creates_key("strong").await;
        let (keys, organization, id) = (&app.node.keys, app.organization, strong.key.id);
        let by = Asker::Key(&caller);
        let renamed = ApiKeyPatch {
            name: Edit::Set("mine".to_owned()),
            ..ApiKeyPatch::default()
        };
        for patch in [renamed.clone(), ApiKeyPatch::default()] {
            let refused = keys
                .update_key(act(), by, organization, id, patch)
                .await
                .unwrap_err();
            assert_eq!(aspect(&refused), Aspect::Roles);
        }
        let refused = keys.rotate_key(act(), by, organization, id, 60).await;
        assert_eq!(aspect(&refused.unwrap_err()), Aspect::Roles);
        app.authenticates(&strong).await.unwrap();
        app.disables(&strong).await;
        let refused = keys.enable_key(act(), by, organization, id).await;
        assert_eq!(aspect(&refused.unwrap_err()), Aspect::Roles);

        let narrowed = ApiKeyPatch {
            ceiling: Edit::Set(ceiling(&[])),
            expires_at: Edit::Set(caller.key().expires_at),
            ..renamed
        };
        keys.update_key(act(), by, organization, id, narrowed)
            .await
            .unwrap();
        keys.enable_key(act(), by, organization, id).await.unwrap();
        keys.rotate_key(act(), by, organization, id, 0)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_cannot_lengthen_its_own_life() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (key, caller) = caller(&app).await;
        let (keys, organization) = (&app.node.keys, app.organization);
        for expires_at in [None, Some(app.clock.now().plus_seconds(1_001))] {
            let longer = ApiKeyPatch {
                expires_at: Edit::Set(expires_at),
                ..ApiKeyPatch::default()
            };
            let refused =
                keys.update_key(act(), Asker::Key(&caller), organization, key.key.id, longer);
            assert_eq!(aspect(&refused.await.unwrap_err()), Aspect::Expiry);
        }
        keys.rotate_key(act(), Asker::Key(&caller), organization, key.key.id, 60)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_counts_is_the_caller_as_it_is_now() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (key, caller) = caller(&app).await;
        let (keys, organization) = (&app.node.keys, app.organization);
        let create = async |name| {
            let new = like_caller(&app, name);
            keys.create_key(act(), Asker::Key(&caller), new).await
        };
        create("before").await.unwrap();
        let narrowed = ApiKeyPatch {
            ceiling: Edit::Set(ceiling(&[])),
            ..ApiKeyPatch::default()
        };
        keys.update_key(act(), Asker::Machine, organization, key.key.id, narrowed)
            .await
            .unwrap();
        let refused = create("after it was narrowed").await.unwrap_err();
        assert!(
            matches!(
                refused,
                CreateKeyError::NotCovered(NotCovered::Stronger(Stronger(Aspect::Roles)))
            ),
            "{refused}"
        );
        app.disables(&key).await;
        let refused = create("after it was disabled").await.unwrap_err();
        assert!(
            matches!(refused, CreateKeyError::NotCovered(NotCovered::CallerGone)),
            "{refused}"
        );
        let refused = keys
            .enable_key(act(), Asker::Key(&caller), organization, key.key.id)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ChangeKeyError::NotCovered(NotCovered::CallerGone)),
            "a disabled key does not switch itself on: {refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_asks_in_its_own_organization_only() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (_, caller) = caller(&app).await;
        let globex: OrganizationId = add_organization(&app.database, &*app.clock, "globex").await;
        let owner = crate::testing::add_owner(&app.database, &*app.clock, globex).await;
        let new = NewApiKey {
            organization: globex,
            owner,
            ..like_caller(&app, "theirs")
        };
        let refused = app
            .node
            .keys
            .create_key(act(), Asker::Key(&caller), new)
            .await;
        assert!(
            matches!(
                refused,
                Err(CreateKeyError::NotCovered(NotCovered::CallerGone))
            ),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_that_edit_each_other_at_once_do_not_wait_in_a_circle() {
    on_both_engines(|database| async move {
        let app = Arc::new(App::on(database).await);
        let pair = [caller(&app).await, caller(&app).await];
        let edits: Vec<_> = (0..32)
            .map(|number| {
                let caller = pair[number % 2].1.clone();
                let target = pair[(number / 2) % 2].0.key.id;
                let app = app.clone();
                tokio::spawn(async move {
                    let patch = ApiKeyPatch {
                        name: Edit::Set(format!("edit {number}")),
                        ..ApiKeyPatch::default()
                    };
                    let keys = &app.node.keys;
                    keys.update_key(act(), Asker::Key(&caller), app.organization, target, patch)
                        .await
                })
            })
            .collect();
        for edit in edits {
            edit.await.unwrap().unwrap();
        }
    })
    .await;
}
