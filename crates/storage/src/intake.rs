//! Where rows are committed that are sorted into their tables later, many at once.
//!
//! A row of a table with indexes touches a page of each, and every page that a transaction touches is written whole. One row for
//! each of a hundred organizations therefore costs a hundred pages for every index that begins with the organization; ten
//! thousand rows for the same organizations cost hardly more. So rows are promised when they are at the end of this file, which
//! nothing is ordered in, and sorted into their tables when there are many.
//!
//! The file is a SQLite database of its own, beside the embedded one and as durable: `jeton.db.intake`. It has a write lock of its
//! own as well, so that whoever waits for a row does not wait for those that are being sorted. PostgreSQL needs none of this: it
//! writes what has changed of a page.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::database::create_private;
use crate::{Database, StorageError};

/// How long to wait for another process that writes at the same moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the log before it is copied into the file. Most pages are written many times, as places are used again.
const CHECKPOINT_AFTER: &str = "4000";
/// What follows the name of the database's file.
const SUFFIX: &str = ".intake";

/// Identifiers are never used again, so that forgetting one twice forgets no other.
const SCHEMA: &str = "create table if not exists groups (
    id integer primary key autoincrement,
    rows text not null
) strict";

const APPEND: &str = "begin immediate;
insert into groups (rows) values ($1);
delete from groups where id in (select value from json_each($2));
commit";

/// The file. It is of no use without the database: when that is closed, so is this.
#[derive(Debug)]
pub struct Intake {
    database: Database,
    path: PathBuf,
    /// None before it is first needed, and while it is in use: a call that fails takes it away, and with it what was not
    /// committed.
    connection: Option<SqliteConnection>,
}

/// A group of rows in the file.
#[derive(Debug, sqlx::FromRow)]
pub struct IntakeGroup {
    /// Its identifier.
    pub id: i64,
    /// The text that was appended.
    pub rows: String,
}

impl Intake {
    /// The intake of the embedded database, whose file is made when it is first needed; PostgreSQL has none.
    pub fn of(database: &Database) -> Option<Self> {
        let file = database.file()?;
        // As SQLite names its other files, whatever link leads to the database.
        let mut path = file.canonicalize().unwrap_or(file).into_os_string();
        path.push(SUFFIX);
        Some(Self {
            database: database.clone(),
            path: path.into(),
            connection: None,
        })
    }

    /// Has anything ever been appended?
    pub fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Commits a group of rows, and forgets others. When this returns `Ok` with the group's identifier, a power cut cannot take it
    /// back.
    pub async fn append(&mut self, rows: String, forget: &[i64]) -> Result<i64, StorageError> {
        let mut connection = self.connection().await?;
        let append = sqlx::query(APPEND).bind(rows).bind(list(forget));
        match append.execute(&mut connection).await {
            Ok(appended) => {
                self.connection = Some(connection);
                Ok(appended.last_insert_rowid())
            }
            Err(error) => {
                close(connection).await;
                Err(error.into())
            }
        }
    }

    /// Groups with greater identifiers than this, in the order in which they were appended, at most `limit`.
    pub async fn after(&mut self, id: i64, limit: u32) -> Result<Vec<IntakeGroup>, StorageError> {
        let mut connection = self.connection().await?;
        let sql = "select id, rows from groups where id > $1 order by id limit $2";
        let groups = sqlx::query_as(sql).bind(id).bind(limit);
        let groups = groups.fetch_all(&mut connection).await?;
        self.connection = Some(connection);
        Ok(groups)
    }

    /// Forgets groups.
    pub async fn forget(&mut self, groups: &[i64]) -> Result<(), StorageError> {
        let mut connection = self.connection().await?;
        let sql = "delete from groups where id in (select value from json_each($1))";
        let deleted = sqlx::query(sql).bind(list(groups));
        deleted.execute(&mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Closes the file.
    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection).await;
        }
    }

    async fn connection(&mut self) -> Result<SqliteConnection, StorageError> {
        if self.database.is_closed() {
            self.connection = None;
            return Err(sqlx::Error::PoolClosed.into());
        }
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        create_private(&self.path)?;
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", CHECKPOINT_AFTER)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::query(SCHEMA).execute(&mut connection).await?;
        Ok(connection)
    }
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection could not be closed properly");
    }
}

fn list(ids: &[i64]) -> String {
    format!("{ids:?}")
}

#[cfg(test)]
mod tests;
