//! Rows into the tables.

use std::time::Duration;

use storage::{Database, GroupWriter, StorageError};

use super::RecordError;
use crate::sessions::row::Row;
use crate::sessions::store;

/// A database that takes longer has gone; its connection is given up, so that the next group gets another one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// Writes sessions into their table, a group of them in a transaction.
pub(super) struct Writer {
    database: Database,
    groups: GroupWriter,
}

impl Writer {
    pub(super) fn new(database: Database) -> Self {
        Self {
            groups: GroupWriter::new(database.clone()),
            database,
        }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// All of them, or none.
    pub(super) async fn write(&mut self, rows: &[&Row]) -> Result<(), RecordError> {
        if rows.is_empty() {
            return Ok(());
        }
        within_time(rows.len(), async {
            let mut group = self.groups.begin().await?;
            match store::record(group.conn(), rows).await {
                Ok(()) => group.commit().await,
                Err(error) => {
                    group.abandon().await;
                    Err(error)
                }
            }
        })
        .await
    }
}

/// Writes a group of rows unless it has been written. Groups are written whole, so one of its rows tells.
pub(super) async fn write_once(database: &Database, rows: &[&Row]) -> Result<(), StorageError> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let mut tx = database.write().await?;
    if store::exists(tx.conn(), first.organization(), first.session()).await? {
        return Ok(());
    }
    store::record(tx.conn(), rows).await?;
    tx.commit().await
}

/// Waits for a transaction as long as makes sense, and sorts out what went wrong.
pub(super) async fn within_time<T>(
    rows: usize,
    transaction: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, RecordError> {
    let Ok(written) = tokio::time::timeout(WRITE_TIMEOUT, transaction).await else {
        tracing::error!(rows, "the database did not commit sessions in time");
        return Err(RecordError::Unavailable);
    };
    written.map_err(|error| {
        if error.is_unavailable() {
            tracing::error!(%error, rows, "sessions could not be recorded");
            RecordError::Unavailable
        } else if error.is_unique_violation() {
            tracing::info!(
                rows,
                "another process has taken over some of these sessions"
            );
            RecordError::Refused
        } else {
            tracing::error!(%error, rows, "session rows were refused");
            RecordError::Refused
        }
    })
}
