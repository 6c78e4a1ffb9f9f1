//! How a group of sessions is written: their rows, and what they add to the counts of their keys and of the keys' days.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use storage::{Group, SqliteValue};

use super::super::row::{COLUMNS, Form};

/// The time of last use only moves forward.
const ON_POSTGRES: &str = "with recorded as (
        insert into sessions (id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes,
                              resources, request_id, client_address, issued_at, expires_at, root_id,
                              ends_at, reference_hash, payload_ciphertext)
        select r.id, r.organization_id, r.audience_id, r.api_key_id, r.kid, r.subject, r.roles,
               r.attributes, r.resources, r.request_id, r.client_address, to_timestamp(r.issued_at),
               to_timestamp(r.expires_at), r.root_id, to_timestamp(r.ends_at),
               decode(r.reference_hash, 'hex'), decode(r.payload_ciphertext, 'hex')
        from jsonb_to_recordset($1::jsonb) as r(
            id uuid, organization_id uuid, audience_id uuid, api_key_id text, kid text, subject text,
            roles jsonb, attributes jsonb, resources jsonb, request_id text, client_address text,
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
        tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued";

/// What follows the rows on SQLite: the counts in `?1`, and those of the days in `?2`.
const COUNTS_ON_SQLITE: &str = "
insert into api_key_usage (api_key_id, organization_id, tokens_issued, last_used_at, last_used_address)
select value ->> 'api_key_id', unhex(value ->> 'organization_id'), value ->> 'tokens_issued',
       (value ->> 'last_used_at') * 1000000, value ->> 'last_used_address'
from json_each(?1) where true
on conflict (api_key_id) do update set
    tokens_issued = api_key_usage.tokens_issued + excluded.tokens_issued,
    last_used_at = max(api_key_usage.last_used_at, excluded.last_used_at),
    last_used_address = case when excluded.last_used_at >= api_key_usage.last_used_at
        then excluded.last_used_address else api_key_usage.last_used_address end;
insert into api_key_usage_days (api_key_id, day, organization_id, tokens_issued)
select value ->> 'api_key_id', value ->> 'day', unhex(value ->> 'organization_id'), value ->> 'tokens_issued'
from json_each(?2) where true
on conflict (api_key_id, day) do update set
    tokens_issued = api_key_usage_days.tokens_issued + excluded.tokens_issued";

/// For how many rows there are statements on SQLite: a group takes the next larger ones, whose other rows are null. Each
/// text is prepared once; one for every number would be prepared over and over.
const SIZES: [usize; 6] = [8, 32, 64, 128, 256, 512];
/// The most rows of one statement. Beyond it, SQLite takes longer for each.
const ROWS_PER_STATEMENT: usize = 128;
/// The most rows of a group.
pub(in super::super) const MAX_ROWS: usize = SIZES[SIZES.len() - 1];

/// The statements for each of the [`SIZES`], as a part of a transaction and as one of their own.
static ON_SQLITE: LazyLock<[(Arc<str>, Arc<str>); SIZES.len()]> = LazyLock::new(|| {
    SIZES.map(|rows| {
        let statements = on_sqlite(rows);
        let whole = format!("begin immediate; {statements}; commit");
        (statements.into(), whole.into())
    })
});

fn on_sqlite(rows: usize) -> String {
    let mut sql = String::new();
    // Behind the counts.
    let mut parameters = 3..;
    for first in (0..rows).step_by(ROWS_PER_STATEMENT) {
        let _ = write!(
            sql,
            "insert into sessions ({}) select * from (values ",
            COLUMNS.join(", ")
        );
        for row in first..rows.min(first + ROWS_PER_STATEMENT) {
            sql.push_str(if row == first { "(" } else { ", (" });
            for (column, parameter) in (0..COLUMNS.len()).zip(&mut parameters) {
                let comma = if column == 0 { "" } else { ", " };
                let _ = write!(sql, "{comma}?{parameter}");
            }
            sql.push(')');
        }
        sql.push_str(") where column1 is not null;");
    }
    sql + COUNTS_ON_SQLITE
}

/// Is it a transaction of its own?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Extent {
    /// It is.
    Whole,
    /// It is a part of one.
    Part,
}

/// The group of these rows, at most [`MAX_ROWS`] and at least one, all in the form of one engine.
pub(in super::super) fn group<'a>(
    rows: impl ExactSizeIterator<Item = &'a Form> + Clone,
    (keys, days): (String, String),
    extent: Extent,
) -> Group {
    if rows.clone().all(|row| matches!(row, Form::Json(_))) {
        let rows: Vec<&str> = rows.filter_map(Form::json).collect();
        return Group::Postgres {
            sql: ON_POSTGRES,
            lists: vec![format!("[{}]", rows.join(",")), keys, days],
        };
    }
    // More rows than the largest have more values than its statements have parameters, which SQLite refuses.
    let size = SIZES.iter().position(|size| rows.len() <= *size);
    let (part, whole) = &ON_SQLITE[size.unwrap_or(SIZES.len() - 1)];
    let mut values = Vec::with_capacity(2 + rows.len() * COLUMNS.len());
    values.push(SqliteValue::Text(keys.into()));
    values.push(SqliteValue::Text(days.into()));
    values.extend(rows.filter_map(Form::values).flatten().cloned());
    Group::Sqlite {
        sql: if extent == Extent::Whole { whole } else { part }.clone(),
        values,
    }
}
