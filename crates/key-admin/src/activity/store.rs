use std::collections::BTreeMap;

use serde_json::{Value, json};
use storage::{BatchSql, Conn, OrganizationId, StorageError, execute, execute_batch, fetch_all};

use super::{HourKey, KeyActivity, MinuteKey};
use crate::ApiKeyId;

const ADD_MINUTES: BatchSql = BatchSql {
    sqlite: "insert into activity_minutes (organization_id, minute, refusal_code, requests)
             select unhex(value ->> 'organization_id'), value ->> 'minute', value ->> 'refusal_code',
                    value ->> 'requests'
             from json_each($1) where true
             on conflict (organization_id, minute, refusal_code) do update set
                 requests = activity_minutes.requests + excluded.requests",
    postgres: "insert into activity_minutes (organization_id, minute, refusal_code, requests)
               select r.organization_id, r.minute, r.refusal_code, r.requests
               from jsonb_to_recordset($1::jsonb) as r(
                   organization_id uuid, minute bigint, refusal_code text, requests bigint)
               on conflict (organization_id, minute, refusal_code) do update set
                   requests = activity_minutes.requests + excluded.requests",
};

const ADD_HOURS: BatchSql = BatchSql {
    sqlite: "insert into activity_key_hours (organization_id, hour, api_key_id, tokens_issued)
             select unhex(value ->> 'organization_id'), value ->> 'hour', value ->> 'api_key_id',
                    value ->> 'tokens_issued'
             from json_each($1) where true
             on conflict (organization_id, hour, api_key_id) do update set
                 tokens_issued = activity_key_hours.tokens_issued + excluded.tokens_issued",
    postgres: "insert into activity_key_hours (organization_id, hour, api_key_id, tokens_issued)
               select r.organization_id, r.hour, r.api_key_id, r.tokens_issued
               from jsonb_to_recordset($1::jsonb) as r(
                   organization_id uuid, hour bigint, api_key_id text, tokens_issued bigint)
               on conflict (organization_id, hour, api_key_id) do update set
                   tokens_issued = activity_key_hours.tokens_issued + excluded.tokens_issued",
};

pub(super) async fn add_minutes(
    conn: Conn<'_>,
    counts: &BTreeMap<MinuteKey, i64>,
) -> Result<(), StorageError> {
    let rows = counts
        .iter()
        .map(|((minute, organization, code), requests)| {
            json!({
                "organization_id": organization.as_uuid().simple().to_string(),
                "minute": minute,
                "refusal_code": code,
                "requests": requests,
            })
        });
    add(conn, ADD_MINUTES, rows.collect()).await
}

pub(super) async fn add_hours(
    conn: Conn<'_>,
    counts: &BTreeMap<HourKey, i64>,
) -> Result<(), StorageError> {
    let rows = counts.iter().map(|((hour, organization, key), tokens)| {
        json!({
            "organization_id": organization.as_uuid().simple().to_string(),
            "hour": hour,
            "api_key_id": key.as_str(),
            "tokens_issued": tokens,
        })
    });
    add(conn, ADD_HOURS, rows.collect()).await
}

async fn add(conn: Conn<'_>, sql: BatchSql, rows: Vec<Value>) -> Result<(), StorageError> {
    execute_batch(conn, sql, &Value::Array(rows).to_string()).await?;
    Ok(())
}

/// Removes what is older than this minute.
pub(super) async fn forget_minutes(conn: Conn<'_>, oldest: i64) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from activity_minutes where minute < $1",
        oldest
    )
}

/// Removes what is older than this hour.
pub(super) async fn forget_hours(conn: Conn<'_>, oldest: i64) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from activity_key_hours where hour < $1",
        oldest
    )
}

/// What was counted in the minutes from `first` to before `end`: the number of the step, the code, how many.
pub(super) async fn counts(
    conn: Conn<'_>,
    organization: OrganizationId,
    (first, end): (i64, i64),
    step: i64,
) -> Result<Vec<(i64, String, i64)>, StorageError> {
    fetch_all!(
        conn,
        (i64, String, i64),
        "select minute / $4, refusal_code, cast(sum(requests) as bigint) from activity_minutes
         where organization_id = $1 and minute >= $2 and minute < $3
         group by 1, 2 order by 1, 2",
        organization,
        first,
        end,
        step,
    )
}

pub(super) async fn busiest(
    conn: Conn<'_>,
    organization: OrganizationId,
    first_hour: i64,
    limit: u32,
) -> Result<Vec<KeyActivity>, StorageError> {
    let rows = fetch_all!(
        conn,
        (String, Option<String>, Option<String>, i64),
        "select h.api_key_id, k.name, p.name, h.tokens
         from (select api_key_id, cast(sum(tokens_issued) as bigint) as tokens from activity_key_hours
               where organization_id = $1 and hour >= $2
               group by api_key_id order by 2 desc, 1 limit $3) h
         left join api_keys k on k.id = h.api_key_id
         left join principals p on p.id = k.owner_id
         order by h.tokens desc, h.api_key_id",
        organization,
        first_hour,
        i64::from(limit),
    )?;
    let read = |(id, name, owner_name, tokens_issued): (String, _, _, _)| {
        Ok(KeyActivity {
            id: ApiKeyId::from_characters(&id)
                .ok_or_else(|| StorageError::corrupt("API key of a count", &id))?,
            name,
            owner_name,
            tokens_issued,
        })
    };
    rows.into_iter().map(read).collect()
}
