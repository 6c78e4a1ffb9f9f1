//! What another policy would change: recorded sessions, decided again under the current policy and under a candidate.
//!
//! | module | what it does |
//! |---|---|
//! | `rebuild` | a session's row becomes the request that it came from |
//! | `replay` | one session under both policies |
//! | `report` | outcomes in groups |
//!
//! Sessions are read in pages, the latest first, and decided on threads that may block. Nothing is written.

mod rebuild;
mod replay;
mod report;

use std::sync::Arc;

use key_admin::ApiKeyId;
use key_admin::api_keys::find_key;
use policy::operations::markers::SimulatePolicy;
use policy::{CompileError, PermittedAsker, PolicyDocument, PolicyError, compile_aside};
use storage::{OrganizationId, SessionId, StorageError, Timestamp};

use crate::issuance::{IssueError, TokenIssuer};
use crate::sessions::CannotHash;
use crate::sessions::store::{Period, RecordedSession, page};

use replay::Simulation;
pub use report::{Group, MAX_GROUPS, SimulationReport};

/// The most sessions of one simulation.
pub const MAX_SESSIONS: u32 = 10_000;
/// How many sessions are replayed when the request does not say.
pub const DEFAULT_SESSIONS: u32 = 1_000;
/// Sessions read at once.
const PAGE: u32 = 500;
/// The end of the year 9999.
const NO_END: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

/// What to try out, and on which sessions.
#[derive(Clone, Debug)]
pub struct SimulationRequest {
    /// The policy to try.
    pub candidate: PolicyDocument,
    /// Only sessions issued at this time or later.
    pub since: Option<Timestamp>,
    /// Only sessions issued before this time.
    pub until: Option<Timestamp>,
    /// At most so many, the latest; more than [`MAX_SESSIONS`] are cut to it.
    pub last: u32,
    /// Only sessions of this API key.
    pub api_key: Option<ApiKeyId>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The candidate is wrong.
    #[error(transparent)]
    Candidate(CompileError),
    /// The current policy could not be read or compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The organization's audiences could not be read.
    #[error(transparent)]
    Issuer(IssueError),
    /// Hashes could not be compared.
    #[error(transparent)]
    Hash(#[from] CannotHash),
    /// The work was cut short, as when the server stops.
    #[error("the simulation was interrupted")]
    Interrupted,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TokenIssuer {
    /// Tells what the candidate would change for sessions of the caller's organization.
    pub async fn simulate(
        &self,
        caller: impl Into<PermittedAsker<'_, SimulatePolicy>>,
        request: SimulationRequest,
    ) -> Result<SimulationReport, SimulateError> {
        self.simulate_watched(caller, request, |_| {}).await
    }

    /// The same, telling after each page how many sessions were decided again so far.
    pub async fn simulate_watched(
        &self,
        caller: impl Into<PermittedAsker<'_, SimulatePolicy>>,
        request: SimulationRequest,
        watch: impl Fn(u32) + Send,
    ) -> Result<SimulationReport, SimulateError> {
        let caller = caller.into();
        let period = Period {
            since: request.since.unwrap_or(Timestamp::from_unix_seconds(0)),
            until: request.until.unwrap_or(NO_END),
            api_key: request
                .api_key
                .map_or_else(String::new, |id| id.as_str().to_owned()),
        };
        let organization = caller.organization_id();
        let current = self.policy.snapshot(organization).await?;
        let candidate = compile_aside(request.candidate, current.version()).await;
        let policies = (
            current,
            Arc::new(candidate.map_err(SimulateError::Candidate)?),
        );
        let issuer = self
            .issuer_of(caller.organization_slug())
            .await
            .map_err(SimulateError::Issuer)?;
        let audiences = issuer.value.rings().map(|ring| ring.audience.clone());
        let hasher = self.hasher.of(organization)?;
        let mut simulation = Simulation::new(policies, audiences, hasher);

        let mut before = period.end();
        let most = request.last.min(MAX_SESSIONS);
        let mut left = most;
        while left > 0 {
            let sessions = self
                .sessions(organization, &period, before, left.min(PAGE))
                .await?;
            let Some(last) = sessions.last() else { break };
            before = last.id;
            left = left.saturating_sub(u32::try_from(sessions.len()).unwrap_or(u32::MAX));
            self.add_keys(organization, &sessions, &mut simulation)
                .await?;
            let work = move || {
                for session in &sessions {
                    simulation.replay(session);
                }
                simulation
            };
            let done = tokio::task::spawn_blocking(work).await;
            simulation = done.map_err(|_| SimulateError::Interrupted)?;
            watch(most - left);
        }
        Ok(simulation.into_report())
    }

    async fn sessions(
        &self,
        organization: OrganizationId,
        period: &Period,
        before: SessionId,
        limit: u32,
    ) -> Result<Vec<RecordedSession>, StorageError> {
        let mut read = self.rings.database().read_settled().await?;
        page(read.conn(), organization, period, before, limit).await
    }

    /// Each key's limits as they are now.
    async fn add_keys(
        &self,
        organization: OrganizationId,
        sessions: &[RecordedSession],
        simulation: &mut Simulation,
    ) -> Result<(), StorageError> {
        for session in sessions {
            let key = session.api_key_id.as_str();
            if simulation.knows_key(key) {
                continue;
            }
            let id = ApiKeyId::from_characters(key)
                .ok_or_else(|| StorageError::corrupt("API key id of a session", "not an id"))?;
            let mut read = self.rings.database().read().await?;
            let found = find_key(read.conn(), organization, id).await?;
            simulation.add_key(id, found.map(|key| key.ceiling));
        }
        Ok(())
    }
}
