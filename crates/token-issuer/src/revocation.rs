//! What is void before its time: sessions that were revoked by themselves, and cutoffs.
//!
//! Whoever checks a token reads its session's row, and with it the organization's revocation version. The cutoffs are
//! kept in memory under the version that they were read at, so a revocation counts from the moment it is committed, on
//! every node.

use std::collections::HashMap;
use std::sync::Arc;

use key_admin::cutoffs::{self, CutoffKind, CutoffTarget};
use quick_cache::sync::Cache;
use serde_json::Value;
use storage::metrics::CacheUse;
use storage::{Database, OrganizationId, StorageError, Timestamp};

use crate::sessions::{Session, canonical, issued_millis};

/// Organizations whose cutoffs are kept in memory; those of others are read again.
const MAX_ORGANIZATIONS: usize = 10_000;

/// The cutoffs of all organizations, as far as they have been asked for.
#[derive(Debug)]
pub(crate) struct Revocations {
    cache: Cache<OrganizationId, Arc<Cutoffs>>,
}

/// The cutoffs of one organization at one version.
#[derive(Debug)]
pub(crate) struct Cutoffs {
    version: i64,
    /// Milliseconds since the Unix epoch: what was issued then or earlier is void.
    before: HashMap<CutoffTarget, i64>,
}

impl Revocations {
    pub(crate) fn new() -> Self {
        Self {
            cache: Cache::new(MAX_ORGANIZATIONS),
        }
    }

    pub(crate) fn usage(&self) -> CacheUse {
        CacheUse::of(&self.cache)
    }

    /// The cutoffs at this version or a later one.
    pub(crate) async fn at(
        &self,
        database: &Database,
        organization: OrganizationId,
        version: i64,
        now: Timestamp,
    ) -> Result<Arc<Cutoffs>, StorageError> {
        if let Some(known) = self.cache.get(&organization)
            && known.version >= version
        {
            return Ok(known);
        }
        let read = Arc::new(Cutoffs::read(database, organization, now).await?);
        self.cache.insert(organization, read.clone());
        Ok(read)
    }
}

impl Cutoffs {
    async fn read(
        database: &Database,
        organization: OrganizationId,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let mut tx = database.snapshot().await?;
        let version = cutoffs::revocation_version(tx.conn(), organization).await?;
        let live = cutoffs::live_cutoffs(tx.conn(), organization, now).await?;
        let before = live
            .into_iter()
            .map(|cutoff| (cutoff.target, cutoff.before.unix_micros() / 1_000));
        Ok(Self {
            version: version.unwrap_or_default(),
            before: before.collect(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// The kind of one that voids this session, if any does. `aud` is what its token says.
    pub(crate) fn voiding(&self, session: &Session, aud: &str) -> Option<CutoffKind> {
        let issued = issued_millis(session.id, session.issued_at);
        let hit = |target: &CutoffTarget| {
            let before = self.before.get(target);
            before.is_some_and(|before| issued <= *before)
        };
        if self.before.is_empty() {
            return None;
        }
        if hit(&CutoffTarget::organization()) {
            return Some(CutoffKind::Organization);
        }
        let api_key = session.api_key.to_string();
        let named = [
            (CutoffKind::ApiKey, api_key.as_str()),
            (CutoffKind::Subject, &session.subject),
            (CutoffKind::Audience, aud),
            (CutoffKind::SigningKey, &session.kid),
        ];
        let roles = session.roles.iter();
        let roles = roles.map(|role| (CutoffKind::Role, role.as_str()));
        let mut named = named.into_iter().chain(roles);
        named
            .find(|(kind, value)| hit(&CutoffTarget::new(*kind, *value)))
            .map(|(kind, _)| kind)
            .or_else(|| {
                let mut attributes = session.attributes.iter();
                let voided = attributes.any(|(name, value)| {
                    let items = match value {
                        Value::Array(items) => items.as_slice(),
                        value => std::slice::from_ref(value),
                    };
                    let target = |item| CutoffTarget::attribute(name, canonical(item));
                    items.iter().any(|item| hit(&target(item)))
                });
                voided.then_some(CutoffKind::Attribute)
            })
    }
}
