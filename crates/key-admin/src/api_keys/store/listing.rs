use storage::{Conn, OrganizationId, StorageError, Timestamp, fetch_all, fetch_optional};

use super::KeyRow;
use super::changes::folded;
use crate::api_keys::usage::first_day;
use crate::api_keys::{
    ApiKeyId, ExpiringKey, KeyFilter, KeyOrder, KeyState, ListedKey, TokenCounts, day_of,
};
use crate::like::anywhere;

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    key: KeyRow,
    owner_name: String,
    owner_kind: String,
    created_by_name: Option<String>,
    last_used_at: Option<Timestamp>,
    last_used_address: Option<String>,
    ever: i64,
    today: i64,
    last_30_days: i64,
}

impl ListedRow {
    fn listed(self, now: Timestamp) -> Result<ListedKey, StorageError> {
        let key: crate::ApiKey = self.key.try_into()?;
        Ok(ListedKey {
            state: key.state(now),
            key,
            owner_name: self.owner_name,
            owner_kind: self.owner_kind,
            created_by_name: self.created_by_name,
            last_used_at: self.last_used_at,
            last_used_address: self.last_used_address,
            tokens_issued: TokenCounts {
                today: self.today,
                last_30_days: self.last_30_days,
                ever: self.ever,
            },
        })
    }
}

/// What lists show of a key. The parameters are the organization, today, and the first day that counts.
macro_rules! listed {
    ($($rest:tt)*) => {
        concat!(
            "select k.id, k.organization_id, k.owner_id, k.created_by, k.name, k.permissions, k.ceiling,
                    k.allowed_networks, k.rate_limit, k.created_at, k.expires_at, k.disabled_at, k.revoked_at,
                    k.revoked_reason, k.previous_secret_until,
                    p.name as owner_name, p.kind as owner_kind, c.name as created_by_name,
                    u.last_used_at, u.last_used_address, coalesce(u.tokens_issued, 0) as ever,
                    coalesce((select d.tokens_issued from api_key_usage_days d
                              where d.api_key_id = k.id and d.day = $2), 0) as today,
                    cast(coalesce((select sum(d.tokens_issued) from api_key_usage_days d
                                   where d.api_key_id = k.id and d.day >= $3), 0) as bigint) as last_30_days
             from api_keys k
             join principals p on p.id = k.owner_id
             left join principals c on c.id = k.created_by
             left join api_key_usage u on u.api_key_id = k.id
             where k.organization_id = $1 ",
            $($rest)*
        )
    };
}

/// The keys that match a filter. Every condition is off where its parameter is null.
macro_rules! filtered {
    ($($rest:tt)*) => {
        listed!(
            "and (cast($4 as text) is null or k.name_folded like $4 escape '\\'
                  or substr(k.id, 1, length($5)) = $5)
             and ($6 is null or k.owner_id = $6)
             and (cast($7 as text) is null
                  or $7 = case when k.revoked_at is not null then 'revoked'
                               when k.disabled_at is not null then 'disabled'
                               when k.expires_at <= $8 then 'expired'
                               else 'active' end) ",
            $($rest)*
        )
    };
}

/// Keys of the organization, newest first.
pub(in crate::api_keys) async fn list(
    conn: Conn<'_>,
    organization: OrganizationId,
    filter: &KeyFilter,
    (before, limit): (Option<(Timestamp, ApiKeyId)>, u32),
    now: Timestamp,
) -> Result<Vec<ListedKey>, StorageError> {
    let search = filter.search.as_deref().filter(|text| !text.is_empty());
    let rows = fetch_all!(
        conn,
        ListedRow,
        filtered!(
            "and ($9 is null or k.created_at < $9 or (k.created_at = $9 and k.id < $10))
             order by k.created_at desc, k.id desc limit $11"
        ),
        organization,
        day_of(now),
        first_day(now),
        search.map(|text| anywhere(&folded(text))),
        search.map(id_prefix),
        filter.owner,
        filter.state.map(KeyState::as_str),
        now,
        before.map(|(at, _)| at),
        before.as_ref().map(|(_, id)| id.as_str()),
        i64::from(limit),
    )?;
    rows.into_iter().map(|row| row.listed(now)).collect()
}

/// Keys of the organization that work now and end by a time, the next to end first.
pub(in crate::api_keys) async fn expiring(
    conn: Conn<'_>,
    organization: OrganizationId,
    until: Timestamp,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ExpiringKey>, StorageError> {
    let rows = fetch_all!(
        conn,
        (String, String, String, Timestamp),
        "select k.id, k.name, p.name, k.expires_at
         from api_keys k join principals p on p.id = k.owner_id
         where k.organization_id = $1 and k.expires_at > $2 and k.expires_at <= $3
           and k.revoked_at is null and k.disabled_at is null
         order by k.expires_at, k.id limit $4",
        organization,
        now,
        until,
        i64::from(limit),
    )?;
    let read = |(id, name, owner_name, expires_at): (String, _, _, _)| {
        Ok(ExpiringKey {
            id: ApiKeyId::from_characters(&id)
                .ok_or_else(|| StorageError::corrupt("API key id", &id))?,
            name,
            owner_name,
            expires_at,
        })
    };
    rows.into_iter().map(read).collect()
}

/// The same in any order. A key that has no value to be ordered by comes last.
pub(in crate::api_keys) async fn list_ordered(
    conn: Conn<'_>,
    organization: OrganizationId,
    filter: &KeyFilter,
    (order, (skipped, limit)): (KeyOrder, (u32, u32)),
    now: Timestamp,
) -> Result<Vec<ListedKey>, StorageError> {
    let search = filter.search.as_deref().filter(|text| !text.is_empty());
    let rows = fetch_all!(
        conn,
        ListedRow,
        filtered!(
            "order by case when $9 = 'name' then k.name_folded end,
                      case when $9 = 'last_used' then u.last_used_at end desc nulls last,
                      case when $9 = 'expiry' then k.expires_at end asc nulls last,
                      k.created_at desc, k.id desc
             limit $10 offset $11"
        ),
        organization,
        day_of(now),
        first_day(now),
        search.map(|text| anywhere(&folded(text))),
        search.map(id_prefix),
        filter.owner,
        filter.state.map(KeyState::as_str),
        now,
        order.as_str(),
        i64::from(limit),
        i64::from(skipped),
    )?;
    rows.into_iter().map(|row| row.listed(now)).collect()
}

/// One key as lists show it.
pub(in crate::api_keys) async fn get(
    conn: Conn<'_>,
    organization: OrganizationId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<Option<ListedKey>, StorageError> {
    let row = fetch_optional!(
        conn,
        ListedRow,
        listed!("and k.id = $4"),
        organization,
        day_of(now),
        first_day(now),
        id.as_str(),
    )?;
    row.map(|row| row.listed(now)).transpose()
}

/// The characters of an id that the text may begin, as lists (`jtn_…`) and the API (`key_…`) write it. Of a whole key
/// only the public part is looked for.
fn id_prefix(text: &str) -> &str {
    match text
        .strip_prefix("jtn_")
        .or_else(|| text.strip_prefix("key_"))
    {
        Some(rest) => rest.get(..12).unwrap_or(rest),
        None => text,
    }
}
