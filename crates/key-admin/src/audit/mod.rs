//! The audit trail: what was done, by whom, to what, from where.
//!
//! A service function that changes something takes an [`Act`] and records an event in the transaction of the change:
//! no change without its event, no event without its change. Refusals have events of their own, a bounded number
//! ([`RefusalLog`](crate::RefusalLog)). Events are only ever added.

mod export;
mod store;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value;
use storage::{
    AuditEventId, Clock, Database, OrganizationId, PrincipalId, StorageError, Timestamp,
    Transaction,
};

pub use export::{AuditExport, ExportFormat};

use crate::ApiKeyId;

/// Who does something, and from where.
#[derive(Clone, Debug)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// The client's address, where there is one.
    pub client: Option<IpAddr>,
    /// The HTTP request, where there is one.
    pub request_id: Option<String>,
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A program or person holding this API key.
    ApiKey(ApiKeyId),
    /// A person in the console.
    User(PrincipalId),
    /// Somebody with access to the machine and its database.
    CommandLine,
    /// Somebody who found a key and proved it.
    Finder,
    /// Somebody who has proven nothing: a sign-in that was refused.
    Stranger,
    /// The server itself, by its schedule.
    Server,
}

impl Act {
    /// By somebody on the machine itself.
    pub fn on_command_line() -> Self {
        Self::without_request(Actor::CommandLine)
    }

    /// By the server itself.
    pub fn by_server() -> Self {
        Self::without_request(Actor::Server)
    }

    fn without_request(actor: Actor) -> Self {
        Self {
            actor,
            client: None,
            request_id: None,
        }
    }
}

impl Actor {
    fn kind(self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_key",
            Self::User(_) => "user",
            Self::CommandLine => "command_line",
            Self::Finder => "finder",
            Self::Stranger => "stranger",
            Self::Server => "server",
        }
    }

    fn id(self) -> String {
        match self {
            Self::ApiKey(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::CommandLine | Self::Finder | Self::Stranger | Self::Server => String::new(),
        }
    }
}

/// What was done to what.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What was done, noun and verb: `api_key.create`.
    pub action: &'static str,
    /// The kind of thing it was done to: `api_key`.
    pub target_kind: &'static str,
    /// Which one.
    pub target_id: String,
    /// What changed, without secrets: `{"before": …, "after": …}`, a reason, and the like.
    pub detail: Value,
}

/// A recorded event.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEvent {
    /// Its identifier; later events have greater ones.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// `api_key`, `user`, `command_line`, `server`, `finder` of a leaked key, or `stranger` at the console's door.
    pub actor_kind: String,
    /// Which one; empty for the command line, finders and strangers.
    pub actor_id: String,
    /// What was done.
    pub action: String,
    /// The kind of thing it was done to.
    pub target_kind: String,
    /// Which one.
    pub target_id: String,
    /// What changed.
    pub detail: Value,
    /// The client's address.
    pub client_address: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only this action: `api_key.create`.
    pub action: Option<String>,
    /// Only actions with this noun: `api_key`.
    pub noun: Option<String>,
    /// Only what actors of this kind did: `user`.
    pub actor_kind: Option<String>,
    /// Only what this actor did.
    pub actor_id: Option<String>,
    /// Only what was done to this target.
    pub target_id: Option<String>,
    /// Only where the action, the target's kind or its identifier contains this, in any case.
    pub text: Option<String>,
    /// Only what happened at this time or later.
    pub since: Option<Timestamp>,
    /// Only what happened before this time.
    pub until: Option<Timestamp>,
}

/// Records an event within the transaction of the change it tells of.
pub async fn record(
    tx: &mut Transaction,
    clock: &dyn Clock,
    organization: OrganizationId,
    act: &Act,
    deed: Deed,
) -> Result<(), StorageError> {
    let event = AuditEvent {
        id: AuditEventId::new(clock),
        at: clock.now(),
        actor_kind: act.actor.kind().to_owned(),
        actor_id: act.actor.id(),
        action: deed.action.to_owned(),
        target_kind: deed.target_kind.to_owned(),
        target_id: deed.target_id,
        detail: deed.detail,
        client_address: act.client.map(|client| client.to_string()),
        request_id: act.request_id.clone(),
    };
    store::insert(tx.conn(), organization, &event).await
}

/// The organization's events, newest first, at most `limit`, older than `before` where that is given.
pub async fn list(
    database: &Database,
    organization: OrganizationId,
    filter: &AuditFilter,
    before: Option<AuditEventId>,
    limit: u32,
) -> Result<Vec<AuditEvent>, StorageError> {
    let mut read = database.read().await?;
    store::list(read.conn(), organization, filter, before, limit).await
}

/// How many events a filter lets through.
pub async fn count(
    database: &Database,
    organization: OrganizationId,
    filter: &AuditFilter,
) -> Result<u64, StorageError> {
    let mut read = database.read().await?;
    store::count(read.conn(), organization, filter).await
}
