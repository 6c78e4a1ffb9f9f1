//! The database: which engine, and how connections are handed out.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::metrics::PoolUse;
use crate::{Arrivals, Conn, StorageError};

/// Which engine a database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// For more than one node.
    Postgres,
}

/// How long a caller waits for a free connection, or for SQLite's write lock, before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A handle to the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pools: Pools,
    arrivals: Arc<Arrivals>,
}

#[derive(Clone, Debug)]
enum Pools {
    /// SQLite has one writer. Waiting writers queue in order for their turn, instead of polling for the file lock.
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
        turn: Arc<Mutex<()>>,
    },
    Postgres(PgPool),
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://…`, which must exist: a typing mistake makes no new database.
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        if url.starts_with("sqlite:") {
            let path = sqlite_options(url)?.get_filename().to_owned();
            if !path.is_file() {
                let fault = format!(
                    "there is no file {}: `jeton migrate` makes it",
                    path.display()
                );
                return Err(StorageError::Url(fault));
            }
        }
        Self::connect(url).await
    }

    /// Opens `sqlite:PATH` or `postgres://…`. A SQLite file that does not exist is made, readable by its owner only.
    pub async fn connect(url: &str) -> Result<Self, StorageError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let pools = match scheme {
            "sqlite" => Self::connect_sqlite(url).await?,
            "postgres" | "postgresql" => Self::connect_postgres(url).await?,
            _ => {
                return Err(StorageError::Url(
                    "it starts with neither sqlite: nor postgres://".into(),
                ));
            }
        };
        Ok(Self {
            pools,
            arrivals: Arc::default(),
        })
    }

    async fn connect_sqlite(url: &str) -> Result<Pools, StorageError> {
        let options = sqlite_options(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            .disable_statement_logging();
        create_private(options.get_filename())?;
        // A connection to a file does not go stale: it is not asked each time whether it still stands.
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false);
        let writer = pool.clone().max_connections(1);
        let writer = writer.connect_with(options.clone()).await?;
        let readers = pool.max_connections(8);
        let readers = readers.connect_with(options.pragma("query_only", "on"));
        Ok(Pools::Sqlite {
            readers: readers.await?,
            writer,
            turn: Arc::default(),
        })
    }

    async fn connect_postgres(url: &str) -> Result<Pools, StorageError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StorageError::Url("not a PostgreSQL connection URL".into()))?
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(limit_waiting(connection)))
            .connect_with(options)
            .await?;
        Ok(Pools::Postgres(pool))
    }

    /// The engine behind this handle.
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// A connection for single queries that change nothing.
    pub async fn read(&self) -> Result<ReadConn, StorageError> {
        Ok(ReadConn(match &self.pools {
            Pools::Sqlite { readers, .. } => Read::Sqlite(readers.acquire().await?),
            Pools::Postgres(pool) => Read::Postgres(pool.acquire().await?),
        }))
    }

    /// The rows that this process has promised and not written yet.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The same as [`Database::read`], where all rows that this process has promised are to be seen.
    pub async fn read_settled(&self) -> Result<ReadConn, StorageError> {
        self.arrivals.settle().await?;
        self.read().await
    }

    /// A read-only transaction: all its queries see the same moment.
    pub async fn snapshot(&self) -> Result<Transaction, StorageError> {
        Ok(Transaction(match &self.pools {
            Pools::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?, Turn(None)),
            Pools::Postgres(pool) => Tx::Postgres(
                pool.begin_with("begin isolation level repeatable read read only")
                    .await?,
            ),
        }))
    }

    /// A transaction that writes. Dropped without [`Transaction::commit`], it leaves no trace.
    pub async fn write(&self) -> Result<Transaction, StorageError> {
        Ok(Transaction(match &self.pools {
            // A plain `begin` would take the lock only at the first write, after its reads may have gone stale.
            Pools::Sqlite { writer, .. } => {
                let turn = self.turn().await?;
                Tx::Sqlite(writer.begin_with("begin immediate").await?, turn)
            }
            Pools::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        }))
    }

    /// The right to write: SQLite's writers have it one after the other, in the order in which they asked.
    pub(crate) async fn turn(&self) -> Result<Turn, StorageError> {
        match &self.pools {
            Pools::Sqlite { turn, .. } => {
                let turn = tokio::time::timeout(ACQUIRE_TIMEOUT, turn.clone().lock_owned()).await;
                Ok(Turn(Some(turn.map_err(|_| sqlx::Error::PoolTimedOut)?)))
            }
            Pools::Postgres(_) => Ok(Turn(None)),
        }
    }

    /// Another connection that writes, outside of the pool.
    pub(crate) async fn connect_writer(&self) -> Result<Writer, StorageError> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => {
                Writer::Sqlite(writer.connect_options().connect().await?)
            }
            Pools::Postgres(pool) => {
                let mut connection = pool.connect_options().connect().await?;
                limit_waiting(&mut connection).await?;
                Writer::Postgres(connection)
            }
        })
    }

    /// The file of the embedded engine.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                Some(writer.connect_options().get_filename().to_owned())
            }
            Pools::Postgres(_) => None,
        }
    }

    /// How its connections are used.
    pub fn pools(&self) -> Vec<PoolUse> {
        match &self.pools {
            Pools::Sqlite {
                readers, writer, ..
            } => {
                vec![usage("read", readers), usage("write", writer)]
            }
            Pools::Postgres(pool) => vec![usage("all", pool)],
        }
    }

    /// Has it been closed?
    pub fn is_closed(&self) -> bool {
        match &self.pools {
            Pools::Sqlite { writer, .. } => writer.is_closed(),
            Pools::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Closes all connections once they are returned.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite {
                readers, writer, ..
            } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    pub(crate) async fn run_migrations(
        &self,
        sqlite: &sqlx::migrate::Migrator,
        postgres: &sqlx::migrate::Migrator,
    ) -> Result<(), sqlx::migrate::MigrateError> {
        match &self.pools {
            // sqlx locks only PostgreSQL while it migrates. Here one transaction around all steps keeps a second
            // process from running them too.
            Pools::Sqlite { writer, .. } => {
                let mut tx = writer.begin_with("begin immediate").await?;
                sqlite.run_direct(None, &mut *tx, false).await?;
                Ok(tx.commit().await?)
            }
            Pools::Postgres(pool) => postgres.run(pool).await,
        }
    }
}

fn usage<D: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<D>) -> PoolUse {
    PoolUse {
        name,
        open: pool.size().into(),
        idle: pool.num_idle() as u64,
        max: pool.options().get_max_connections().into(),
    }
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, StorageError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| StorageError::Url(error.to_string()))?;
    // In memory, each connection would have a database of its own, and nothing would be durable.
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StorageError::Url(
            "a database in memory keeps nothing".into(),
        ));
    }
    Ok(options)
}

