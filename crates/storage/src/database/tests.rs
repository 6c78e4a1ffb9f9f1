use std::time::Duration;

use crate::testing::{ScratchDatabase, on_both_engines};
use crate::tests::{count_organizations, insert_organization, organization};
use crate::{Database, Engine, StorageError, execute, fetch_one};

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    on_both_engines(|database| async move {
        let mut tx = database.write().await.unwrap();
        insert_organization(tx.conn(), "acme").await.unwrap();
        drop(tx);
        assert_eq!(count_organizations(&database).await, 0);
        organization(&database, "acme").await;
        assert_eq!(count_organizations(&database).await, 1);
    })
    .await;
}

/// The writers belong to two processes: on SQLite, a queue inside of one would not keep them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_writer_fails_and_no_write_is_lost() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let scratch = ScratchDatabase::create(engine).await;
        let server = Database::connect(scratch.url()).await.unwrap();
        server.migrate().await.unwrap();
        let command_line = Database::connect(scratch.url()).await.unwrap();
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let process = if writer % 2 == 0 {
                    &server
                } else {
                    &command_line
                };
                tokio::spawn(read_then_write(process.clone(), format!("org-{writer}")))
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        let mut read = server.read().await.unwrap();
        let sql = "select version, (select count(*) from organizations) from change_counter";
        assert_eq!(fetch_one!(read.conn(), (i64, i64), sql).unwrap(), (16, 16));
    }
}

async fn read_then_write(database: Database, slug: String) -> Result<(), StorageError> {
    let mut tx = database.write().await?;
    let read = "select version from change_counter where id = 1";
    fetch_one!(tx.conn(), (i64,), read)?;
    tokio::task::yield_now().await;
    insert_organization(tx.conn(), &slug).await?;
    let count = "update change_counter set version = version + 1 where id = 1";
    execute!(tx.conn(), count)?;
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancelled_writer_leaves_nothing_and_blocks_nobody() {
    on_both_engines(|database| async move {
        // Each is dropped a little later than the one before, so that some fall into every await.
        for round in 0..100 {
            let slug = format!("cancelled-{round}");
            let write = async {
                let mut tx = database.write().await.unwrap();
                insert_organization(tx.conn(), &slug).await.unwrap();
                std::future::pending::<()>().await;
                drop(tx);
            };
            let patience = Duration::from_micros(round * 20);
            assert!(tokio::time::timeout(patience, write).await.is_err());
        }
        organization(&database, "acme").await;
        assert_eq!(count_organizations(&database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_sees_one_moment() {
    on_both_engines(|database| async move {
        let mut snapshot = database.snapshot().await.unwrap();
        let sql = "select count(*) from organizations";
        let before = fetch_one!(snapshot.conn(), (i64,), sql).unwrap();
        organization(&database, "acme").await;
        let after = fetch_one!(snapshot.conn(), (i64,), sql).unwrap();
        assert_eq!((before, after), ((0,), (0,)));
        assert_eq!(count_organizations(&database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_cannot_write() {
    on_both_engines(|database| async move {
        let mut snapshot = database.snapshot().await.unwrap();
        insert_organization(snapshot.conn(), "acme")
            .await
            .unwrap_err();
        drop(snapshot);
        assert_eq!(count_organizations(&database).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_taken_value_is_told_from_other_refusals() {
    on_both_engines(|database| async move {
        let acme = organization(&database, "acme").await;
        let mut tx = database.write().await.unwrap();
        let taken = insert_organization(tx.conn(), "acme").await.unwrap_err();
        assert!(
            taken.is_unique_violation() && !taken.is_unavailable(),
            "{taken:?}"
        );
        drop(tx);

        let mut tx = database.write().await.unwrap();
        let sql =
            "insert into roles (organization_id, name, definition) values ($1, 'viewer', '{}')";
        execute!(tx.conn(), sql, acme).unwrap();
        let same_key = execute!(tx.conn(), sql, acme).unwrap_err();
        assert!(same_key.is_unique_violation(), "{same_key:?}");
        drop(tx);

        let mut tx = database.write().await.unwrap();
        let nobody = crate::OrganizationId::new(&crate::SystemClock);
        let dangling = execute!(tx.conn(), sql, nobody).unwrap_err();
        assert!(
            !dangling.is_unique_violation() && !dangling.is_unavailable(),
            "{dangling:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    on_both_engines(|database| async move {
        database.close().await;
        assert!(database.read().await.unwrap_err().is_unavailable());
        assert!(database.write().await.unwrap_err().is_unavailable());
    })
    .await;
}

async fn sqlite() -> (ScratchDatabase, Database) {
    let scratch = ScratchDatabase::create(Engine::Sqlite).await;
    let database = Database::connect(scratch.url()).await.unwrap();
    database.migrate().await.unwrap();
    (scratch, database)
}

#[tokio::test]
async fn sqlite_readers_cannot_write() {
    let (_scratch, database) = sqlite().await;
    let mut read = database.read().await.unwrap();
    insert_organization(read.conn(), "acme").await.unwrap_err();
}

#[tokio::test]
async fn sqlite_writers_survive_power_cuts_and_check_references() {
    let (_scratch, database) = sqlite().await;
    let mut tx = database.write().await.unwrap();
    let journal = fetch_one!(tx.conn(), (String,), "pragma journal_mode").unwrap();
    assert_eq!(journal.0, "wal");
    for (pragma, wanted) in [("pragma synchronous", 2), ("pragma foreign_keys", 1)] {
        assert_eq!(
            fetch_one!(tx.conn(), (i64,), pragma).unwrap(),
            (wanted,),
            "{pragma}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_sqlite_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let (scratch, database) = sqlite().await;
    organization(&database, "acme").await;
    let path = scratch.url().trim_start_matches("sqlite:");
    for suffix in ["", "-wal", "-shm"] {
        let file = std::fs::metadata(format!("{path}{suffix}")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn other_engines_are_refused() {
    for url in ["", "mysql://localhost/jeton", "jeton.db"] {
        let refused = Database::connect(url).await.unwrap_err();
        assert!(
            matches!(refused, StorageError::Url(_)),
            "{url}: {refused:?}"
        );
    }
}
