//! The service: decisions with the organization's current policy, and changes of it.

mod edit;
mod list;
mod parts;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use key_admin::{ApiKeyContext, ApiKeyId, KeyCeiling};
use quick_cache::sync::Cache;
use storage::metrics::{CacheUse, Histogram, HistogramSnapshot};
use storage::{
    ChangeFeed, Clock, Database, OrganizationId, StorageError, Transaction, Versioned,
    VersionedCache,
};
use tokio::sync::Mutex;

use crate::{
    AudienceLimits, CeilingError, CompileError, CompiledCeiling, Decision, Denial, Explanation,
    GrantRequest, PolicyDocument, PolicySnapshot, store,
};

pub use edit::{EditError, Edited};
pub use parts::{PartChange, PartName, PolicyPart};

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
    clock: Arc<dyn Clock>,
    /// What is known to be current: goes by the organization's version, and costs one small query to learn anew.
    current: VersionedCache<OrganizationId, Arc<PolicySnapshot>>,
    /// What was compiled: goes by the policy's own version, so that a new API key does not compile a policy again.
    compiled: Cache<OrganizationId, Arc<PolicySnapshot>>,
    ceilings: Cache<CeilingKey, Arc<CompiledCeiling>>,
    /// Edits of one organization wait for each other here, so that those of one node never have to try again.
    edits: Cache<OrganizationId, Arc<Mutex<()>>>,
    compiles: Histogram,
    newest: AtomicI64,
}

/// What a node knows of policies.
#[derive(Clone, Debug)]
pub struct PolicyUse {
    /// How long it took to compile each policy, for decisions or to check a change.
    pub compiles: HistogramSnapshot,
    /// The newest version of all policies that were compiled, 0 for none. Versions are numbers of the database's
    /// changes, the same on every node.
    pub newest: i64,
    /// How many compiled policies are in memory.
    pub compiled: u64,
    /// How the caches are used, by their names.
    pub caches: [(&'static str, CacheUse); 2],
}

impl PolicyService {
    /// Builds the service; policies are read when they are first needed.
    pub fn new(database: Database, feed: Arc<ChangeFeed>, clock: Arc<dyn Clock>) -> Self {
        Self {
            current: VersionedCache::new(feed.clone(), MAX_ORGANIZATIONS),
            compiled: Cache::new(MAX_ORGANIZATIONS),
            ceilings: Cache::new(MAX_CEILINGS),
            edits: Cache::new(MAX_ORGANIZATIONS),
            compiles: Histogram::of_times(),
            newest: AtomicI64::new(0),
            database,
            feed,
            clock,
        }
    }

    /// What this node knows of policies.
    pub fn usage(&self) -> PolicyUse {
        PolicyUse {
            compiles: self.compiles.snapshot(),
            newest: self.newest.load(Ordering::Relaxed),
            compiled: self.compiled.len() as u64,
            caches: [
                ("policies", self.current.usage()),
                ("ceilings", CacheUse::of(&self.ceilings)),
            ],
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
        match self.ceiling(caller, &snapshot) {
            Ok(ceiling) => Ok(snapshot.decide(&ceiling, audience, request)),
            Err(error) => {
                tracing::warn!(key = %caller.key_id(), %error, "the ceiling of an API key is not usable");
                Ok(Decision::Refused(Denial::from(error)))
            }
        }
    }

    /// Why would a key with this ceiling get this token, or not? With the policy that was asked. The inner error says why
    /// the ceiling allows nothing.
    pub async fn explain(
        &self,
        organization: OrganizationId,
        ceiling: &KeyCeiling,
        audience: Option<&AudienceLimits>,
        request: GrantRequest,
    ) -> Result<(Arc<PolicySnapshot>, Result<Explanation, Denial>), PolicyError> {
        let snapshot = self.snapshot(organization).await?;
        let explanation = match snapshot.ceiling(ceiling) {
            Ok(ceiling) => Ok(snapshot.explain(&ceiling, audience, request)),
            Err(error) => Err(Denial::from(error)),
        };
        Ok((snapshot, explanation))
    }

    /// Is everything that a ceiling names declared? The inner error says what is not.
    pub async fn check_ceiling(
        &self,
        organization: OrganizationId,
        ceiling: &KeyCeiling,
    ) -> Result<Result<(), String>, PolicyError> {
        let snapshot = self.snapshot(organization).await?;
        let mut names = ceiling.roles.iter().flatten();
        if let Some(role) = names.find(|role| snapshot.role(role).is_none()) {
            return Ok(Err(format!("there is no role `{role}`")));
        }
        Ok(match snapshot.ceiling(ceiling) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The organization's policy as it stands, with its version.
    pub async fn document(
        &self,
        organization: OrganizationId,
    ) -> Result<(PolicyDocument, i64), PolicyError> {
        let mut tx = self.database.snapshot().await?;
        let versions = store::versions(tx.conn(), organization).await?;
        let (_, version) = versions.ok_or(PolicyError::OrganizationGone)?;
        Ok((store::document(&mut tx, organization).await?, version))
    }

    /// The organization's policy, ready to decide with.
    pub async fn snapshot(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<PolicySnapshot>, PolicyError> {
        let found = self
            .current
            .get(&organization, || self.load(organization))
            .await?;
        let found = found.ok_or(PolicyError::OrganizationGone)?;
        Ok(found.value.clone())
    }

    async fn load(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<Versioned<Arc<PolicySnapshot>>>, PolicyError> {
        let mut tx = self.database.snapshot().await?;
        let Some((version, policy_version)) = store::versions(tx.conn(), organization).await?
        else {
            return Ok(None);
        };
        let known = self.compiled.get(&organization);
        let known = known.filter(|known| known.version() == policy_version);
        let value = if let Some(known) = known {
            known
        } else {
            let document = store::document(&mut tx, organization).await?;
            drop(tx);
            let compiled = Arc::new(self.compile(document, policy_version).await?);
            self.keep(organization, compiled.clone());
            compiled
        };
        Ok(Some(Versioned {
            organization,
            version,
            value,
        }))
    }

    async fn compile(
        &self,
        document: PolicyDocument,
        version: i64,
    ) -> Result<PolicySnapshot, CompileError> {
        let _timer = self.compiles.time();
        compile_aside(document, version).await
    }

    fn keep(&self, organization: OrganizationId, compiled: Arc<PolicySnapshot>) {
        self.newest.fetch_max(compiled.version(), Ordering::Relaxed);
        self.compiled.insert(organization, compiled);
    }

    fn ceiling(
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
            .get_or_insert_with(&key, || snapshot.ceiling(caller.ceiling()).map(Arc::new))
    }
}

/// Compiles on a thread that may block: a large policy takes its time, and requests of others must not wait for it.
pub async fn compile_aside(
    document: PolicyDocument,
    version: i64,
) -> Result<PolicySnapshot, CompileError> {
    let runtime = tokio::runtime::Handle::current();
    let work = move || runtime.block_on(document.compile(version));
    match tokio::task::spawn_blocking(work).await {
        Ok(compiled) => compiled,
        Err(_) => Err(CompileError::Interrupted),
    }
}

/// Gives a policy to an organization that only `tx` knows yet, after checking it as a whole.
pub async fn first_policy(
    tx: &mut Transaction,
    organization: OrganizationId,
    document: &PolicyDocument,
) -> Result<(), PolicyError> {
    document.compile(0).await?;
    Ok(store::write(tx, organization, &PolicyDocument::default(), document).await?)
}

#[cfg(test)]
mod tests;
