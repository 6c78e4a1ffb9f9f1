//! Changing the master secret: whatever is sealed under the previous one is sealed under the current one.
//!
//! [`Reseal`] walks every sealed column in small batches. Each batch is one transaction, a row is replaced only if it
//! still holds what was read, and one that opens under the current secret is left alone: the walk can be interrupted
//! anywhere and begun again, and servers that have both secrets go on meanwhile.
//!
//! A new sealed column joins by a variant of [`SealedColumn`] and two functions in its own store.

use key_admin::sealing::{CannotReseal, CannotSeal, SealedRow, Sealer};
use key_admin::{MasterSecrets, sign_in};
use storage::{Conn, Database, StorageError, hold_changes};

use crate::installation_keys::{self, InstallationKeys};
use crate::rings::StartError;
use crate::signing_keys;

/// Rows in one transaction. Other changes wait for its end.
const BATCH_ROWS: i64 = 50;

/// Where sealed values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedColumn {
    /// The [keys of the installation](crate::installation_keys).
    InstallationKeys,
    /// Private [signing keys](crate::signing_keys) and shared secrets, retired ones included.
    SigningKeys,
    /// What the [second factors](key_admin::sign_in) of people in the console are computed from.
    SecondFactors,
}

impl SealedColumn {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::InstallationKeys,
        Self::SigningKeys,
        Self::SecondFactors,
    ];

    /// The table's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InstallationKeys => "installation_keys",
            Self::SigningKeys => "signing_keys",
            Self::SecondFactors => "second_factors",
        }
    }

    /// The rows behind this key.
    pub(crate) async fn read(
        self,
        conn: Conn<'_>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedRow>, StorageError> {
        match self {
            Self::InstallationKeys => installation_keys::sealed(conn, after, limit).await,
            Self::SigningKeys => signing_keys::store::sealed(conn, after, limit).await,
            Self::SecondFactors => sign_in::sealed(conn, after, limit).await,
        }
    }

    /// Replaces the value, if it still is as it was read.
    pub(crate) async fn replace(
        self,
        conn: Conn<'_>,
        row: &SealedRow,
        anew: &[u8],
    ) -> Result<bool, StorageError> {
        match self {
            Self::InstallationKeys => installation_keys::replace_sealed(conn, row, anew).await,
            Self::SigningKeys => signing_keys::store::replace_sealed(conn, row, anew).await,
            Self::SecondFactors => sign_in::replace_sealed(conn, row, anew).await,
        }
    }
}

/// What a batch did to a column. Rows that open under neither secret stay what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The column.
    pub column: SealedColumn,
    /// Values that are sealed under the current secret now.
    pub resealed: u64,
    /// Values that already were.
    pub already: u64,
    /// The keys of rows whose value opens under neither secret.
    pub unreadable: Vec<String>,
}

/// Why the walk ended early. What its earlier batches did remains; begin it again.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    /// The secrets are not those of this installation. Nothing was changed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A value could not be sealed.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One walk through everything that is sealed.
#[derive(Debug)]
pub struct Reseal {
    database: Database,
    sealer: Sealer,
    /// Columns that are left, the present one first.
    columns: &'static [SealedColumn],
    /// The key of the last row that is done.
    after: String,
    batch_rows: i64,
}

impl Reseal {
    /// Begins a walk. The installation's own keys must open under one of the two secrets; of an installation that has
    /// none yet they are made first, while its signing keys still tell which secret they come from.
    pub async fn begin(database: Database, secrets: &MasterSecrets) -> Result<Self, ResealError> {
        let sealer = Sealer::of_both(secrets).map_err(StartError::from)?;
        InstallationKeys::open(&database, secrets).await?;
        Ok(Self {
            database,
            sealer,
            columns: &SealedColumn::ALL,
            after: String::new(),
            batch_rows: BATCH_ROWS,
        })
    }

    #[cfg(test)]
    pub(crate) fn in_batches_of(mut self, rows: i64) -> Self {
        self.batch_rows = rows;
        self
    }

    /// Does the next batch; `None` when everything is done.
    pub async fn next_batch(&mut self) -> Result<Option<Batch>, ResealError> {
        let Some((&column, further)) = self.columns.split_first() else {
            return Ok(None);
        };
        let mut tx = self.database.write().await?;
        // First, like every change of a key ring: two that lock the same rows in another order would block each other.
        hold_changes(&mut tx).await?;
        let rows = column.read(tx.conn(), &self.after, self.batch_rows).await?;
        let mut batch = Batch {
            column,
            resealed: 0,
            already: 0,
            unreadable: Vec::new(),
        };
        let mut done = None;
        for row in &rows {
            match self.sealer.reseal(&row.identity, &row.sealed) {
                Ok(None) => batch.already += 1,
                Ok(Some(anew)) if column.replace(tx.conn(), row, &anew).await? => {
                    batch.resealed += 1;
                }
                // Somebody else changed it just now: the next batch reads it again.
                Ok(Some(_)) => break,
                Err(CannotReseal::Open(_)) => batch.unreadable.push(row.key.clone()),
                Err(CannotReseal::Seal(error)) => return Err(error.into()),
            }
            done = Some(&row.key);
        }
        tx.commit().await?;
        if rows.is_empty() {
            self.columns = further;
            self.after.clear();
        } else if let Some(done) = done {
            self.after.clone_from(done);
        }
        Ok(Some(batch))
    }
}
