//! Sessions: one row per issued token, committed before the token leaves.
//!
//! Rows are written in groups: one task takes whatever waits, writes it in one statement, commits, and only then lets
//! the waiting requests answer. A group forms by itself while the previous commit runs; there is no timer. The keys'
//! usage is counted in the same transaction, one row per key and group.
//!
//! Of sensitive attributes a row holds [hashes](AttributeHasher), never the values.

mod hashes;
mod revoking;
mod search;
pub(crate) mod store;
mod usage;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use key_admin::sealing::CannotSeal;
use key_admin::secrets::hex;
use key_admin::{Activity, ApiKeyId};
use policy::Resource;
use serde::Serialize;
use serde_json::{Map, Value};
use storage::{
    AudienceId, Database, OrganizationId, SessionId, StorageError, Timestamp, Transaction,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

pub(crate) use hashes::canonical;
pub use hashes::{AttributeHasher, CannotHash, OrganizationHasher, hashes};
pub use revoking::{RevocationTarget, RevokeError, RevokeTokenError};
pub use search::{
    AttributeFilter, FindError, FoundSession, HIDDEN, RevokedBy, SessionFilter, SessionState,
};
pub use store::exists;

use crate::claims::{Claims, SignedToken};
use crate::issuance::Origin;
use crate::metrics::{QueueUse, Steps};

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

/// Why a token was not recorded. It is then not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The disk cannot follow.
    #[error("more tokens are waiting to be recorded than the database can take")]
    Overloaded,
    /// The database cannot be reached or is full.
    #[error("the session could not be recorded")]
    Unavailable,
    /// The database refused the row.
    #[error("the session row was refused")]
    Refused,
}

/// What must hold of another session while a row is written.
#[derive(Clone, Copy, Debug)]
enum Condition {
    Nothing,
    /// It is renewed by this, once, and stands.
    Renews(SessionId),
    /// It stands.
    PartOf(SessionId),
}

/// The proof that the row of this session is committed. Only the [`Recorder`] makes one.
#[derive(Debug)]
pub(crate) struct Recorded(());

/// Requests that may wait for their row. At 20 µs per row this is well under a second of work.
const QUEUE: usize = 8192;
/// A database that takes longer has gone; its connection is given up, so that the next group gets another one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Rows in one transaction.
const MAX_BATCH: usize = 512;

/// A row, in the form that one JSON parameter carries.
#[derive(Debug, Serialize)]
struct SessionRow {
    id: String,
    organization_id: String,
    audience_id: String,
    api_key_id: String,
    kid: String,
    subject: String,
    roles: serde_json::Value,
    attributes: serde_json::Value,
    resources: serde_json::Value,
    request_id: String,
    client_address: String,
    issued_at: i64,
    expires_at: i64,
    root_id: String,
    ends_at: Option<i64>,
    reference_hash: Option<String>,
    payload_ciphertext: Option<String>,
    /// For counting it.
    #[serde(skip)]
    issued_by: (OrganizationId, ApiKeyId),
}

impl SessionRow {
    fn new(token: &SignedToken, origin: &Origin, hasher: &AttributeHasher) -> Result<Self, NoRow> {
        let claims = token.claims();
        let (reference, payload) = match token.reference() {
            Some((reference, payload)) => {
                let sealer = hasher.payload_sealer(claims.organization())?;
                let identity = payload_identity(claims.session_id());
                let sealed = sealer.seal(&identity, &payload.to_vec().into())?;
                (Some(hex(reference)), Some(hex(&sealed)))
            }
            None => (None, None),
        };
        Ok(Self {
            id: claims.session_id().as_uuid().simple().to_string(),
            organization_id: claims.organization().as_uuid().simple().to_string(),
            audience_id: claims.audience_id().as_uuid().simple().to_string(),
            api_key_id: claims.api_key().as_str().to_owned(),
            kid: token.kid().to_owned(),
            subject: claims.subject().to_owned(),
            roles: serde_json::to_value(claims.roles())?,
            attributes: stored_attributes(claims, hasher)?,
            resources: serde_json::to_value(claims.resources())?,
            request_id: origin.request_id.clone(),
            client_address: origin.client.to_string(),
            issued_at: claims.issued_at().unix_seconds(),
            expires_at: claims.expires_at().unix_seconds(),
            root_id: claims.root().as_uuid().simple().to_string(),
            ends_at: claims.session_ends_at().map(Timestamp::unix_seconds),
            reference_hash: reference,
            payload_ciphertext: payload,
            issued_by: (claims.organization(), claims.api_key()),
        })
    }
}

