//! What can go wrong below a service.

/// A failed database operation. Its text may name tables and paths: it belongs in logs, never in an answer.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database cannot be reached, is full, or has no connection to give: try again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A row with the same unique value exists.
    #[error("a unique value is taken already")]
    UniqueViolation(#[source] sqlx::Error),
    /// The query, a row or a stored value is not what this version of Jeton expects.
    #[error("the database answered unexpectedly: {0}")]
    Unexpected(#[source] sqlx::Error),
    /// A stored value does not decode; the row was written by something else.
    #[error("the stored {what} is not readable: {detail}")]
    Corrupt {
        /// Which value, in words.
        what: &'static str,
        /// Why it does not decode.
        detail: String,
    },
    /// The schema cannot be brought to, or is not at, the version of this binary.
    #[error("{0}")]
    Schema(String),
    /// The database address is not understood.
    #[error("the database URL is not usable: {0}")]
    Url(String),
    /// This node could not confirm within the bound that what it has cached is still true.
    #[error("changes could not be confirmed within the staleness bound")]
    Stale,
}

impl StorageError {
    /// Did a unique constraint refuse the row?
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::UniqueViolation(_))
    }

    /// Is trying again later the right answer?
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Stale)
    }

    /// A stored value that does not decode.
    pub fn corrupt(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what,
            detail: detail.to_string(),
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(database) if database.is_unique_violation() => Self::UniqueViolation(error),
            E::Database(database) if is_transient(database.code().as_deref()) => {
                Self::Unavailable(error)
            }
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(error)
            }
            _ => Self::Unexpected(error),
        }
    }
}

/// SQLite: busy (5, 261, 517), I/O error (10 and its kinds), full (13). PostgreSQL: connection exceptions (08),
/// serialization and deadlock (40), resources (53), operator intervention (57).
fn is_transient(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    match code.parse::<u32>() {
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 10 | 13),
        _ => ["08", "40", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class)),
    }
}
