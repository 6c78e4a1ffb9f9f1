//! Whether the database keeps what it has committed.

use crate::{Conn, Database, StorageError, fetch_all};

impl Database {
    /// The settings of the database server, in force for this installation, that let a power cut take what was committed:
    /// of PostgreSQL `fsync`, `full_page_writes` and `synchronous_commit`, where they are off. SQLite has none: Jeton opens
    /// it with `synchronous = FULL`.
    pub async fn unsafe_settings(&self) -> Result<Vec<String>, StorageError> {
        let mut read = self.read().await?;
        let conn = read.conn();
        if matches!(conn, Conn::Sqlite(_)) {
            return Ok(Vec::new());
        }
        let sql = "select name from pg_settings
            where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name";
        let names = fetch_all!(conn, (String,), sql)?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::ScratchDatabase;
    use crate::{Database, Engine, execute};

    #[tokio::test]
    async fn a_postgresql_that_does_not_wait_for_its_disk_is_noticed() {
        let scratch = ScratchDatabase::create(Engine::Postgres).await;
        let off = "do $$ begin
            execute format('alter database %I set synchronous_commit = off', current_database()); end $$";
        let local = "do $$ begin
            execute format('alter database %I set synchronous_commit = local', current_database()); end $$";
        for (change, noticed) in [(off, true), (local, false)] {
            let database = Database::connect(scratch.url()).await.unwrap();
            execute!(database.read().await.unwrap().conn(), change).unwrap();
            database.close().await;
            // New connections have it.
            let database = Database::connect(scratch.url()).await.unwrap();
            let names = database.unsafe_settings().await.unwrap();
            let named = names.iter().any(|it| it == "synchronous_commit");
            assert_eq!(named, noticed, "{names:?}");
        }
    }

    #[tokio::test]
    async fn sqlite_waits_for_its_disk() {
        let scratch = ScratchDatabase::create(Engine::Sqlite).await;
        let database = Database::connect(scratch.url()).await.unwrap();
        assert!(database.unsafe_settings().await.unwrap().is_empty());
        let mut tx = database.write().await.unwrap();
        let synchronous = crate::fetch_one!(tx.conn(), (i64,), "pragma synchronous").unwrap();
        let journal = crate::fetch_one!(tx.conn(), (String,), "pragma journal_mode").unwrap();
        assert_eq!((synchronous.0, journal.0.as_str()), (2, "wal"));
    }
}
