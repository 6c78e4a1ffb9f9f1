//! Whose keys a person may act with.

use storage::testing::on_both_engines;

use super::*;
use crate::{ApiKeyId, ChangeKeyError, IssuedTokens, KeyRevocation, NewApiKey, Permission};

async fn may(app: &App, who: &SignedIn, key: ApiKeyId) -> Result<(), ChangeKeyError> {
    app.node.keys.may_use_key(who, key).await
}

#[tokio::test]
async fn a_person_acts_with_keys_that_it_could_give_a_new_secret() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let owner = adds(&app, ADA, UserRole::Owner).await;
        adds(&app, "bob@example.com", UserRole::Member).await;
        let held = [Permission::TokensIssue];
        let ada = signs_in(&app, ADA).await.person;
        let bob = signs_in(&app, "bob@example.com")
            .await
            .person
            .holding(&held);
        let of = |owner: PrincipalId| NewApiKey {
            owner,
            ..app.new_key("key")
        };
        let adas = app.creates(of(owner.id)).await.key.id;
        let bobs = app.creates(of(bob.user().id)).await.key.id;

        let without = may(&app, &ada, adas).await;
        assert!(
            matches!(without, Err(ChangeKeyError::NotCovered(_))),
            "{without:?}"
        );
        let ada = ada.holding(&held);
        may(&app, &ada, adas).await.unwrap();
        may(&app, &ada, bobs).await.unwrap();
        may(&app, &bob, bobs).await.unwrap();
        let others = may(&app, &bob, adas).await;
        assert!(
            matches!(others, Err(ChangeKeyError::NotCovered(_))),
            "{others:?}"
        );
        app.node.keys.resume(bobs).await.unwrap();

        let revocation = KeyRevocation {
            reason: None,
            issued: IssuedTokens::Void,
        };
        let keys = &app.node.keys;
        keys.revoke_key(act(), (&ada).into(), app.organization, bobs, revocation)
            .await
            .unwrap();
        assert!(matches!(
            may(&app, &bob, bobs).await,
            Err(ChangeKeyError::Revoked)
        ));
        let expiring = NewApiKey {
            expires_at: Some(app.clock.now().plus_seconds(60)),
            ..of(owner.id)
        };
        let expiring = app.creates(expiring).await.key.id;
        app.clock.advance_seconds(60);
        assert!(matches!(
            may(&app, &ada, expiring).await,
            Err(ChangeKeyError::Expired)
        ));
        let unknown = ApiKeyId::from_characters("000000000000").unwrap();
        assert!(matches!(
            may(&app, &ada, unknown).await,
            Err(ChangeKeyError::NotFound)
        ));
    })
    .await;
}
