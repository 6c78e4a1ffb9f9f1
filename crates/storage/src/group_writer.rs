//! One transaction per call, in one trip to the database: what a task needs that writes a group of rows after the other.
//!
//! A transaction of a pool takes a trip for each of its statements and three more, and each wakes two threads. Here the
//! statements travel together, over a connection of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection};

use crate::database::Writer;
use crate::{Conn, Database, StorageError};

/// Statements with what they write. The engines take many rows best in different forms: PostgreSQL as one JSON list,
/// SQLite, where a list would have to be taken apart value by value, as the values themselves.
#[derive(Clone, Debug)]
pub enum Group {
    /// Any number of statements; to be a transaction of their own, `begin immediate; …; commit`.
    Sqlite {
        /// Their text, with parameters `?1`, `?2`, …. Those beyond the values are null.
        sql: Arc<str>,
        /// The values of the parameters.
        values: Vec<SqliteValue>,
    },
    /// One statement, which may have others inside: `with … as (insert …) insert …`.
    Postgres {
        /// Its text.
        sql: &'static str,
        /// JSON lists for its parameters `$1`, `$2`, ….
        lists: Vec<String>,
    },
}

/// A value; cheap to clone.
#[derive(Clone, Debug)]
pub enum SqliteValue {
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A number.
    Number(i64),
    /// Null.
    Null,
}

/// Runs the statements as a part of a transaction.
pub async fn execute_group(conn: Conn<'_>, group: Group) -> Result<(), StorageError> {
    match (conn, group) {
        (Conn::Sqlite(connection), Group::Sqlite { sql, values }) => {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for value in values {
                query = match value {
                    SqliteValue::Text(text) => query.bind(text),
                    SqliteValue::Bytes(bytes) => query.bind(bytes),
                    SqliteValue::Number(number) => query.bind(number),
                    SqliteValue::Null => query.bind(None::<i64>),
                };
            }
            query.execute(connection).await?;
        }
        (Conn::Postgres(connection), Group::Postgres { sql, lists }) => {
            let mut query = sqlx::query(sql);
            for list in lists {
                query = query.bind(list);
            }
            query.execute(connection).await?;
        }
        _ => return Err(StorageError::corrupt("group", "it is for another engine")),
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

    /// Runs the statements, which are a transaction. When this returns `Ok`, a power cut cannot take them back; after an error nothing of them
    /// remains, unless the connection was lost at the very moment of the commit.
    pub async fn write(&mut self, group: Group) -> Result<(), StorageError> {
        if self.database.is_closed() {
            self.connection = None;
            return Err(sqlx::Error::PoolClosed.into());
        }
        // The one writer that SQLite has. PostgreSQL needs no turns.
        let turn = self.database.turn().await?;
        let mut connection = self.connection().await?;
        match execute_group(connection.conn(), group).await {
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
