//! Many rows, or rows for many keys, in one statement. The engines read a JSON list differently, so the text is written
//! for each.

use crate::{Conn, StorageError};

/// One statement that takes its rows from the JSON list `$1`.
#[derive(Clone, Copy, Debug)]
pub struct BatchSql {
    /// The text for SQLite: `… from json_each($1)`.
    pub sqlite: &'static str,
    /// The text for PostgreSQL: `… from jsonb_to_recordset($1::jsonb) as r(…)`.
    pub postgres: &'static str,
}

/// Runs the statement; the answer is the number of rows it changed.
pub async fn execute_batch(conn: Conn<'_>, sql: BatchSql, rows: &str) -> Result<u64, StorageError> {
    let changed = match conn {
        Conn::Sqlite(c) => sqlx::query(sql.sqlite)
            .bind(rows)
            .execute(c)
            .await?
            .rows_affected(),
        Conn::Postgres(c) => sqlx::query(sql.postgres)
            .bind(rows)
            .execute(c)
            .await?
            .rows_affected(),
    };
    Ok(changed)
}

/// Runs a query with a text for each engine ([`BatchSql`]); the answer is any number of rows.
#[macro_export]
macro_rules! fetch_batch {
    ($conn:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn {
            $crate::Conn::Sqlite(c) => $crate::sqlx::query_as::<_, $row>($sql.sqlite)$(.bind($arg))*.fetch_all(c).await,
            $crate::Conn::Postgres(c) => $crate::sqlx::query_as::<_, $row>($sql.postgres)$(.bind($arg))*.fetch_all(c).await,
        }
        .map_err($crate::StorageError::from)
    };
}
