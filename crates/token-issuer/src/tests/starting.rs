use storage::testing::on_both_engines;
use storage::{Database, execute, fetch_all, fetch_one, record_change};

use super::{App, MASTER, OTHER_MASTER, found, start};
use crate::services::ServicesError;
use crate::{IssueError, StartError};

async fn run(database: &Database, sql: &'static str) {
    let mut tx = database.write().await.unwrap();
    assert!(execute!(tx.conn(), sql).unwrap() > 0);
    tx.commit().await.unwrap();
}

async fn assert_a_sealed_key_stops_the_start(database: &Database, master: &str) {
    let stopped = start(database, master).await.unwrap_err();
    assert!(
        matches!(
            stopped,
            ServicesError::Rings(StartError::SealedKey { ref organization, .. })
                if organization.as_str() == "acme"
        ),
        "{stopped:?}"
    );
}

#[tokio::test]
async fn the_right_master_secret_starts_and_another_does_not() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        start(&database, MASTER).await.unwrap();
        let stopped = start(&database, OTHER_MASTER).await.unwrap_err();
        assert!(
            matches!(
                stopped,
                ServicesError::Rings(StartError::InstallationKey { .. })
            ),
            "{stopped:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_altered_private_key_stops_the_start_whether_it_signs_or_not() {
    for state in ["active", "next"] {
        on_both_engines(|database| async move {
            App::on(database.clone()).await;
            let mut tx = database.write().await.unwrap();
            let sql = "select sealed_private_key from signing_keys where state = $1";
            let (mut sealed,) = fetch_one!(tx.conn(), (Vec<u8>,), sql, state).unwrap();
            *sealed.last_mut().unwrap() ^= 1;
            let sql = "update signing_keys set sealed_private_key = $1 where state = $2";
            execute!(tx.conn(), sql, &sealed, state).unwrap();
            tx.commit().await.unwrap();
            assert_a_sealed_key_stops_the_start(&database, MASTER).await;
        })
        .await;
    }
}

#[tokio::test]
async fn private_keys_cannot_change_places() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        let mut tx = database.write().await.unwrap();
        let sql = "select kid, sealed_private_key from signing_keys order by kid";
        let keys = fetch_all!(tx.conn(), (String, Vec<u8>), sql).unwrap();
        let [(first, first_sealed), (second, second_sealed)] = keys.try_into().unwrap();
        let sql = "update signing_keys set sealed_private_key = $2 where kid = $1";
        execute!(tx.conn(), sql, &first, &second_sealed).unwrap();
        execute!(tx.conn(), sql, &second, &first_sealed).unwrap();
        tx.commit().await.unwrap();
        assert_a_sealed_key_stops_the_start(&database, MASTER).await;
    })
    .await;
}

#[tokio::test]
async fn a_public_key_that_is_not_the_private_ones_other_half_stops_the_start() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        run(
            &database,
            "update signing_keys set public_jwk = (select public_jwk from signing_keys where state = 'next')
             where state = 'active'",
        )
        .await;
        assert_a_sealed_key_stops_the_start(&database, MASTER).await;
    })
    .await;
}

#[tokio::test]
async fn a_public_key_that_nobody_sealed_is_not_published() {
    on_both_engines(|database| async move {
        let app = App::on(database.clone()).await;
        let globex = start(&database, MASTER).await.unwrap();
        found(&globex, "globex", "bob@example.com").await.unwrap();
        // Whoever can write rows but lacks the master secret slips a key of their own among the old ones.
        let forge = "insert into signing_keys (kid, organization_id, audience_id, state, public_jwk,
                                               sealed_private_key, created_at)
                     select 'forged', a.organization_id, a.id, 'previous', k.public_jwk, k.sealed_private_key,
                            k.created_at
                     from audiences a join organizations o on o.id = a.organization_id and o.slug = 'acme',
                          signing_keys k join organizations g on g.id = k.organization_id and g.slug = 'globex'
                     where k.state = 'active'";
        run(&database, forge).await;
        assert_a_sealed_key_stops_the_start(&database, MASTER).await;

        let mut tx = database.write().await.unwrap();
        record_change(&mut tx, app.organization.id).await.unwrap();
        tx.commit().await.unwrap();
        app.services.feed.refresh().await.unwrap();
        let refused = app.issues("user-42").await.unwrap_err();
        assert!(
            matches!(refused, IssueError::Rings(StartError::SealedKey { .. })),
            "{refused:?}"
        );
        let jwks = app.services.issuer.organization(&app.organization.slug);
        assert!(jwks.await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_audience_without_an_active_key_stops_the_start() {
    on_both_engines(|database| async move {
        App::on(database.clone()).await;
        run(
            &database,
            "update signing_keys set state = 'retired' where state = 'active'",
        )
        .await;
        let stopped = start(&database, MASTER).await.unwrap_err();
        assert!(
            matches!(
                stopped,
                ServicesError::Rings(StartError::NoActiveKey { ref audience, .. }) if audience == "default"
            ),
            "{stopped:?}"
        );
    })
    .await;
}
