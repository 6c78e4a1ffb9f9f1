//! How much a key is used. Counted by the `token-issuer` crate, in the transaction of the session rows.

use serde::Serialize;
use storage::{Conn, OrganizationId, StorageError, Timestamp, fetch_all};

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
        let mut read = self.database.read().await?;
        let counted = days(read.conn(), organization, id, &first_day(now)).await?;
        let days = (0..DAYS).rev().map(|ago| {
            let day = day_of(now.plus_seconds(-ago * DAY_SECONDS));
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