/// A statement that waits longer than any client does must not hold its connection, and a transaction that its client
/// has forgotten must not hold its locks.
async fn limit_waiting(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "set statement_timeout = '30s';
         set lock_timeout = '10s';
         set idle_in_transaction_session_timeout = '60s'",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// SQLite would make the file with the process's umask, often world-readable.
pub(crate) fn create_private(path: &Path) -> Result<(), StorageError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StorageError::Url(format!(
            "cannot create {}: {error}",
            path.display()
        ))),
    }
}

/// A connection of one task's own.
#[derive(Debug)]
pub(crate) enum Writer {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// See [`Database::turn`]; it ends with this.
#[derive(Debug)]
pub(crate) struct Turn(
    #[expect(dead_code, reason = "held, never looked at")] Option<OwnedMutexGuard<()>>,
);

/// A connection for reading.
#[derive(Debug)]
pub struct ReadConn(Read);

#[derive(Debug)]
enum Read {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl ReadConn {
    /// Borrows it for one query.
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Read::Sqlite(connection) => Conn::Sqlite(connection),
            Read::Postgres(connection) => Conn::Postgres(connection),
        }
    }
}

/// An open transaction.
#[derive(Debug)]
pub struct Transaction(Tx);

#[derive(Debug)]
enum Tx {
    /// The turn ends after the transaction.
    Sqlite(sqlx::Transaction<'static, Sqlite>, Turn),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// Borrows it for one query.
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.0 {
            Tx::Sqlite(tx, _) => Conn::Sqlite(tx),
            Tx::Postgres(tx) => Conn::Postgres(tx),
        }
    }

    /// Makes everything in it durable. When this returns `Ok`, a power cut cannot take it back.
    pub async fn commit(self) -> Result<(), StorageError> {
        match self.0 {
            Tx::Sqlite(tx, _turn) => tx.commit().await?,
            Tx::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
