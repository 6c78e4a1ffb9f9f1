//! The schema. One numbered file per step and engine in the top-level `migrations/`, embedded in the binary.

use sqlx::migrate::{MigrateError, Migrator};

use crate::{Database, Engine, StorageError, fetch_all};

static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

impl Database {
    /// Brings the schema to this binary's version. Running it twice, or from two nodes at once, does no harm.
    pub async fn migrate(&self) -> Result<(), StorageError> {
        self.run_migrations(&SQLITE, &POSTGRES)
            .await
            .map_err(|error| match error {
                MigrateError::VersionMissing(version) => newer_than_this_binary(version),
                MigrateError::VersionMismatch(version) => StorageError::Schema(format!(
                    "schema version {version} was applied from another text than this binary's"
                )),
                MigrateError::Execute(error) => error.into(),
                other => StorageError::Schema(format!("the schema could not be migrated: {other}")),
            })
    }

    /// Is the schema exactly at this binary's version? `serve` refuses to start when it is not.
    pub async fn check_schema(&self) -> Result<(), StorageError> {
        let wanted: Vec<i64> = match self.engine() {
            Engine::Sqlite => SQLITE.iter().map(|step| step.version).collect(),
            Engine::Postgres => POSTGRES.iter().map(|step| step.version).collect(),
        };
        let applied = self.applied_migrations().await?;
        if applied == wanted {
            return Ok(());
        }
        if let Some(unknown) = applied.iter().find(|step| !wanted.contains(step)) {
            return Err(newer_than_this_binary(*unknown));
        }
        Err(StorageError::Schema(format!(
            "the database schema has {} of this binary's {} steps: run `jeton migrate`",
            applied.len(),
            wanted.len()
        )))
    }

    async fn applied_migrations(&self) -> Result<Vec<i64>, StorageError> {
        let mut read = self.read().await?;
        let rows = fetch_all!(
            read.conn(),
            (i64,),
            "select version from _sqlx_migrations where success order by version"
        );
        match rows {
            Ok(rows) => Ok(rows.into_iter().map(|(version,)| version).collect()),
            // No table of migrations: nothing was ever applied.
            Err(StorageError::Unexpected(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn newer_than_this_binary(version: i64) -> StorageError {
    StorageError::Schema(format!(
        "the database is at schema version {version}, which this binary does not know: run a newer binary"
    ))
}

#[cfg(test)]
mod tests;
