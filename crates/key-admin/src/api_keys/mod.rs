//! API keys: the master credentials that backends exchange for session tokens.
//!
//! `format` knows what a key looks like, `create` makes one, `authenticate` turns a presented one into an
//! [`ApiKeyContext`], `ceiling` is what it may grant at most. The secret exists in memory between creation and
//! answer, and between request and check; the database keeps an argon2id hash keyed with the server's pepper.

mod authenticate;
mod ceiling;
mod context;
mod create;
mod format;
mod store;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use storage::{OrganizationId, PrincipalId, Timestamp};

pub use authenticate::AuthenticateError;
pub(crate) use authenticate::{Authenticator, RehashSettings};
pub use ceiling::KeyCeiling;
pub use context::{ApiKeyContext, MissingPermission, Permitted, Requires, TokensIssue};
pub(crate) use create::create;
pub use create::{CreateKeyError, CreatedKey, NewApiKey};
pub use format::{ApiKeyId, MalformedKey, PresentedKey};
pub(crate) use store::{delete, disable, list};

use crate::rate_limit::RateLimit;

/// What a key may do besides existing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// Exchange the key for session tokens.
    #[serde(rename = "tokens:issue")]
    TokensIssue,
}

impl Permission {
    /// All there are.
    pub const ALL: [Self; 1] = [Self::TokensIssue];

    /// The name in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokensIssue => "tokens:issue",
        }
    }
}

impl std::str::FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
            .ok_or(UnknownPermission)
    }
}

/// The text names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such permission; there are: tokens:issue")]
pub struct UnknownPermission;

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It works.
    Active,
    /// Somebody switched it off; it can be switched on again.
    Disabled,
    /// Its time is over.
    Expired,
    /// It was taken back for good.
    Revoked,
}

/// An API key as people see it: everything but its secret.
#[derive(Clone, Debug, Serialize)]
pub struct ApiKey {
    /// Its identifier, `key_` and 12 characters. Tokens name it in `client_id`.
    pub id: ApiKeyId,
    /// The organization it belongs to.
    #[serde(skip)]
    pub organization: OrganizationId,
    /// The user or service account that it belongs to.
    #[serde(rename = "owner_id")]
    pub owner: PrincipalId,
    /// What its owner calls it; not unique.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// What it may grant at most.
    pub ceiling: KeyCeiling,
    /// The networks it may be used from; empty for any.
    pub allowed_networks: Vec<ipnet::IpNet>,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// Since when it is switched off.
    pub disabled_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// The first characters, which lists and logs show: the public part, never the secret's.
    pub fn prefix(&self) -> String {
        self.id.key_prefix()
    }

    /// Whether it works at this time.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.disabled_at.is_some() {
            KeyState::Disabled
        } else if self.expires_at.is_some_and(|expiry| expiry <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }
}
