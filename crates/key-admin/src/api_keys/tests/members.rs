//! Keys of members: what they make or change belongs to the same member.

use storage::testing::on_both_engines;
use storage::{PrincipalId, execute};

use crate::api_keys::{Aspect, NotCovered, Stronger};
use crate::testing::{App, act, add_user};
use crate::{
    ApiKeyContext, ApiKeyId, ApiKeyPatch, Asker, ChangeKeyError, CreateKeyError, CreatedKey, Edit,
    KeyFilter, NewApiKey, Permission, UserRole,
};
use crate::{IssuedTokens, KeyRevocation};

/// What one key tries to do to another.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Rename,
    Narrow,
    Rotate,
    Disable,
    Enable,
    Revoke,
    Delete,
}

const DEEDS: [Deed; 7] = [
    Deed::Rename,
    Deed::Narrow,
    Deed::Rotate,
    Deed::Disable,
    Deed::Enable,
    Deed::Revoke,
    Deed::Delete,
];

impl Deed {
    async fn try_it(
        self,
        app: &App,
        by: &ApiKeyContext,
        id: ApiKeyId,
    ) -> Result<(), ChangeKeyError> {
        let (keys, organization, by) = (&app.node.keys, app.organization, Asker::Key(by));
        let patch = |name, permissions| ApiKeyPatch {
            name,
            permissions,
            ..ApiKeyPatch::default()
        };
        match self {
            Self::Rename => {
                let patch = patch(Edit::Set("mine".to_owned()), Edit::Keep);
                let updated = keys.update_key(act(), by, organization, id, patch);
                updated.await.map(drop)
            }
            Self::Narrow => {
                let patch = patch(Edit::Keep, Edit::Set(Vec::new()));
                let updated = keys.update_key(act(), by, organization, id, patch);
                updated.await.map(drop)
            }
            Self::Rotate => {
                let rotated = keys.rotate_key(act(), by, organization, id, 60);
                rotated.await.map(drop)
            }
            Self::Disable => keys
                .disable_key(act(), by, organization, id)
                .await
                .map(drop),
            Self::Enable => keys.enable_key(act(), by, organization, id).await.map(drop),
            Self::Revoke => {
                let revoked =
                    keys.revoke_key(act(), by, organization, id, KeyRevocation::default());
                revoked.await.map(drop)
            }
            Self::Delete => keys
                .delete_key(act(), by, organization, id, IssuedTokens::Void)
                .await
                .map(drop),
        }
    }
}

const OWNERS_ASPECT: NotCovered = NotCovered::Stronger(Stronger(Aspect::Owner));

fn key_for(app: &App, owner: PrincipalId) -> NewApiKey {
    NewApiKey {
        owner,
        permissions: vec![Permission::KeysWrite],
        ..app.new_key("a key")
    }
}

async fn caller_of(app: &App, owner: PrincipalId) -> (CreatedKey, ApiKeyContext) {
    let key = app.creates(key_for(app, owner)).await;
    let caller = app.authenticates(&key).await.unwrap();
    (key, caller)
}

#[tokio::test]
async fn a_members_key_does_nothing_to_keys_of_others() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let member = add_user(&app, UserRole::Member).await;
        let (_, caller) = caller_of(&app, member).await;
        for other in [
            app.owner,
            add_user(&app, UserRole::Owner).await,
            add_user(&app, UserRole::Admin).await,
            add_user(&app, UserRole::Member).await,
            add_user(&app, UserRole::Viewer).await,
        ] {
            let refused =
                app.node
                    .keys
                    .create_key(act(), Asker::Key(&caller), key_for(&app, other));
            match refused.await {
                Err(CreateKeyError::NotCovered(aspect)) => assert_eq!(aspect, OWNERS_ASPECT),
                answer => panic!("{answer:?}"),
            }
            let target = app.creates(key_for(&app, other)).await.key.id;
            let before = app.lists().await;
            for deed in DEEDS {
                match deed.try_it(&app, &caller, target).await {
                    Err(ChangeKeyError::NotCovered(aspect)) => assert_eq!(aspect, OWNERS_ASPECT),
                    answer => panic!("{deed:?}: {answer:?}"),
                }
            }
            assert_eq!(app.lists().await, before);
        }
    })
    .await;
}

#[tokio::test]
async fn a_members_key_does_everything_to_keys_of_the_same_member() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let member = add_user(&app, UserRole::Member).await;
        let (_, caller) = caller_of(&app, member).await;
        let made = app
            .node
            .keys
            .create_key(act(), Asker::Key(&caller), key_for(&app, member));
        let made = made.await.unwrap().key;
        assert_eq!((made.owner, made.created_by), (member, Some(member)));
        for deed in DEEDS {
            deed.try_it(&app, &caller, made.id)
                .await
                .unwrap_or_else(|error| panic!("{deed:?}: {error}"));
        }
        // Somebody else made it, and it is the member's all the same.
        let given = app.creates(key_for(&app, member)).await.key.id;
        Deed::Revoke.try_it(&app, &caller, given).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn keys_of_admins_and_service_accounts_still_manage_those_of_members() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let member = add_user(&app, UserRole::Member).await;
        for manager in [app.owner, add_user(&app, UserRole::Admin).await] {
            let (_, caller) = caller_of(&app, manager).await;
            let made = app
                .node
                .keys
                .create_key(act(), Asker::Key(&caller), key_for(&app, member));
            let made = made.await.unwrap().key.id;
            for deed in DEEDS {
                deed.try_it(&app, &caller, made)
                    .await
                    .unwrap_or_else(|error| panic!("{deed:?}: {error}"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_role_that_counts_is_the_one_the_owner_has_now() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let admin = add_user(&app, UserRole::Admin).await;
        let (_, caller) = caller_of(&app, admin).await;
        let target = app.creates(key_for(&app, app.owner)).await.key.id;
        Deed::Disable.try_it(&app, &caller, target).await.unwrap();
        let mut tx = app.database.write().await.unwrap();
        let demote = "update users set role = 'member' where principal_id = $1";
        assert_eq!(execute!(tx.conn(), demote, admin).unwrap(), 1);
        tx.commit().await.unwrap();
        // What this node has cached, and the caller was made of, still says admin.
        assert_eq!(caller.owner_role(), Some(UserRole::Admin));
        let refused = Deed::Delete.try_it(&app, &caller, target).await;
        assert!(
            matches!(refused, Err(ChangeKeyError::NotCovered(OWNERS_ASPECT))),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn members_read_all_keys() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let member = add_user(&app, UserRole::Member).await;
        let (_, caller) = caller_of(&app, member).await;
        let other = app.creates_key("of somebody else").await.key.id;
        let keys = &app.node.keys;
        let all = KeyFilter::default();
        let listed = keys.list_keys(caller.organization(), &all, None, 100).await;
        assert!(listed.unwrap().iter().any(|listed| listed.key.id == other));
    })
    .await;
}
