//! A connection of a task's own, on which it runs one small transaction after the other.
//!
//! A connection of a pool would be fetched and returned each time, and on PostgreSQL a transaction of one statement would take three
//! trips in place of one.

use std::time::{Duration, Instant};

use sqlx::Connection;

use crate::database::{Turn, Writer};
use crate::{Conn, Database, StorageError};

/// A connection that has not been used for this long is asked whether it still stands.
const TRUSTED: Duration = Duration::from_secs(1);

/// Writes groups.
#[derive(Debug)]
pub struct GroupWriter {
    database: Database,
    /// None while it is in use: a call that fails, or is given up, takes it away, and with it what was not committed.
    connection: Option<(Writer, Instant)>,
}

/// What is written together. On SQLite it is a transaction; PostgreSQL takes a group as one statement, which is one by itself.
/// Dropped without [`GroupTransaction::commit`], it closes its connection, and on SQLite leaves no trace.
#[derive(Debug)]
pub struct GroupTransaction<'a> {
    writer: &'a mut GroupWriter,
    connection: Writer,
    /// The one writer that SQLite has. PostgreSQL needs no turns.
    turn: Turn,
}

impl GroupWriter {
    /// Connects when it first writes.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            connection: None,
        }
    }

    /// Begins a group.
    pub async fn begin(&mut self) -> Result<GroupTransaction<'_>, StorageError> {
        if self.database.is_closed() {
            self.connection = None;
            return Err(sqlx::Error::PoolClosed.into());
        }
        let turn = self.database.turn().await?;
        let mut connection = self.connection().await?;
        connection.begin().await?;
        Ok(GroupTransaction {
            writer: self,
            connection,
            turn,
        })
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

impl GroupTransaction<'_> {
    /// Borrows it for one query; on PostgreSQL for the only one.
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.connection {
            Writer::Sqlite(connection) => Conn::Sqlite(connection),
            Writer::Postgres(connection) => Conn::Postgres(connection),
        }
    }

    /// Makes the group durable. When this returns `Ok`, a power cut cannot take it back; after an error nothing of it remains, unless
    /// the connection was lost at the very moment of the commit.
    pub async fn commit(mut self) -> Result<(), StorageError> {
        match self.connection.commit().await {
            Ok(()) => {
                self.writer.connection = Some((self.connection, Instant::now()));
                Ok(())
            }
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    /// Takes everything back. The connection is closed before the turn ends: an open transaction would be in the way of the next.
    pub async fn abandon(self) {
        self.connection.close().await;
        drop(self.turn);
    }
}

impl Writer {
    async fn begin(&mut self) -> Result<(), StorageError> {
        if let Self::Sqlite(connection) = self {
            let begin = sqlx::query("begin immediate");
            begin.execute(connection).await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StorageError> {
        if let Self::Sqlite(connection) = self {
            sqlx::query("commit").execute(connection).await?;
        }
        Ok(())
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
