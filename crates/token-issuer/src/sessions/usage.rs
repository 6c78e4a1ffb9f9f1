//! How often each key of a group issued: added up here, so that the database gets one row per key.

use std::collections::BTreeMap;

use key_admin::ApiKeyId;
use key_admin::api_keys::day_of;
use serde::Serialize;
use storage::{OrganizationId, StorageError, Timestamp, Transaction};

use super::{SessionRow, store};
use crate::TokenIssuer;

impl TokenIssuer {
    /// How many tokens the organization's key has issued since a time, as far as their sessions are not forgotten yet.
    pub async fn tokens_issued_since(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        since: Timestamp,
    ) -> Result<u64, StorageError> {
        let mut read = self.database.read().await?;
        store::count_of_key(read.conn(), organization, key, since).await
    }
}

/// What a group adds to a key's count.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct KeyRow<'a> {
    api_key_id: &'a str,
    organization_id: &'a str,
    tokens_issued: i64,
    /// Unix seconds, of a full minute.
    last_used_at: i64,
    last_used_address: &'a str,
}

/// What a group adds to a key's count of one day.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct DayRow<'a> {
    api_key_id: &'a str,
    day: String,
    organization_id: &'a str,
    tokens_issued: i64,
}

/// Counts the group, in the transaction of its rows.
pub(super) async fn count(tx: &mut Transaction, rows: &[&SessionRow]) -> Result<(), StorageError> {
    store::count(tx.conn(), &json(&keys(rows))?).await?;
    store::count_days(tx.conn(), &json(&days(rows))?).await?;
    Ok(())
}

fn json<T: Serialize>(rows: &T) -> Result<String, StorageError> {
    serde_json::to_string(rows).map_err(|error| StorageError::corrupt("usage row", error))
}

/// In the order of the keys, so that two nodes do not lock the same rows in different orders.
fn keys<'a>(rows: &[&'a SessionRow]) -> Vec<KeyRow<'a>> {
    let mut keys: BTreeMap<&str, KeyRow<'a>> = BTreeMap::new();
    for row in rows {
        let minute = row.issued_at - row.issued_at.rem_euclid(60);
        let key = keys.entry(&row.api_key_id).or_insert(KeyRow {
            api_key_id: &row.api_key_id,
            organization_id: &row.organization_id,
            tokens_issued: 0,
            last_used_at: minute,
            last_used_address: &row.client_address,
        });
        key.tokens_issued += 1;
        if minute >= key.last_used_at {
            key.last_used_at = minute;
            key.last_used_address = &row.client_address;
        }
    }
    keys.into_values().collect()
}

fn days<'a>(rows: &[&'a SessionRow]) -> Vec<DayRow<'a>> {
    let mut days: BTreeMap<(&str, i64), DayRow<'a>> = BTreeMap::new();
    for row in rows {
        let number = row.issued_at.div_euclid(24 * 60 * 60);
        let day = days
            .entry((&row.api_key_id, number))
            .or_insert_with(|| DayRow {
                api_key_id: &row.api_key_id,
                day: day_of(Timestamp::from_unix_seconds(row.issued_at)),
                organization_id: &row.organization_id,
                tokens_issued: 0,
            });
        day.tokens_issued += 1;
    }
    days.into_values().collect()
}
