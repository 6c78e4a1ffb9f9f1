//! One transaction per call, in one trip to the database: what a task needs that writes a group of rows after the other.
//!
//! A transaction of a pool takes a trip for each of its statements and three more, and each wakes two threads. Here the
//! statements travel together, over a connection of their own.

use std::time::{Duration, Instant};

use sqlx::Connection;

use crate::database::Writer;
use crate::{Conn, Database, StorageError};

/// Statements that all take their rows from the same JSON lists `$1`, `$2`, ….
#[derive(Clone, Copy, Debug)]
pub struct GroupSql {
    /// For SQLite: any number of statements; to be a transaction of their own, `begin immediate; …; commit`.
    pub sqlite: &'static str,
    /// For PostgreSQL: one statement, which may have others inside: `with … as (insert …) insert …`.
    pub postgres: &'static str,
}

/// Runs the statements as a part of a transaction.
pub async fn execute_group(
    conn: Conn<'_>,
    sql: GroupSql,
    lists: Vec<String>,
) -> Result<(), StorageError> {
    match conn {
        Conn::Sqlite(connection) => {
            let mut query = sqlx::query(sql.sqlite);
            for list in lists {
                query = query.bind(list);
            }
            query.execute(connection).await?;
        }
        Conn::Postgres(connection) => {
            let mut query = sqlx::query(sql.postgres);
            for list in lists {
                query = query.bind(list);
            }
            query.execute(connection).await?;
        }
    }
    Ok(())
}

/// A connection that has not been used for this long is asked whether it still stands.
const TRUSTED: Duration = Duration::from_secs(1);

/// Writes groups.
#[derive(Debug)]
pub struct GroupWriter {
    database: Database,
    /// None while it is in use: a call that fails, or is given up, takes it away, and with it what was not committed.
    connection: Option<(Writer, Instant)>,
}

impl GroupWriter {
    /// Connects when it first writes.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            connection: None,
        }
    }

    /// Runs the statements, which are a transaction. When this returns `Ok`, a power cut cannot take them back; after an
    /// error nothing of them remains, unless the connection was lost at the very moment of the commit.
    pub async fn write(&mut self, sql: GroupSql, lists: Vec<String>) -> Result<(), StorageError> {
        if self.database.is_closed() {
            self.connection = None;
            return Err(sqlx::Error::PoolClosed.into());
        }
        // The one writer that SQLite has. PostgreSQL needs no turns.
        let turn = self.database.turn().await?;
        let mut connection = self.connection().await?;
        match execute_group(connection.conn(), sql, lists).await {
            Ok(()) => {
                self.connection = Some((connection, Instant::now()));
                Ok(())
            }
            Err(error) => {
                // Closed before the turn ends: an open transaction would be in the way of the next.
                connection.close().await;
                drop(turn);
                Err(error)
            }
        }
    }

    async fn connection(&mut self) -> Result<Writer, StorageError> {
        if let Some((mut connection, used)) = self.connection.take()
            && (used.elapsed() < TRUSTED || connection.stands().await)
        {
            return Ok(connection);
        }
        self.database.connect_writer().await
    }
}

impl Writer {
    fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(connection) => Conn::Sqlite(connection),
            Self::Postgres(connection) => Conn::Postgres(connection),
        }
    }

    async fn stands(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(connection) => connection.ping().await.is_ok(),
        }
    }

    async fn close(self) {
        let closed = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close_hard().await,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a connection could not be closed properly");
        }
    }
}
