//! One borrowed connection, and the macros that run a query on it.
//!
//! A store function takes a [`Conn`] and runs one static SQL text. The macros write the call out for both drivers,
//! so each keeps its own types (`uuid`, `timestamptz`, `jsonb`), which `sqlx::Any` cannot read.

use sqlx::{PgConnection, SqliteConnection};

/// A connection of either engine, borrowed for one query.
#[derive(Debug)]
pub enum Conn<'c> {
    /// The embedded engine.
    Sqlite(&'c mut SqliteConnection),
    /// The networked engine.
    Postgres(&'c mut PgConnection),
}

/// Runs a statement; the answer is the number of rows it changed.
#[macro_export]
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn {
            $crate::Conn::Sqlite(c) => $crate::sqlx::query($sql)$(.bind($arg))*.execute(c).await.map(|done| done.rows_affected()),
            $crate::Conn::Postgres(c) => $crate::sqlx::query($sql)$(.bind($arg))*.execute(c).await.map(|done| done.rows_affected()),
        }
        .map_err($crate::StorageError::from)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! fetch_with {
    ($method:ident, $conn:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $conn {
            $crate::Conn::Sqlite(c) => $crate::sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$method(c).await,
            $crate::Conn::Postgres(c) => $crate::sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$method(c).await,
        }
        .map_err($crate::StorageError::from)
    };
}

/// Runs a query whose answer is exactly one row.
#[macro_export]
macro_rules! fetch_one {
    ($($query:tt)*) => { $crate::fetch_with!(fetch_one, $($query)*) };
}

/// Runs a query whose answer is one row or none.
#[macro_export]
macro_rules! fetch_optional {
    ($($query:tt)*) => { $crate::fetch_with!(fetch_optional, $($query)*) };
}

/// Runs a query whose answer is any number of rows.
#[macro_export]
macro_rules! fetch_all {
    ($($query:tt)*) => { $crate::fetch_with!(fetch_all, $($query)*) };
}
