//! Finding sessions, and telling what has become of them.
//!
//! The database narrows down by what it can compare the same way on both engines; what depends on cutoffs or on the type
//! of an attribute's value is decided here, row by row. Pages go by ids, which are ordered by time.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::ApiKeyId;
use key_admin::cutoffs::{self, CutoffKind};
use policy::{AudienceName, PolicyError};
use serde_json::{Map, Value};
use storage::{AudienceId, OrganizationId, SessionId, StorageError, Timestamp};

use super::store::search::Narrowed;
use super::wanted::Wanted;
use super::{CannotHash, Session, hashes, store};
use crate::audiences::{self, MAX_TTL_SECONDS};
use crate::issuance::TokenIssuer;
use crate::revocation::Cutoffs;

/// What stands in place of a value that is nobody's business.
pub const HIDDEN: &str = "[hidden]";

/// A session's id is made just before its token's time is read. Generous: the time itself is compared as well.
const ID_SLACK_SECONDS: i64 = 60;

/// Which sessions to find; what is `None` does not matter.
#[derive(Clone, Default)]
pub struct SessionFilter {
    /// Whom they speak for.
    pub subject: Option<String>,
    /// The API key that asked.
    pub api_key: Option<ApiKeyId>,
    /// The name of the audience.
    pub audience: Option<String>,
    /// A value that an attribute has, or one of its values.
    pub attribute: Option<AttributeFilter>,
    /// Does the token still pass?
    pub active: Option<bool>,
    /// Issued at this time or later.
    pub since: Option<Timestamp>,
    /// Issued before this time.
    pub until: Option<Timestamp>,
}

/// An attribute and a value of it, as somebody writes it: a text, number or boolean.
#[derive(Clone)]
pub struct AttributeFilter {
    /// The attribute.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What has become of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Its token passes.
    Active,
    /// Its token passes, and a later one has taken its place.
    Renewed,
    /// Its token has ended.
    Expired,
    /// Its token is void.
    Revoked(RevokedBy),
}

/// Why a session's token is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// The session was revoked by itself, or the one that it is a part of.
    Session,
    /// A cutoff voids it.
    Cutoff(CutoffKind),
}

impl SessionState {
    /// Does the token still pass?
    pub fn is_active(self) -> bool {
        matches!(self, Self::Active | Self::Renewed)
    }

    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Renewed => "renewed",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
        }
    }
}

impl RevokedBy {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Cutoff(kind) => kind.as_str(),
        }
    }
}

/// A session as it is shown.
#[derive(Clone, Debug)]
pub struct FoundSession {
    /// The session, the values of sensitive attributes [hidden](HIDDEN).
    pub session: Session,
    /// The name of its audience; the identifier of one that was removed.
    pub audience: String,
    /// What has become of it.
    pub state: SessionState,
}

