use storage::testing::on_both_engines;
use storage::{Clock, fetch_one};

use super::*;
use crate::{ApiKeyId, Asker, AuthenticateError, Deletion};

const REVOKE: Deletion = Deletion { revoke_keys: true };
const KEEP: Deletion = Deletion { revoke_keys: false };

async fn removes(
    app: &App,
    id: PrincipalId,
    deletion: Deletion,
) -> Result<Vec<ApiKeyId>, UserError> {
    app.clock.advance_seconds(1);
    let (act, by) = machine();
    let keys = &app.node.keys;
    keys.delete_user(&act, by, app.organization, id, deletion)
        .await
}

#[tokio::test]
async fn live_keys_keep_their_owner_unless_they_are_revoked_with_it() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let key = key_of(&app, bob.id).await;
        let disabled = key_of(&app, bob.id).await;
        app.disables(&disabled).await;
        app.authenticates(&key).await.unwrap();

        let refused = removes(&app, bob.id, KEEP).await;
        assert!(
            matches!(refused, Err(UserError::LiveKeys { count: 2 })),
            "{refused:?}"
        );
        app.authenticates(&key).await.unwrap();

        let mut removed = removes(&app, bob.id, REVOKE).await.unwrap();
        removed.sort_unstable();
        let mut expected = [key.key.id, disabled.key.id];
        expected.sort_unstable();
        assert_eq!(removed, expected);
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::NotProven), "{told:?}");
        let gone = removes(&app, bob.id, REVOKE).await;
        assert!(matches!(gone, Err(UserError::NotFound)), "{gone:?}");
        assert!(users_of(&app, app.organization).await.is_empty());
        adds(&app, "bob@example.com", UserRole::Member).await;
    })
    .await;
}

#[tokio::test]
async fn expired_keys_keep_nobody_and_the_trail_lists_them() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let expired = app
            .creates(NewApiKey {
                owner: bob.id,
                expires_at: Some(app.clock.now().plus_seconds(3600)),
                ..app.new_key("short-lived")
            })
            .await;
        let refused = removes(&app, bob.id, KEEP).await;
        assert!(
            matches!(refused, Err(UserError::LiveKeys { count: 1 })),
            "{refused:?}"
        );
        app.clock.advance_seconds(3600);
        let live = key_of(&app, bob.id).await;
        let refused = removes(&app, bob.id, KEEP).await;
        assert!(
            matches!(refused, Err(UserError::LiveKeys { count: 1 })),
            "{refused:?}"
        );
        app.deletes(&live).await;

        removes(&app, bob.id, KEEP).await.unwrap();
        let events = events_about(&app, bob.id).await;
        assert_eq!(actions(&events), ["user.create", "user.delete"]);
        let detail = &events[1].detail;
        assert_eq!(of_user(detail, "before", "email"), "bob@example.com");
        assert_eq!(detail["revoked_keys"], serde_json::json!([]));
        assert_eq!(detail["removed_keys"], serde_json::json!([expired.key.id]));
    })
    .await;
}

#[tokio::test]
async fn keys_made_for_others_outlive_their_maker() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let bob = adds(&app, "bob@example.com", UserRole::Member).await;
        let key = app
            .creates(NewApiKey {
                created_by: Some(bob.id),
                ..app.new_key("made by bob")
            })
            .await;
        assert!(removes(&app, bob.id, KEEP).await.unwrap().is_empty());
        app.authenticates(&key).await.unwrap();
        let mut read = app.database.read().await.unwrap();
        let sql = "select created_by from api_keys where id = $1";
        let (maker,) = fetch_one!(
            read.conn(),
            (Option<PrincipalId>,),
            sql,
            key.key.id.as_str()
        )
        .unwrap();
        assert_eq!(maker, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_key_slips_in_while_its_owner_is_removed() {
    on_both_engines(|database| async move {
        let app = std::sync::Arc::new(App::on(database).await);
        for round in 0..4 {
            let bob = adds(&app, &format!("bob{round}@example.com"), UserRole::Member).await;
            let makers: Vec<_> = (0..8)
                .map(|_| {
                    let app = app.clone();
                    tokio::spawn(async move {
                        let new = NewApiKey {
                            owner: bob.id,
                            ..app.new_key("ci")
                        };
                        let act = Act::on_command_line();
                        app.node.keys.create_key(&act, Asker::Machine, new).await
                    })
                })
                .collect();
            removes(&app, bob.id, REVOKE).await.unwrap();
            for maker in makers {
                let made = maker.await.unwrap();
                assert!(
                    matches!(made, Ok(_) | Err(crate::CreateKeyError::NoSuchOwner)),
                    "{made:?}"
                );
            }
            let mut read = app.database.read().await.unwrap();
            let sql = "select count(*) from api_keys where owner_id = $1";
            let (left,) = fetch_one!(read.conn(), (i64,), sql, bob.id).unwrap();
            assert_eq!(left, 0);
        }
    })
    .await;
}