/// A row could not be written down.
#[derive(Debug, thiserror::Error)]
enum NoRow {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error(transparent)]
    Seal(#[from] CannotSeal),
}

/// The row that sealed claims belong to.
pub(crate) fn payload_identity(session: SessionId) -> String {
    format!("sessions/{session}/payload")
}

fn stored_attributes(claims: &Claims, hasher: &AttributeHasher) -> Result<Value, CannotHash> {
    let plain = claims.attributes().iter();
    let mut stored: Map<String, Value> = plain
        .map(|(name, value)| (name.to_string(), value.to_json()))
        .collect();
    if !claims.sensitive().is_empty() {
        let hasher = hasher.of(claims.organization())?;
        for name in claims.sensitive() {
            if let Some(value) = stored.get_mut(name.as_str()) {
                *value = hasher.stored(name.as_str(), value);
            }
        }
    }
    Ok(Value::Object(stored))
}

struct Pending {
    row: SessionRow,
    done: oneshot::Sender<Result<(), RecordError>>,
}

/// Writes session rows.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Pending>,
    database: Database,
    hasher: Arc<AttributeHasher>,
    activity: Arc<Activity>,
    steps: Arc<Steps>,
}

impl Recorder {
    pub(crate) fn start(
        database: Database,
        hasher: Arc<AttributeHasher>,
        activity: Arc<Activity>,
        steps: Arc<Steps>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(write_groups(database.clone(), activity.clone(), waiting));
        Self {
            queue,
            database,
            hasher,
            activity,
            steps,
        }
    }

    /// How many rows wait. Those that the writer has taken are not among them.
    pub(crate) fn queue_use(&self) -> QueueUse {
        let capacity = self.queue.max_capacity();
        QueueUse {
            waiting: capacity.saturating_sub(self.queue.capacity()) as u64,
            capacity: capacity as u64,
        }
    }

    /// Waits until the token's row is committed.
    pub(crate) async fn record(
        &self,
        token: &SignedToken,
        origin: &Origin,
    ) -> Result<Recorded, RecordError> {
        let _timer = self.steps.record.time();
        let row = SessionRow::new(token, origin, &self.hasher).map_err(|_| RecordError::Refused)?;
        let (done, committed) = oneshot::channel();
        self.queue
            .try_send(Pending { row, done })
            .map_err(|error| match error {
                TrySendError::Full(_) => RecordError::Overloaded,
                TrySendError::Closed(_) => RecordError::Unavailable,
            })?;
        match committed.await {
            Ok(Ok(())) => Ok(Recorded(())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RecordError::Unavailable),
        }
    }

    /// Records these tokens in one transaction: all of them, or none.
    pub(crate) async fn record_together(
        &self,
        tokens: &[SignedToken],
        origin: &Origin,
    ) -> Result<Vec<Recorded>, RecordError> {
        self.in_transaction(tokens, origin, Condition::Nothing)
            .await?;
        Ok(tokens.iter().map(|_| Recorded(())).collect())
    }

    /// Records a token that takes the place of another, once; `None` when that one has been renewed or revoked meanwhile.
    pub(crate) async fn record_renewal(
        &self,
        token: &SignedToken,
        origin: &Origin,
        renewed: SessionId,
    ) -> Result<Option<Recorded>, RecordError> {
        let tokens = std::slice::from_ref(token);
        let recorded = self.in_transaction(tokens, origin, Condition::Renews(renewed));
        Ok(recorded.await?.then_some(Recorded(())))
    }