/// Why sessions were not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no such audience.
    #[error("there is no such audience")]
    NoSuchAudience,
    /// The policy, which says what is sensitive, could not be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The value could not be hashed.
    #[error(transparent)]
    Hash(#[from] CannotHash),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What the rows of one organization are looked at with.
struct Lens {
    now: Timestamp,
    cutoffs: std::sync::Arc<Cutoffs>,
    /// Name and `aud`.
    audiences: BTreeMap<AudienceId, (String, String)>,
    policy: std::sync::Arc<policy::PolicySnapshot>,
}

impl TokenIssuer {
    /// Sessions of the organization, the newest first, with ids less than `before`; at most `limit`.
    pub async fn find_sessions(
        &self,
        organization: OrganizationId,
        filter: &SessionFilter,
        before: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<FoundSession>, FindError> {
        let lens = self.lens(organization).await?;
        let wanted = match &filter.attribute {
            Some(AttributeFilter { name, value }) => {
                let hasher = self.hasher.of(organization)?;
                Some(Wanted::written(name, value, &lens.policy, &hasher))
            }
            None => None,
        };
        let mut narrowed = narrowed(filter, &lens, wanted.as_ref(), limit)?;
        if let Some(before) = before {
            narrowed.below = narrowed.below.min(before);
        }
        let mut found = Vec::new();
        loop {
            let page = {
                let mut read = self.read_sessions().await?;
                store::search::page(read.conn(), organization, &narrowed).await?
            };
            let more = page.len() >= limit as usize;
            let roots = self.roots_of(organization, &page).await?;
            for session in page {
                narrowed.below = session.id;
                if wanted
                    .as_ref()
                    .is_some_and(|it| !it.is_in(&session.attributes))
                {
                    continue;
                }
                let root = roots.get(&session.root);
                let session = lens.show(session, root);
                if filter
                    .active
                    .is_none_or(|it| it == session.state.is_active())
                {
                    found.push(session);
                }
                if found.len() >= limit as usize {
                    return Ok(found);
                }
            }
            if !more {
                return Ok(found);
            }
        }
    }

    /// How many sessions there are like this, counted up to `limit`.
    pub async fn count_sessions(
        &self,
        organization: OrganizationId,
        filter: &SessionFilter,
        limit: u32,
    ) -> Result<usize, FindError> {
        let found = self.find_sessions(organization, filter, None, limit);
        Ok(found.await?.len())
    }

    /// One session of the organization; `None` when it has no such session.
    pub async fn find_session(
        &self,
        organization: OrganizationId,
        id: SessionId,
    ) -> Result<Option<FoundSession>, FindError> {
        let session = {
            let mut read = self.read_session(id).await?;
            store::find(read.conn(), organization, id).await?
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let roots = std::slice::from_ref(&session);
        let roots = self.roots_of(organization, roots).await?;
        let lens = self.lens(organization).await?;
        let root = roots.get(&session.root);
        Ok(Some(lens.show(session, root)))
    }

    /// The sessions that narrower tokens among these go back to: what voids those, voids the parts.
    async fn roots_of(
        &self,
        organization: OrganizationId,
        sessions: &[Session],
    ) -> Result<BTreeMap<SessionId, Session>, StorageError> {
        let parts = sessions.iter().filter(|session| session.is_part());
        let ids: BTreeSet<SessionId> = parts.map(|part| part.root).collect();
        let mut roots = BTreeMap::new();
        if ids.is_empty() {
            return Ok(roots);
        }
        let mut read = self.read_sessions().await?;
        for id in ids {
            if let Some(root) = store::find(read.conn(), organization, id).await? {
                roots.insert(id, root);
            }
        }
        Ok(roots)
    }

    async fn lens(&self, organization: OrganizationId) -> Result<Lens, FindError> {
        let now = self.clock.now();
        let (version, audiences) = {
            let mut read = self.database.read().await?;
            let version = cutoffs::revocation_version(read.conn(), organization).await?;
            let audiences = audiences::store::names(read.conn(), organization).await?;
            (version.unwrap_or_default(), audiences)
        };
        let database = &self.database;
        let cutoffs = self.revocations.at(database, organization, version, now);
        Ok(Lens {
            now,
            cutoffs: cutoffs.await?,
            audiences,
            policy: self.policy.snapshot(organization).await?,
        })
    }
}

impl Lens {
    /// `root` is that of a part; any other session stands for itself.
    fn state(&self, session: &Session, root: Option<&Session>) -> SessionState {
        if session.revoked_at.is_some() {
            return SessionState::Revoked(RevokedBy::Session);
        }
        if session.expires_at <= self.now {
            return SessionState::Expired;
        }
        let root = root.filter(|_| session.is_part());
        let voided = self.voided(session);
        match voided.or_else(|| self.voided(root?)) {
            Some(by) => SessionState::Revoked(by),
            None if session.renewed_at.is_some() => SessionState::Renewed,
            None => SessionState::Active,
        }
    }

    fn voided(&self, session: &Session) -> Option<RevokedBy> {
        if session.revoked_at.is_some() {
            return Some(RevokedBy::Session);
        }
        let aud = self.audiences.get(&session.audience);
        let aud = aud.map_or("", |(_, aud)| aud.as_str());
        self.cutoffs.voiding(session, aud).map(RevokedBy::Cutoff)
    }

    fn show(&self, mut session: Session, root: Option<&Session>) -> FoundSession {
        let state = self.state(&session, root);
        for (name, value) in &mut session.attributes {
            if hashes(value).is_some() || self.policy.is_sensitive(name) {
                *value = HIDDEN.into();
            }
        }
        let name = self.audiences.get(&session.audience);
        let audience = name.map_or_else(|| session.audience.to_string(), |(name, _)| name.clone());
        FoundSession {
            session,
            audience,
            state,
        }
    }
}

/// What the database can tell by itself.
fn narrowed(
    filter: &SessionFilter,
    lens: &Lens,
    wanted: Option<&Wanted>,
    limit: u32,
) -> Result<Narrowed, FindError> {
    let audience = match &filter.audience {
        Some(name) => {
            let parsed = AudienceName::parse(name).map_err(|_| FindError::NoSuchAudience)?;
            let mut all = lens.audiences.iter();
            let found = all.find(|(_, (name, _))| name == parsed.as_ref());
            Some(*found.ok_or(FindError::NoSuchAudience)?.0)
        }
        None => None,
    };
    let ever = Timestamp::from_unix_seconds(0);
    let never = Timestamp::from_unix_seconds(253_402_300_799);
    let since = filter.since.unwrap_or(ever).max(ever);
    let until = filter.until.unwrap_or(never).min(never);
    // No token lives longer: what still passes has a later id.
    let oldest = match filter.active {
        Some(true) => lens
            .now
            .plus_seconds(-i64::from(MAX_TTL_SECONDS))
            .max(since),
        _ => since,
    };
    let standing = match filter.active {
        Some(true) => "yes",
        // Cutoffs also void what looks alive to the database.
        Some(false) if lens.cutoffs.is_empty() => "no",
        _ => "any",
    };
    Ok(Narrowed {
        from: SessionId::first_at(oldest.plus_seconds(-ID_SLACK_SECONDS)),
        below: SessionId::first_at(until.plus_seconds(ID_SLACK_SECONDS)),
        since,
        until,
        subject: filter.subject.clone(),
        api_key: filter.api_key.map(|id| id.as_str().to_owned()),
        audience,
        standing,
        now: lens.now,
        needles: wanted.map(|wanted| wanted.needles().clone()),
        limit,
    })
}

/// Without the values: what is printed ends in logs.
impl std::fmt::Debug for SessionFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionFilter")
            .field("api_key", &self.api_key)
            .field("audience", &self.audience)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// Without the value.
impl std::fmt::Debug for AttributeFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttributeFilter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The attributes of a session for people: what is hidden stays hidden.
impl FoundSession {
    /// See [`HIDDEN`].
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.session.attributes
    }
}
