//! How often each key of a group issued: added up here, so that the database gets one row per key.

use std::collections::BTreeMap;
use std::net::IpAddr;

use key_admin::ApiKeyId;
use key_admin::api_keys::day_of;
use serde::Serialize;
use storage::{OrganizationId, StorageError, Timestamp};

use super::row::Issued;
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
#[derive(Debug, PartialEq, Eq, Serialize)]
struct KeyRow<'a> {
    api_key_id: &'a str,
    organization_id: String,
    tokens_issued: i64,
    /// Unix seconds, of a full minute.
    last_used_at: i64,
    last_used_address: IpAddr,
}

/// What a group adds to a key's count of one day.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct DayRow<'a> {
    api_key_id: &'a str,
    day: String,
    organization_id: String,
    tokens_issued: i64,
}

/// What a group adds to the counts of its keys, and to those of their days, as JSON lists. In the order of the keys, so
/// that two nodes do not lock the same rows in different orders.
pub(super) fn of<'a>(
    issued: impl Iterator<Item = &'a Issued> + Clone,
) -> Result<(String, String), StorageError> {
    Ok((json(&keys(issued.clone()))?, json(&days(issued))?))
}

fn json<T: Serialize>(rows: &T) -> Result<String, StorageError> {
    serde_json::to_string(rows).map_err(|error| StorageError::corrupt("usage row", error))
}

fn keys<'a>(issued: impl Iterator<Item = &'a Issued>) -> Vec<KeyRow<'a>> {
    let mut keys: BTreeMap<&str, KeyRow<'a>> = BTreeMap::new();
    for one in issued {
        let seconds = one.at.unix_seconds();
        let minute = seconds - seconds.rem_euclid(60);
        let id = one.api_key.as_str();
        let key = keys.entry(id).or_insert_with(|| KeyRow {
            api_key_id: id,
            organization_id: one.organization.as_uuid().simple().to_string(),
            tokens_issued: 0,
            last_used_at: minute,
            last_used_address: one.client,
        });
        key.tokens_issued += 1;
        if minute >= key.last_used_at {
            key.last_used_at = minute;
            key.last_used_address = one.client;
        }
    }
    keys.into_values().collect()
}

fn days<'a>(issued: impl Iterator<Item = &'a Issued>) -> Vec<DayRow<'a>> {
    let mut days: BTreeMap<(&str, i64), DayRow<'a>> = BTreeMap::new();
    for one in issued {
        let number = one.at.unix_seconds().div_euclid(24 * 60 * 60);
        let id = one.api_key.as_str();
        let day = days.entry((id, number)).or_insert_with(|| DayRow {
            api_key_id: id,
            day: day_of(one.at),
            organization_id: one.organization.as_uuid().simple().to_string(),
            tokens_issued: 0,
        });
        day.tokens_issued += 1;
    }
    days.into_values().collect()
}
