//! How often each key of a group issued: added up here, so that the database gets one row per key.

use std::collections::BTreeMap;
use std::net::IpAddr;

use key_admin::ApiKeyId;
use key_admin::api_keys::day_of;
use serde::Serialize;
use storage::{OrganizationId, StorageError, Timestamp};
use uuid::Uuid;

use super::row::Row;
use super::store;
use crate::TokenIssuer;

impl TokenIssuer {
    /// How many tokens the organization's key has issued since a time, as far as their sessions are not forgotten yet.
    pub async fn tokens_issued_since(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        since: Timestamp,
    ) -> Result<u64, StorageError> {
        let mut read = self.read_sessions().await?;
        store::count_of_key(read.conn(), organization, key, since).await
    }
}

/// What a group adds to a key's count.
#[derive(Debug, Serialize)]
pub(super) struct KeyRow<'a> {
    pub(super) api_key_id: &'a str,
    #[serde(with = "uuid::serde::simple")]
    pub(super) organization_id: Uuid,
    pub(super) tokens_issued: i64,
    /// Unix seconds, of a full minute.
    pub(super) last_used_at: i64,
    pub(super) last_used_address: IpAddr,
}

/// What a group adds to a key's count of one day.
#[derive(Debug, Serialize)]
pub(super) struct DayRow<'a> {
    pub(super) api_key_id: &'a str,
    pub(super) day: String,
    #[serde(with = "uuid::serde::simple")]
    pub(super) organization_id: Uuid,
    pub(super) tokens_issued: i64,
}

/// What a group adds to the counts of its keys. In the order of the keys, so that two nodes do not lock the same rows in different
/// orders; so are the next.
pub(super) fn keys<'a>(rows: &[&'a Row]) -> Vec<KeyRow<'a>> {
    let mut keys: BTreeMap<&str, KeyRow<'a>> = BTreeMap::new();
    for row in rows {
        let minute = row.issued_at - row.issued_at.rem_euclid(60);
        let id = row.api_key_id.as_str();
        let key = keys.entry(id).or_insert_with(|| KeyRow {
            api_key_id: id,
            organization_id: row.organization_id,
            tokens_issued: 0,
            last_used_at: minute,
            last_used_address: row.client_address,
        });
        key.tokens_issued += 1;
        if minute >= key.last_used_at {
            key.last_used_at = minute;
            key.last_used_address = row.client_address;
        }
    }
    keys.into_values().collect()
}

/// What a group adds to the counts of its keys' days.
pub(super) fn days<'a>(rows: &[&'a Row]) -> Vec<DayRow<'a>> {
    let mut days: BTreeMap<(&str, i64), DayRow<'a>> = BTreeMap::new();
    for row in rows {
        let number = row.issued_at.div_euclid(24 * 60 * 60);
        let id = row.api_key_id.as_str();
        let day = days.entry((id, number)).or_insert_with(|| DayRow {
            api_key_id: id,
            day: day_of(row.issued_at()),
            organization_id: row.organization_id,
            tokens_issued: 0,
        });
        day.tokens_issued += 1;
    }
    days.into_values().collect()
}
