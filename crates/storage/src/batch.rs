//! Many rows in one statement. The engines read a JSON list differently, so the text is written for each.

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
