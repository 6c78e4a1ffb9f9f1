use storage::{AudienceId, Conn, OrganizationId, SessionId, StorageError, Timestamp, fetch_all};

use super::SessionRecord;
use crate::sessions::Session;

/// Which sessions to read, as far as SQL can tell.
#[derive(Clone)]
pub(in crate::sessions) struct Narrowed {
    /// The least id.
    pub(in crate::sessions) from: SessionId,
    /// Only ids less than this.
    pub(in crate::sessions) below: SessionId,
    /// Issued at this time or later.
    pub(in crate::sessions) since: Timestamp,
    /// Issued before this time.
    pub(in crate::sessions) until: Timestamp,
    pub(in crate::sessions) subject: Option<String>,
    pub(in crate::sessions) api_key: Option<String>,
    pub(in crate::sessions) audience: Option<AudienceId>,
    /// `yes` for those that have neither ended nor been revoked by themselves, `no` for the others, `any` for both.
    pub(in crate::sessions) standing: &'static str,
    pub(in crate::sessions) now: Timestamp,
    pub(in crate::sessions) needles: Option<Needles>,
    pub(in crate::sessions) limit: u32,
}

/// Texts that the JSON of the attributes has in it: the name, and one of the others.
#[derive(Clone)]
pub(in crate::sessions) struct Needles {
    pub(in crate::sessions) name: String,
    /// `None` where the value may be written in another way.
    pub(in crate::sessions) value: Option<String>,
    pub(in crate::sessions) hash: String,
    pub(in crate::sessions) other_hash: String,
}

/// A text has another one in it if replacing that changes it: the one such test that both engines know by the same name.
macro_rules! page_sql {
    ($subject:literal) => {
        concat!(
            "select id, organization_id, root_id, api_key_id, audience_id, kid, subject, roles, attributes, resources,
                    request_id, client_address, issued_at, expires_at, ends_at, renewed_at, revoked_at
             from sessions
             where organization_id = $1 and id >= $2 and id < $3 and issued_at >= $4 and issued_at < $5
                   and ",
            $subject,
            "and ($7 is null or api_key_id = $7) and ($8 is null or audience_id = $8)
                   and ($9 = 'any' or ($9 = 'yes' and expires_at > $10 and revoked_at is null)
                        or ($9 = 'no' and (expires_at <= $10 or revoked_at is not null)))
                   and ($11 is null or (
                        replace(cast(attributes as text), $11, '') <> cast(attributes as text)
                        and ($12 is null
                             or replace(cast(attributes as text), $12, '') <> cast(attributes as text)
                             or replace(cast(attributes as text), $13, '') <> cast(attributes as text)
                             or replace(cast(attributes as text), $14, '') <> cast(attributes as text))))
             order by id desc limit $15"
        )
    };
}

/// With a subject, the index on it serves.
const OF_SUBJECT: &str = page_sql!("subject = $6 ");
const OF_ANYBODY: &str = page_sql!("($6 is null or subject = $6) ");

/// The latest first.
pub(in crate::sessions) async fn page(
    conn: Conn<'_>,
    organization: OrganizationId,
    narrowed: &Narrowed,
) -> Result<Vec<Session>, StorageError> {
    let needles = narrowed.needles.as_ref();
    let sql = if narrowed.subject.is_some() {
        OF_SUBJECT
    } else {
        OF_ANYBODY
    };
    fetch_all!(
        conn,
        SessionRecord,
        sql,
        organization,
        narrowed.from,
        narrowed.below,
        narrowed.since,
        narrowed.until,
        narrowed.subject.as_deref(),
        narrowed.api_key.as_deref(),
        narrowed.audience,
        narrowed.standing,
        narrowed.now,
        needles.map(|it| it.name.as_str()),
        needles.and_then(|it| it.value.as_deref()),
        needles.map(|it| it.hash.as_str()),
        needles.map(|it| it.other_hash.as_str()),
        i64::from(narrowed.limit),
    )?
    .into_iter()
    .map(Session::try_from)
    .collect()
}
