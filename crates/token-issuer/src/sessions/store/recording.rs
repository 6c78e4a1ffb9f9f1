//! Writing session rows, and adding them to the counts of their keys.

use std::sync::LazyLock;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::types::Json;
use sqlx::{Sqlite, SqliteConnection};
use storage::{Conn, StorageError, Timestamp};

use crate::sessions::row::Row;
use crate::sessions::usage::{self, DayRow, KeyRow};

/// The columns of a [`Row`].
macro_rules! columns {
    () => {
        "id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes, resources, request_id,
         client_address, issued_at, expires_at, root_id, ends_at, reference_hash, payload_ciphertext"
    };
}

/// An `insert` for SQLite, of as many rows at once. Values that are bound cost half of what it costs to take JSON apart there, but a
/// statement has as many places as it has: rows are written by some of the first statement, then of the second, and of the last.
struct Insert([(usize, String); 3]);

impl Insert {
    /// `values` has no numbers, so that it can be repeated.
    fn new(head: &str, values: &str, tail: &str) -> Self {
        Self([64, 8, 1].map(|rows| {
            let values = vec![values; rows].join(", ");
            (rows, format!("{head} values {values} {tail}"))
        }))
    }

    async fn run<T>(
        &'static self,
        connection: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(SqliteQuery, &T) -> SqliteQuery,
    ) -> Result<(), StorageError> {
        for (at_once, sql) in &self.0 {
            while let Some((now, later)) = rows.split_at_checked(*at_once) {
                let query = now.iter().fold(sqlx::query(sql.as_str()), &bind);
                let written = query.execute(&mut *connection).await?.rows_affected();
                if written != now.len() as u64 {
                    let detail = format!("{written} rows were written in place of {}", now.len());
                    return Err(StorageError::corrupt("group of sessions", detail));
                }
                rows = later;
            }
        }
        Ok(())
    }
}

type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;

static SESSIONS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        concat!("insert into sessions (", columns!(), ")"),
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?), unhex(?))",
        "",
    )
});

/// The time of last use only moves forward.
static KEYS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at, last_used_address)",
        "(?, ?, ?, ?, ?)",
        "on conflict (api_key_id) do update set
             tokens_issued = api_key_usage.tokens_issued + excluded.tokens_issued,
             last_used_at = max(api_key_usage.last_used_at, excluded.last_used_at),
             last_used_address = case when excluded.last_used_at >= api_key_usage.last_used_at
                 then excluded.last_used_address else api_key_usage.last_used_address end",
    )
});

static DAYS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)",
        "(?, ?, ?, ?)",
        "on conflict (api_key_id, day) do update set
             tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued",
    )
});

/// The same on PostgreSQL, from JSON lists of rows, keys and days: one statement, which is one trip and a transaction of its own.
const RECORD_ON_POSTGRES: &str = concat!(
    "with recorded as (
         insert into sessions (",
    columns!(),
    ")
         select r.id, r.organization_id, r.audience_id, r.api_key_id, r.kid, r.subject, r.roles::jsonb,
                r.attributes::jsonb, r.resources::jsonb, r.request_id, r.client_address,
                to_timestamp(r.issued_at), to_timestamp(r.expires_at), r.root_id, to_timestamp(r.ends_at),
                decode(r.reference_hash, 'hex'), decode(r.payload_ciphertext, 'hex')
         from jsonb_to_recordset($1::jsonb) as r(
             id uuid, organization_id uuid, audience_id uuid, api_key_id text, kid text, subject text,
             roles text, attributes text, resources text, request_id text, client_address text,
             issued_at bigint, expires_at bigint, root_id uuid, ends_at bigint,
             reference_hash text, payload_ciphertext text)
     ), counted as (
         insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at,
                                    last_used_address)
         select r.api_key_id, r.organization_id, r.tokens_issued, to_timestamp(r.last_used_at),
                r.last_used_address
         from jsonb_to_recordset($2::jsonb) as r(
             api_key_id text, organization_id uuid, tokens_issued bigint, last_used_at bigint,
             last_used_address text)
         on conflict (api_key_id) do update set
             tokens_issued = api_key_usage.tokens_issued + excluded.tokens_issued,
             last_used_at = greatest(api_key_usage.last_used_at, excluded.last_used_at),
             last_used_address = case when excluded.last_used_at >= api_key_usage.last_used_at
                 then excluded.last_used_address else api_key_usage.last_used_address end
     )
     insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)
     select r.api_key_id, r.day, r.organization_id, r.tokens_issued
     from jsonb_to_recordset($3::jsonb) as r(
         api_key_id text, day text, organization_id uuid, tokens_issued bigint)
     on conflict (api_key_id, day) do update set
         tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued"
);

/// Writes sessions, and adds them to the counts of their keys.
pub(in crate::sessions) async fn record(conn: Conn<'_>, rows: &[&Row]) -> Result<(), StorageError> {
    let (keys, days) = (usage::keys(rows), usage::days(rows));
    match conn {
        Conn::Sqlite(connection) => {
            let session = |query, row: &&Row| bind_session(query, row);
            SESSIONS.run(connection, rows, session).await?;
            KEYS.run(connection, &keys, bind_key).await?;
            DAYS.run(connection, &days, bind_day).await?;
        }
        Conn::Postgres(connection) => {
            let query = sqlx::query(RECORD_ON_POSTGRES);
            let query = query.bind(Json(rows)).bind(Json(keys)).bind(Json(days));
            query.execute(connection).await?;
        }
    }
    Ok(())
}

fn bind_session(query: SqliteQuery, row: &Row) -> SqliteQuery {
    query
        .bind(row.id)
        .bind(row.organization_id)
        .bind(row.audience_id)
        .bind(row.api_key_id.as_str())
        .bind(row.kid.as_str())
        .bind(row.subject.as_str())
        .bind(row.roles.as_str())
        .bind(row.attributes.as_str())
        .bind(row.resources.as_str())
        .bind(row.request_id.as_str())
        .bind(row.client_address.to_string())
        .bind(row.issued_at())
        .bind(Timestamp::from_unix_seconds(row.expires_at))
        .bind(row.root_id)
        .bind(row.ends_at.map(Timestamp::from_unix_seconds))
        .bind(row.reference_hash.as_deref())
        .bind(row.payload_ciphertext.as_deref())
}

fn bind_key(query: SqliteQuery, key: &KeyRow<'_>) -> SqliteQuery {
    query
        .bind(key.api_key_id)
        .bind(key.organization_id)
        .bind(key.tokens_issued)
        .bind(Timestamp::from_unix_seconds(key.last_used_at))
        .bind(key.last_used_address.to_string())
}

fn bind_day(query: SqliteQuery, day: &DayRow<'_>) -> SqliteQuery {
    query
        .bind(day.api_key_id)
        .bind(day.day.as_str())
        .bind(day.organization_id)
        .bind(day.tokens_issued)
}
