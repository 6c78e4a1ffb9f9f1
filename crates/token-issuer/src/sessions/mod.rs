//! Sessions: one row per issued token, committed before the token leaves.
//!
//! Rows are written in groups: one task takes whatever waits, commits it at once, and only then lets the waiting requests answer.
//! A group forms by itself while the previous commit runs; there is no timer. On PostgreSQL a group goes into its table in one
//! statement. On SQLite it goes to the [intake](storage::intake), and from there into the table within a second, or before
//! anybody looks for it. The keys' usage is counted in the transaction that writes the table, one row per key and group.
//!
//! Of sensitive attributes a row holds [hashes](AttributeHasher), never the values.

mod hashes;
mod recorder;
mod revoking;
mod row;
mod search;
pub(crate) mod store;
mod usage;
mod wanted;

use key_admin::ApiKeyId;
use policy::Resource;
use serde_json::{Map, Value};
use storage::{
    AudienceId, OrganizationId, ReadConn, SessionId, StorageError, Timestamp, Transaction,
};

pub(crate) use hashes::canonical;
pub use hashes::{AttributeHasher, CannotHash, OrganizationHasher, hashes};
pub use recorder::{IssuanceLog, RecordError};
pub(crate) use recorder::{Recorded, Recorder};
pub use revoking::{RevocationTarget, RevokeError, RevokeTokenError};
pub(crate) use row::payload_identity;
pub use search::{
    AttributeFilter, FindError, FoundSession, HIDDEN, RevokedBy, SessionFilter, SessionState,
};
pub use store::exists;

use crate::TokenIssuer;

/// One issued token, as it is recorded.
#[derive(Clone)]
pub struct Session {
    /// The token's `jti`.
    pub id: SessionId,
    /// The organization.
    pub organization: OrganizationId,
    /// The first of the sessions that renew each other; itself when there is no other before it.
    pub root: SessionId,
    /// The API key that asked for the first of them.
    pub api_key: ApiKeyId,
    /// The audience.
    pub audience: AudienceId,
    /// The key that signed.
    pub kid: String,
    /// Whom the token speaks for.
    pub subject: String,
    /// The roles.
    pub roles: Vec<String>,
    /// The attributes; sensitive ones as [hashes].
    pub attributes: Map<String, Value>,
    /// The resources that the token is limited to; empty for no such limit.
    pub resources: Vec<Resource>,
    /// The request that asked.
    pub request_id: String,
    /// Where it came from.
    pub client_address: String,
    /// When the token was issued, to the second.
    pub issued_at: Timestamp,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// When the last renewal ends at the latest; `None` when the token cannot be renewed.
    pub ends_at: Option<Timestamp>,
    /// When the token was traded for the next one.
    pub renewed_at: Option<Timestamp>,
    /// When it was revoked by itself, not by a cutoff.
    pub revoked_at: Option<Timestamp>,
}

impl TokenIssuer {
    /// Returns when the rows of all tokens that this node has answered are in their table. To be waited for before the process
    /// ends.
    pub async fn settle(&self) -> Result<(), StorageError> {
        self.database.arrivals().settle().await
    }

    /// Sorts what other processes have left in the intake of an embedded database into its tables. So does every start; this is
    /// for who reads beside a server that runs.
    pub async fn take_over(&self) -> Result<(), StorageError> {
        recorder::take_over(&self.database).await.map(drop)
    }

    /// A connection that sees all sessions that this node has issued.
    pub(crate) async fn read_sessions(&self) -> Result<ReadConn, StorageError> {
        self.database.read_settled().await
    }

    /// A connection that sees this session, if this node has issued it.
    pub(crate) async fn read_session(&self, id: SessionId) -> Result<ReadConn, StorageError> {
        if self.database.arrivals().has(id) {
            self.settle().await?;
        }
        self.database.read().await
    }

    /// A transaction that finds all sessions that this node has issued.
    pub(crate) async fn write_sessions(&self) -> Result<Transaction, StorageError> {
        self.settle().await?;
        self.database.write().await
    }

    /// The session whose token is recognized by this hash, with its organization's slug and the sealed claims.
    pub(crate) async fn find_reference(
        &self,
        reference: &[u8; 32],
    ) -> Result<Option<(SessionId, String, Vec<u8>)>, StorageError> {
        // Asked before the table is: what arrives in between would be in neither.
        let all_arrived = self.database.arrivals().count() == 0;
        let mut read = self.database.read().await?;
        let found = store::find_reference(read.conn(), reference).await?;
        if found.is_some() || all_arrived {
            return Ok(found);
        }
        drop(read);
        let mut read = self.read_sessions().await?;
        store::find_reference(read.conn(), reference).await
    }
}

/// When a token was issued, in Unix milliseconds, as verifiers reckon it: the time in its id, or where that is not in the
/// second of `iat`, the earlier of both. Ids run ahead when the clock is set back.
pub(crate) fn issued_millis(id: SessionId, issued_at: Timestamp) -> i64 {
    let second = issued_at.unix_seconds();
    let exact = id.unix_millis();
    if exact.div_euclid(1_000) == second {
        exact
    } else {
        exact.min(second.saturating_mul(1_000))
    }
}

impl Session {
    /// Is it of a narrower token that another one was exchanged for?
    pub fn is_part(&self) -> bool {
        self.root != self.id && self.ends_at.is_none()
    }
}

/// Without the subject and the values of attributes: what is printed ends in logs.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("api_key", &self.api_key)
            .field("roles", &self.roles)
            .field("expires_at", &self.expires_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}
