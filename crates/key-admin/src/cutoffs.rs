//! Cutoffs: what an organization issued up to a moment is void.
//!
//! They are set in the transaction of what makes them necessary, such as the revocation of an API key. Each change, and
//! each session that is revoked by itself, raises the organization's *revocation version*: what is derived from
//! revocations carries the version that it was read at, and is good for as long as the version stands.

use std::fmt;

use storage::{
    Conn, OrganizationId, StorageError, Timestamp, Transaction, execute, fetch_all, fetch_optional,
    record_change,
};

/// A cutoff is forgotten when no token that it voids can be of use: the longest life of one, with the time in which it
/// can still be renewed, and an hour for clocks; in seconds.
pub const CUTOFF_SECONDS: i64 = 86_400 + 300 + 3_600;

/// How far ahead a cutoff lies for what issues nothing any more, such as a revoked API key: what it had just begun to
/// issue is void as well. Longer than any request takes; in seconds.
const UNDERWAY_SECONDS: i64 = 60;

/// What a cutoff goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CutoffKind {
    /// Everything of the organization.
    Organization,
    /// The API key that asked, as `client_id` has it.
    ApiKey,
    /// Whom the token speaks for.
    Subject,
    /// `aud`.
    Audience,
    /// The key that signed, by its `kid`.
    SigningKey,
    /// A role.
    Role,
    /// The value of an attribute, or one of its values. As JSON; of a sensitive attribute the stored hash.
    Attribute,
}

impl CutoffKind {
    const ALL: &[Self] = &[
        Self::Organization,
        Self::ApiKey,
        Self::Subject,
        Self::Audience,
        Self::SigningKey,
        Self::Role,
        Self::Attribute,
    ];

    /// The name in snapshots and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::ApiKey => "api_key",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::SigningKey => "signing_key",
            Self::Role => "role",
            Self::Attribute => "attribute",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// What is void up to a moment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CutoffTarget {
    /// What it goes by.
    pub kind: CutoffKind,
    /// The attribute's name; empty for every other kind.
    pub name: String,
    /// The value; empty for [`CutoffKind::Organization`].
    pub value: String,
}

/// Without the value: subjects and attributes are nobody's business in a log.
impl fmt::Debug for CutoffTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CutoffTarget")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl CutoffTarget {
    /// A target of a kind that needs a value and no name.
    pub fn new(kind: CutoffKind, value: impl Into<String>) -> Self {
        Self {
            kind,
            name: String::new(),
            value: value.into(),
        }
    }

    /// Everything of the organization.
    pub fn organization() -> Self {
        Self::new(CutoffKind::Organization, "")
    }

    /// A value of an attribute; the value as JSON.
    pub fn attribute(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            kind: CutoffKind::Attribute,
            name: name.into(),
            value: value.into(),
        }
    }
}

/// A cutoff that holds.
#[derive(Clone, Debug)]
pub struct Cutoff {
    /// What is void.
    pub target: CutoffTarget,
    /// Up to when it was issued.
    pub before: Timestamp,
}

/// Voids what fits and was issued at `before` or earlier. A later cutoff for the same target stays.
pub async fn set_cutoff(
    tx: &mut Transaction,
    organization: OrganizationId,
    target: &CutoffTarget,
    before: Timestamp,
    now: Timestamp,
) -> Result<(), StorageError> {
    execute!(
        tx.conn(),
        "insert into cutoffs (organization_id, kind, name, value, before, ends_at) values ($1, $2, $3, $4, $5, $6)
         on conflict (organization_id, kind, name, value) do update set
             before = case when cutoffs.before > excluded.before then cutoffs.before else excluded.before end,
             ends_at = case when cutoffs.ends_at > excluded.ends_at then cutoffs.ends_at else excluded.ends_at end",
        organization,
        target.kind.as_str(),
        &target.name,
        &target.value,
        before,
        before.plus_seconds(CUTOFF_SECONDS),
    )?;
    record_revocation(tx, organization, now).await
}

/// Voids everything of what issues nothing from now on, also what it is about to issue. Takes the change lock, which every
/// other change takes before the organization's row.
pub async fn void_for_good(
    tx: &mut Transaction,
    organization: OrganizationId,
    target: &CutoffTarget,
    now: Timestamp,
) -> Result<(), StorageError> {
    record_change(tx, organization).await?;
    let before = now.plus_seconds(UNDERWAY_SECONDS);
    set_cutoff(tx, organization, target, before, now).await
}

/// Raises the revocation version: to the milliseconds of `now`, or by one where it is there already.
pub async fn record_revocation(
    tx: &mut Transaction,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let changed = execute!(
        tx.conn(),
        "update organizations
         set revocation_version = case when revocation_version < $2 then $2 else revocation_version + 1 end
         where id = $1",
        organization,
        now.unix_micros() / 1_000,
    )?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StorageError::corrupt("organization", "it is gone"))
    }
}

/// The revocation version; `None` when there is no such organization.
pub async fn revocation_version(
    conn: Conn<'_>,
    organization: OrganizationId,
) -> Result<Option<i64>, StorageError> {
    let sql = "select revocation_version from organizations where id = $1";
    Ok(fetch_optional!(conn, (i64,), sql, organization)?.map(|(version,)| version))
}

/// The cutoffs that can still void something.
pub async fn live_cutoffs(
    conn: Conn<'_>,
    organization: OrganizationId,
    now: Timestamp,
) -> Result<Vec<Cutoff>, StorageError> {
    let rows = fetch_all!(
        conn,
        (String, String, String, Timestamp),
        "select kind, name, value, before from cutoffs where organization_id = $1 and ends_at > $2
         order by kind, name, value",
        organization,
        now,
    )?;
    let cutoff = |(kind, name, value, before): (String, String, String, Timestamp)| {
        let kind = CutoffKind::parse(&kind)
            .ok_or_else(|| StorageError::corrupt("kind of a cutoff", &kind))?;
        let target = CutoffTarget { kind, name, value };
        Ok(Cutoff { target, before })
    };
    rows.into_iter().map(cutoff).collect()
}

/// Forgets cutoffs that can void nothing any more; at most `limit`. Answers how many.
pub async fn forget_cutoffs(
    conn: Conn<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<u64, StorageError> {
    execute!(
        conn,
        "delete from cutoffs where (organization_id, kind, name, value) in (
             select organization_id, kind, name, value from cutoffs where ends_at <= $1 limit $2)",
        now,
        i64::from(limit),
    )
}
