use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use storage::testing::on_both_engines;
use storage::{Database, execute, fetch_one, record_change};

use super::with_secret_of;
use crate::api_keys::ApiKeyId;
use crate::hashing::{HashCost, Hasher, Pepper};
use crate::testing::{App, CLIENT, LONG, MASTER, OTHER_MASTER};
use crate::users::{Email, HashedPassword};
use crate::{AuthenticateError, KeyAdminSettings, MasterSecret, PresentedKey, Slug};

async fn stored_hash(database: &Database, id: ApiKeyId) -> String {
    let mut read = database.read().await.unwrap();
    let sql = "select secret_hash from api_keys where id = $1";
    fetch_one!(read.conn(), (String,), sql, id.as_str())
        .unwrap()
        .0
}

#[tokio::test]
async fn a_hash_copied_to_another_row_proves_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (mine, theirs) = (
            app.creates_key("mine").await,
            app.creates_key("theirs").await,
        );
        app.authenticates(&theirs).await.unwrap();

        let hash = stored_hash(&app.database, mine.key.id).await;
        let mut tx = app.database.write().await.unwrap();
        let sql = "update api_keys set secret_hash = $2 where id = $1";
        execute!(tx.conn(), sql, theirs.key.id.as_str(), hash).unwrap();
        record_change(&mut tx, app.organization).await.unwrap();
        tx.commit().await.unwrap();
        app.node.feed.refresh().await.unwrap();

        let my_secret_under_their_id = with_secret_of(theirs.key.id, &mine.secret);
        for presented in [&my_secret_under_their_id, &theirs.secret] {
            let refused = app.node.presents(presented, CLIENT).await.unwrap_err();
            assert!(
                matches!(refused, AuthenticateError::NotProven),
                "{refused:?}"
            );
        }
        app.authenticates(&mine).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn hashes_are_worth_nothing_under_another_master_secret() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let thief = app
            .node_with(OTHER_MASTER, LONG, KeyAdminSettings::default())
            .await;
        let refused = thief.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(refused, AuthenticateError::NotProven),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_is_rehashed_on_use_when_the_cost_changes() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.authenticates(&key).await.unwrap();
        let settings = KeyAdminSettings {
            api_key_hash: HashCost {
                memory_kib: 2048,
                iterations: 1,
            },
            ..KeyAdminSettings::default()
        };
        let reconfigured = app.node_with(MASTER, LONG, settings).await;
        let old = stored_hash(&app.database, key.key.id).await;
        reconfigured.authenticates(&key).await.unwrap();

        let mut new = old.clone();
        for _ in 0..1_000 {
            new = stored_hash(&app.database, key.key.id).await;
            if new != old {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(old.starts_with("$argon2id$v=19$m=1024,t=1,p=1$"), "{old}");
        assert!(new.starts_with("$argon2id$v=19$m=2048,t=1,p=1$"), "{new}");
        for node in [&app.node, &reconfigured, &app.another_node().await] {
            node.authenticates(&key).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        let caller = app.authenticates(&key).await.unwrap();
        let presented = PresentedKey::parse(key.secret.expose_secret()).unwrap();
        let master = MasterSecret::parse(MASTER).unwrap();
        let hasher = Hasher::new(Pepper::derived(&master));
        let password = SecretString::from("correct horse battery");
        let (email, slug) = (Email::parse("ada@example.com"), Slug::parse("acme"));
        let password_hash =
            HashedPassword::for_login(&hasher, password.clone(), &email.unwrap(), &slug.unwrap())
                .await
                .unwrap();
        let generated = MasterSecret::generate_hex().unwrap();
        let printed = format!(
            "{key:?} {caller:?} {presented:?} {master:?} {hasher:?} {password_hash:?} {generated:?} {:?}",
            app.node.keys
        );

        let whole = key.secret.expose_secret();
        let hash = stored_hash(&app.database, key.key.id).await;
        for secret in [
            &whole[whole.rfind('_').unwrap() + 1..],
            hash.rsplit('$').next().unwrap(),
            "$argon2id$",
            MASTER,
            "1, 35, 69, 103",
            password.expose_secret(),
            generated.expose_secret(),
        ] {
            assert!(!printed.contains(secret), "{secret} in {printed}");
        }
    })
    .await;
}
