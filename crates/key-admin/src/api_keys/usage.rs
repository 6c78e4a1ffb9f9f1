//! How much a key is used. Counted by the `token-issuer` crate, in the transaction of the session rows.

use std::collections::BTreeMap;

use serde::Serialize;
use storage::{BatchSql, Conn, OrganizationId, StorageError, Timestamp, fetch_all, fetch_batch};

use super::{ApiKeyId, TokenCounts};
use crate::KeyAdmin;

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// Days that are told apart, today included.
const DAYS: i64 = 30;

/// How much a key was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyUsage {
    /// How many tokens were issued.
    pub tokens_issued: TokenCounts,
    /// When the last one was issued, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From where it was asked for.
    pub last_used_address: Option<String>,
    /// Today and the 29 days before, oldest first, without gaps.
    pub days: Vec<DayUsage>,
}

/// One day of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayUsage {
    /// The UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// How many tokens were issued.
    pub tokens_issued: i64,
}

/// The UTC day of a time, `YYYY-MM-DD`.
pub fn day_of(at: Timestamp) -> String {
    let mut text = at.to_string();
    text.truncate("YYYY-MM-DD".len());
    text
}

/// Today and the days before it, oldest first.
fn last_days(now: Timestamp, days: i64) -> impl Iterator<Item = String> {
    (0..days)
        .rev()
        .map(move |ago| day_of(now.plus_seconds(-ago * DAY_SECONDS)))
}

/// The first of the days that are told apart.
pub(super) fn first_day(now: Timestamp) -> String {
    day_of(now.plus_seconds(-(DAYS - 1) * DAY_SECONDS))
}

impl KeyAdmin {
    /// How much a key was used; `None` when the organization has no such key.
    pub async fn usage(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<Option<KeyUsage>, StorageError> {
        let now = self.clock.now();
        let Some(listed) = self.get_key(organization, id).await? else {
            return Ok(None);
        };
        let mut read = self.database.read_settled().await?;
        let counted = days(read.conn(), organization, id, &first_day(now)).await?;
        let days = last_days(now, DAYS).map(|day| {
            let found = counted.iter().find(|(counted, _)| *counted == day);
            DayUsage {
                tokens_issued: found.map_or(0, |(_, tokens)| *tokens),
                day,
            }
        });
        Ok(Some(KeyUsage {
            tokens_issued: listed.tokens_issued,
            last_used_at: listed.last_used_at,
            last_used_address: listed.last_used_address,
            days: days.collect(),
        }))
    }

    /// How many tokens each of these keys issued, today and on the days before it, `days` of them, at most 30: oldest
    /// first, without gaps. Keys that issued nothing are not in the answer, nor those of other organizations.
    pub async fn usage_of_keys(
        &self,
        organization: OrganizationId,
        ids: &[ApiKeyId],
        days: u8,
    ) -> Result<BTreeMap<ApiKeyId, Vec<i64>>, StorageError> {
        let days: Vec<String> =
            last_days(self.clock.now(), i64::from(days).clamp(1, DAYS)).collect();
        let Some(first) = days.first() else {
            return Ok(BTreeMap::new());
        };
        let mut read = self.database.read_settled().await?;
        let mut usage: BTreeMap<ApiKeyId, Vec<i64>> = BTreeMap::new();
        for (id, day, tokens) in days_of_keys(read.conn(), organization, ids, first).await? {
            let id = ApiKeyId::from_characters(&id)
                .ok_or_else(|| StorageError::corrupt("API key of a count", &id))?;
            let counts = usage.entry(id).or_insert_with(|| vec![0; days.len()]);
            // The clock of another node may be on the next day already.
            if let Ok(place) = days.binary_search(&day) {
                counts[place] = tokens;
            }
        }
        Ok(usage)
    }
}

const DAYS_OF_KEYS: BatchSql = BatchSql {
    sqlite: "select api_key_id, day, tokens_issued from api_key_usage_days
             where api_key_id in (select value from json_each($1)) and organization_id = $2 and day >= $3
             order by api_key_id, day",
    postgres: "select api_key_id, day, tokens_issued from api_key_usage_days
               where api_key_id in (select jsonb_array_elements_text($1::jsonb)) and organization_id = $2 and day >= $3
               order by api_key_id, day",
};

async fn days_of_keys(
    conn: Conn<'_>,
    organization: OrganizationId,
    ids: &[ApiKeyId],
    first: &str,
) -> Result<Vec<(String, String, i64)>, StorageError> {
    let ids: Vec<&str> = ids.iter().map(ApiKeyId::as_str).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| StorageError::corrupt("ids", error))?;
    fetch_batch!(
        conn,
        (String, String, i64),
        DAYS_OF_KEYS,
        &ids,
        organization,
        first,
    )
}

async fn days(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
    first: &str,
) -> Result<Vec<(String, i64)>, StorageError> {
    fetch_all!(
        conn,
        (String, i64),
        "select day, tokens_issued from api_key_usage_days
         where api_key_id = $1 and organization_id = $2 and day >= $3 order by day",
        id.as_str(),
        organization,
        first,
    )
}
