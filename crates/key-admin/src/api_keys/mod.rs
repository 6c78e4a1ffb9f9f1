//! API keys: the master credentials that backends exchange for session tokens.
//!
//! | module | what it is |
//! |---|---|
//! | `format` | what a key looks like |
//! | `authenticate`, `context` | a presented key becomes an [`ApiKeyContext`] |
//! | `create`, `update`, `switch`, `rotate` | its life: made, edited, disabled, enabled, revoked, deleted, renewed |
//! | `change` | what all of these share: locks, the calling key's strength, the audit event |
//! | `strength` | [`Strength::covers`]: a key never makes a stronger one |
//! | `ceiling` | what a key may grant at most |
//! | `list`, `usage` | finding keys, and how much they are used |
//!
//! The secret exists in memory between creation and answer, and between request and check; the database keeps an
//! argon2id hash keyed with the server's pepper.
//!
//! **Live** is a key that is neither revoked nor deleted nor expired ([`ApiKey::is_live`]); a disabled one is, for it
//! can be enabled again. Each live key holds one of its owner's numbered slots, and the database keeps the pair of
//! owner and slot unique: that is what enforces the limit. Revoking and deleting free the slot at once. An expired
//! key's slot is freed when another key of the owner needs one, and a key that is given a new expiry after that needs
//! a slot again.

mod authenticate;
mod ceiling;
mod change;
mod context;
mod create;
mod format;
mod leak;
mod list;
mod rotate;
mod store;
mod strength;
mod switch;
#[cfg(test)]
pub(crate) mod tests;
mod update;
mod usage;

use serde::{Deserialize, Serialize};
use storage::{OrganizationId, PrincipalId, Timestamp};

pub use authenticate::{AuthenticateError, FurtherUseError};
pub(crate) use authenticate::{Authenticator, AuthenticatorSettings};
pub use ceiling::KeyCeiling;
pub use change::{ChangeKeyError, InvalidKey, NotCovered};
pub use context::ApiKeyContext;
pub use create::{CreateKeyError, CreatedKey, NewApiKey};
pub(crate) use format::write_base62;
pub use format::{ApiKeyId, MalformedKey, PresentedKey};
pub use leak::ReportLeakError;
pub use list::{ExpiringKey, KeyFilter, KeyOrder, ListedKey, MAX_PAGE, TokenCounts, find_key};
pub use rotate::MAX_GRACE_SECONDS;
pub use strength::{Aspect, Strength, Stronger};
pub(crate) use switch::void_issued;
pub use switch::{IssuedTokens, KeyRevocation};
pub use update::{ApiKeyPatch, Edit};
pub use usage::{DayUsage, KeyUsage, day_of};

use crate::Permission;
use crate::rate_limit::RateLimit;

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

impl KeyState {
    /// All there are.
    pub const ALL: &[Self] = &[Self::Active, Self::Disabled, Self::Expired, Self::Revoked];

    /// The name in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// An API key as people see it: everything but its secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiKey {
    /// Its identifier, `key_` and 12 characters. Tokens name it in `client_id`.
    pub id: ApiKeyId,
    /// The organization it belongs to.
    #[serde(skip)]
    pub organization: OrganizationId,
    /// The user or service account that it belongs to.
    #[serde(rename = "owner_id")]
    pub owner: PrincipalId,
    /// Who made it; `None` for somebody on the machine itself.
    pub created_by: Option<PrincipalId>,
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
    /// Why it was taken back, if that was said.
    pub revoked_reason: Option<String>,
    /// Until when the secret before the last rotation works too.
    pub previous_secret_until: Option<Timestamp>,
}

impl ApiKey {
    /// The first characters, which lists and logs show: the public part, never the secret's.
    pub fn prefix(&self) -> String {
        self.id.key_prefix()
    }

    /// Does it count against its owner's limit at this time?
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expiry| expiry > now)
    }

    /// Whether it works at this time. Revoked comes before disabled, and disabled before expired.
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