    /// Records a token that may do less than another; `None` when that one has been revoked meanwhile.
    pub(crate) async fn record_part(
        &self,
        token: &SignedToken,
        origin: &Origin,
        whole: SessionId,
    ) -> Result<Option<Recorded>, RecordError> {
        let tokens = std::slice::from_ref(token);
        let recorded = self.in_transaction(tokens, origin, Condition::PartOf(whole));
        Ok(recorded.await?.then_some(Recorded(())))
    }

    async fn in_transaction(
        &self,
        tokens: &[SignedToken],
        origin: &Origin,
        condition: Condition,
    ) -> Result<bool, RecordError> {
        let _timer = self.steps.record.time();
        let rows = tokens
            .iter()
            .map(|token| SessionRow::new(token, origin, &self.hasher));
        let rows: Vec<SessionRow> = rows
            .collect::<Result<_, _>>()
            .map_err(|_| RecordError::Refused)?;
        let rows: Vec<&SessionRow> = rows.iter().collect();
        let recorded = within_time(rows.len(), async {
            let mut tx = self.database.write().await?;
            let holds = match (condition, tokens.first()) {
                (Condition::Renews(renewed), Some(token)) => {
                    let now = token.claims().issued_at();
                    store::mark_renewed(tx.conn(), renewed, now).await?
                }
                (Condition::PartOf(whole), _) => store::hold_standing(tx.conn(), whole).await?,
                (Condition::Nothing | Condition::Renews(_), _) => true,
            };
            if !holds {
                return Ok(false);
            }
            write_rows(&mut tx, &rows).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await?;
        if recorded {
            self.activity.issued(rows.iter().map(|row| row.issued_by));
        }
        Ok(recorded)
    }
}

async fn write_groups(
    database: Database,
    activity: Arc<Activity>,
    mut waiting: mpsc::Receiver<Pending>,
) {
    let mut group = Vec::with_capacity(MAX_BATCH);
    while waiting.recv_many(&mut group, MAX_BATCH).await > 0 {
        let outcome = write(&database, &activity, &group).await;
        // One row that the database refuses must not take the others with it.
        if outcome == Err(RecordError::Refused) && group.len() > 1 {
            for pending in group.drain(..) {
                let outcome = write(&database, &activity, std::slice::from_ref(&pending)).await;
                let _ = pending.done.send(outcome);
            }
        } else {
            for pending in group.drain(..) {
                // A requester that went away leaves a row without a token, which does no harm.
                let _ = pending.done.send(outcome);
            }
        }
    }
}

async fn write(
    database: &Database,
    activity: &Activity,
    group: &[Pending],
) -> Result<(), RecordError> {
    let rows: Vec<&SessionRow> = group.iter().map(|pending| &pending.row).collect();
    within_time(rows.len(), async {
        let mut tx = database.write().await?;
        write_rows(&mut tx, &rows).await?;
        tx.commit().await
    })
    .await?;
    activity.issued(rows.iter().map(|row| row.issued_by));
    Ok(())
}

/// Waits for a transaction as long as makes sense, and sorts out what went wrong.
async fn within_time<T>(
    rows: usize,
    transaction: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, RecordError> {
    let Ok(written) = tokio::time::timeout(WRITE_TIMEOUT, transaction).await else {
        tracing::error!(rows, "the database did not commit sessions in time");
        return Err(RecordError::Unavailable);
    };
    written.map_err(|error| {
        if error.is_unavailable() {
            tracing::error!(%error, rows, "sessions could not be recorded");
            RecordError::Unavailable
        } else {
            tracing::error!(%error, rows, "session rows were refused");
            RecordError::Refused
        }
    })
}

async fn write_rows(tx: &mut Transaction, rows: &[&SessionRow]) -> Result<(), StorageError> {
    let json =
        serde_json::to_string(rows).map_err(|error| StorageError::corrupt("session row", error))?;
    let written = store::insert(tx.conn(), &json).await?;
    if written != rows.len() as u64 {
        return Err(StorageError::corrupt(
            "session group",
            "not every row was written",
        ));
    }
    usage::count(tx, rows).await
}
