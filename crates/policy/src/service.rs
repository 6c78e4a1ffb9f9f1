//! The service: decisions with the organization's current policy.

use std::sync::Arc;

use key_admin::{ApiKeyContext, ApiKeyId, KeyCeiling, Organization};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use storage::{
    ChangeFeed, Database, OrganizationId, StorageError, Transaction, Versioned, VersionedCache,
    record_change,
};

use crate::{
    AttributeDeclaration, AudienceLimits, CeilingError, CompileError, CompiledCeiling, Decision,
    Denial, GrantRequest, PolicySnapshot, Role, store,
};

/// The roles and attributes of an organization, as people write them down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyDocument {
    /// The roles.
    pub roles: Vec<Role>,
    /// The attributes.
    pub attributes: Vec<AttributeDeclaration>,
}

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The policy is wrong as a whole. A stored one was written past this crate.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The organization is gone.
    #[error("the organization does not exist any more")]
    OrganizationGone,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Snapshots kept in memory, one per organization in use.
const MAX_ORGANIZATIONS: usize = 10_000;
/// Compiled ceilings kept in memory, one per API key in use.
const MAX_CEILINGS: usize = 100_000;

/// What a compiled ceiling was made of: this state of this key under this version of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CeilingKey {
    key: ApiKeyId,
    key_version: i64,
    policy_version: i64,
}

/// Decides with the policy that is current.
#[derive(Debug)]
pub struct PolicyService {
    database: Database,
    feed: Arc<ChangeFeed>,
    snapshots: VersionedCache<OrganizationId, PolicySnapshot>,
    ceilings: Cache<CeilingKey, Arc<CompiledCeiling>>,
}

impl PolicyService {
    /// Builds the service; policies are read when they are first needed.
    pub fn new(database: Database, feed: Arc<ChangeFeed>) -> Self {
        Self {
            snapshots: VersionedCache::new(feed.clone(), MAX_ORGANIZATIONS),
            ceilings: Cache::new(MAX_CEILINGS),
            database,
            feed,
        }
    }

    /// May this caller have this token? `audience` is `None` when the organization has none of the requested name.
    pub async fn decide(
        &self,
        caller: &ApiKeyContext,
        audience: Option<&AudienceLimits>,
        request: GrantRequest,
    ) -> Result<Decision, PolicyError> {
        let snapshot = self.snapshot(caller.organization()).await?;
        match self.ceiling(caller, &snapshot.value).await {
            Ok(ceiling) => Ok(snapshot.value.decide(&ceiling, audience, request)),
            Err(error) => {
                tracing::warn!(key = %caller.key_id(), %error, "the ceiling of an API key is not usable");
                Ok(Decision::Refused(Denial::from(error)))
            }
        }
    }

    /// Is everything that a ceiling names declared? The inner error says what is not.
    pub async fn check_ceiling(
        &self,
        organization: OrganizationId,
        ceiling: &KeyCeiling,
    ) -> Result<Result<(), String>, PolicyError> {
        let snapshot = self.snapshot(organization).await?;
        let unknown = ceiling.roles.iter().flatten().find(|role| {
            !snapshot
                .value
                .role_names()
                .any(|declared| declared.as_str() == role.as_str())
        });
        if let Some(role) = unknown {
            return Ok(Err(format!("there is no role `{role}`")));
        }
        Ok(match snapshot.value.ceiling("new", ceiling).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Replaces the organization's policy, all or nothing. A wrong one changes nothing.
    pub async fn replace(
        &self,
        organization: OrganizationId,
        document: &PolicyDocument,
    ) -> Result<(), PolicyError> {
        check(document).await?;
        let mut tx = self.database.write().await?;
        // First, for its lock: two replacements side by side would leave a mixture of both documents.
        record_change(&mut tx, organization).await?;
        if Organization::version(tx.conn(), organization)
            .await?
            .is_none()
        {
            return Err(PolicyError::OrganizationGone);
        }
        write(&mut tx, organization, document).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(())
    }

    async fn snapshot(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<Versioned<PolicySnapshot>>, PolicyError> {
        let found = self
            .snapshots
            .get(&organization, || self.load(organization))
            .await?;
        found.ok_or(PolicyError::OrganizationGone)
    }

    async fn load(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Versioned<PolicySnapshot>>, PolicyError> {
        let mut tx = self.database.snapshot().await?;
        let Some(version) = Organization::version(tx.conn(), organization).await? else {
            return Ok(None);
        };
        let roles = store::roles(tx.conn(), organization).await?;
        let attributes = store::attributes(tx.conn(), organization).await?;
        drop(tx);
        let value = PolicySnapshot::compile(version, roles, attributes).await?;
        Ok(Some(Versioned {
            organization,
            version,
            value,
        }))
    }

    async fn ceiling(
        &self,
        caller: &ApiKeyContext,
        snapshot: &PolicySnapshot,
    ) -> Result<Arc<CompiledCeiling>, CeilingError> {
        let key = CeilingKey {
            key: caller.key_id(),
            key_version: caller.version(),
            policy_version: snapshot.version(),
        };
        self.ceilings
            .get_or_insert_async(&key, async {
                snapshot
                    .ceiling(caller.key_id().as_str(), caller.ceiling())
                    .await
                    .map(Arc::new)
            })
            .await
    }
}

/// Replaces the policy of an organization that only `tx` knows yet, after checking it as a whole.
pub async fn replace(
    tx: &mut Transaction,
    organization: OrganizationId,
    document: &PolicyDocument,
) -> Result<(), PolicyError> {
    check(document).await?;
    Ok(write(tx, organization, document).await?)
}

async fn check(document: &PolicyDocument) -> Result<(), CompileError> {
    PolicySnapshot::compile(0, document.roles.clone(), document.attributes.clone()).await?;
    Ok(())
}

async fn write(
    tx: &mut Transaction,
    organization: OrganizationId,
    document: &PolicyDocument,
) -> Result<(), StorageError> {
    store::clear_roles(tx.conn(), organization).await?;
    for role in &document.roles {
        store::insert_role(tx.conn(), organization, role).await?;
    }
    store::clear_attributes(tx.conn(), organization).await?;
    for attribute in &document.attributes {
        store::insert_attribute(tx.conn(), organization, attribute).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
