//! The keys that outlive the master secret.

use key_admin::hashing::{HashCost, Hasher, Pepper};
use key_admin::{MasterSecret, MasterSecrets};
use serde_json::json;
use storage::testing::on_both_engines;
use storage::{Database, execute, fetch_all};

use super::{App, MASTER, OTHER_MASTER, start, start_with};
use crate::installation_keys::InstallationKeys;
use crate::services::ServicesError;
use crate::sessions::AttributeHasher;
use crate::{Services, StartError};

const THIRD_MASTER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(super) fn master(text: &str) -> MasterSecret {
    MasterSecret::parse(text).unwrap()
}

/// The secrets of a change from the one to the other.
pub(super) fn changing(from: &str, to: &str) -> MasterSecrets {
    MasterSecrets::new(master(to), Some(master(from))).unwrap()
}

async fn rows(database: &Database) -> Vec<(String, Vec<u8>)> {
    let mut read = database.read().await.unwrap();
    let sql = "select purpose, sealed_key from installation_keys order by purpose";
    fetch_all!(read.conn(), (String, Vec<u8>), sql).unwrap()
}

async fn run(database: &Database, sql: &'static str) {
    let mut tx = database.write().await.unwrap();
    assert!(execute!(tx.conn(), sql).unwrap() > 0);
    tx.commit().await.unwrap();
}

/// Does a hash made with one pepper match with the other?
async fn is_same(one: Pepper, other: Pepper) -> bool {
    let (one, other) = (Hasher::new(one), Hasher::new(other));
    let hash = one.hash("a secret".into(), HashCost::API_KEY).await;
    let verified = other.verify("a secret".into(), hash.unwrap().into());
    verified.await.unwrap()
}

fn hash_of(app: &App, hasher: &AttributeHasher) -> String {
    let hasher = hasher.of(app.organization.id).unwrap();
    hasher.hash("tenant_id", &json!("t-1"))
}

async fn opened(database: &Database, secrets: impl Into<MasterSecrets>) -> InstallationKeys {
    let opened = InstallationKeys::open(database, &secrets.into()).await;
    opened.unwrap()
}

#[tokio::test]
async fn a_new_installation_has_keys_that_the_master_secret_does_not_tell() {
    on_both_engines(|database| async move {
        let app = App::on(database.clone()).await;
        let purposes: Vec<_> = rows(&database).await.into_iter().map(|row| row.0).collect();
        assert_eq!(purposes, ["attributes", "pepper"]);
        let keys = opened(&database, master(MASTER)).await;
        let hash = hash_of(&app, &keys.attributes);
        assert_eq!(hash, hash_of(&app, &app.services.issuer.hasher));
        let derived = AttributeHasher::new(master(MASTER).derive(AttributeHasher::LABEL));
        assert_ne!(hash, hash_of(&app, &derived));
        assert!(!is_same(keys.pepper, Pepper::derived(&master(MASTER))).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_agree() {
    on_both_engines(|database| async move {
        let nodes: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { opened(&database, master(MASTER)).await })
            })
            .collect();
        let mut keys = Vec::new();
        for node in nodes {
            keys.push(node.await.unwrap());
        }
        let app = App::on(database).await;
        let hash = hash_of(&app, &app.services.issuer.hasher);
        for node in keys {
            assert_eq!(hash, hash_of(&app, &node.attributes));
            let again = opened(&app.database, master(MASTER)).await;
            assert!(is_same(node.pepper, again.pepper).await);
        }
    })
    .await;
}

/// Before this table, both were derived from the master secret.
#[tokio::test]
async fn an_older_installation_keeps_what_it_derived() {
    for secrets in [
        || MasterSecrets::from(master(MASTER)),
        || changing(MASTER, OTHER_MASTER),
        // The two mixed up, or a change that is being prepared.
        || changing(OTHER_MASTER, MASTER),
    ] {
        on_both_engines(|database| async move {
            let app = App::on(database.clone()).await;
            run(&database, "delete from installation_keys").await;
            start_with(&database, secrets()).await.unwrap();
            let keys = opened(&database, secrets()).await;
            assert!(is_same(keys.pepper, Pepper::derived(&master(MASTER))).await);
            let derived = AttributeHasher::new(master(MASTER).derive(AttributeHasher::LABEL));
            assert_eq!(hash_of(&app, &keys.attributes), hash_of(&app, &derived));
        })
        .await;
    }
}

fn assert_does_not_open(stopped: Result<Services, ServicesError>, expected: &str) {
    let stopped = stopped.unwrap_err();
    assert!(
        matches!(
            stopped,
            ServicesError::Rings(StartError::InstallationKey { purpose }) if purpose == expected
        ),
        "{stopped:?}"
    );
}

#[tokio::test]
async fn keys_open_only_for_their_purpose_and_their_master_secret() {
    on_both_engines(|database| async move {
        start(&database, MASTER).await.unwrap();
        assert_does_not_open(start(&database, OTHER_MASTER).await, "pepper");
        let strange = changing(OTHER_MASTER, THIRD_MASTER);
        assert_does_not_open(start_with(&database, strange).await, "pepper");
        start_with(&database, changing(MASTER, OTHER_MASTER))
            .await
            .unwrap();

        let [(_, attributes), (_, pepper)] = rows(&database).await.try_into().unwrap();
        let mut tx = database.write().await.unwrap();
        let sql = "update installation_keys set sealed_key = $2 where purpose = $1";
        execute!(tx.conn(), sql, "attributes", &pepper).unwrap();
        execute!(tx.conn(), sql, "pepper", &attributes).unwrap();
        tx.commit().await.unwrap();
        assert_does_not_open(start(&database, MASTER).await, "pepper");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_makes_no_keys() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        run(&database, "delete from installation_keys").await;
        let stopped = start(&database, OTHER_MASTER).await.unwrap_err();
        assert!(
            matches!(stopped, ServicesError::Rings(StartError::WrongMasterSecret)),
            "{stopped:?}"
        );
        let opened = InstallationKeys::open(&database, &master(OTHER_MASTER).into()).await;
        assert!(matches!(opened, Err(StartError::WrongMasterSecret)));
        assert!(rows(&database).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_lost_is_not_made_anew() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        run(
            &database,
            "delete from installation_keys where purpose = 'pepper'",
        )
        .await;
        let stopped = start(&database, MASTER).await.unwrap_err();
        assert!(stopped.to_string().contains("no row `pepper`"), "{stopped}");
        assert_eq!(rows(&database).await.len(), 1);
    })
    .await;
}
