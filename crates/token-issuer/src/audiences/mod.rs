//! Audiences: the relying parties that tokens are for.

mod draft;
mod encryption;
mod fault;
mod known_origins;
mod origin;
mod patch;
mod service;
mod settings;
pub(crate) mod store;

use policy::{AudienceLimits, AudienceName};
use storage::{AudienceId, OrganizationId, Timestamp};

use crate::signing_keys::{RingId, SigningAlgorithm};

pub use draft::AudienceDraft;
pub use encryption::{EncryptionKey, InvalidEncryptionKey};
pub use fault::AudienceFault;
pub(crate) use known_origins::KnownOrigins;
pub use origin::{InvalidOrigin, WebOrigin};
pub use patch::{AudiencePatch, ClaimsPatch, SettingsPatch};
pub(crate) use service::changed;
pub use service::{AudienceError, NewAudience};
pub use settings::{
    AudienceSettings, ClaimSettings, DEFAULT_TOKEN_BYTES, MAX_DATASETS, MAX_GRACE_SECONDS,
    MAX_ORIGINS, MAX_SESSION_SECONDS, MIN_TOKEN_BYTES, Renewal, SettingsFault, TokenFormat,
    TokenType,
};

/// A relying party.
#[derive(Clone, Debug)]
pub struct Audience {
    /// Its identifier.
    pub id: AudienceId,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// What requests call it.
    pub name: AudienceName,
    /// The `aud` claim of its tokens.
    pub aud: String,
    /// How its tokens are signed; for good, for its keys are made for it.
    pub algorithm: SigningAlgorithm,
    /// How long its tokens live.
    pub limits: AudienceLimits,
    /// Everything else about its tokens.
    pub settings: AudienceSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The most audiences of one organization.
pub const MAX_AUDIENCES: usize = 100;
/// The longest `aud`, in bytes.
pub const MAX_AUD_BYTES: usize = 255;
/// No token lives longer, in seconds.
pub const MAX_TTL_SECONDS: u32 = 86_400;

impl Audience {
    pub(crate) fn ring(&self) -> RingId {
        RingId {
            organization: self.organization,
            audience: self.id,
            algorithm: self.algorithm,
        }
    }

    /// The `kid` in the header of tokens that the key with this one signed.
    pub(crate) fn published_kid<'s>(&'s self, own: &'s str) -> &'s str {
        self.settings.claims.key_id.as_deref().unwrap_or(own)
    }
}

/// The audience that every organization starts with, and that requests mean when they name none.
pub const DEFAULT_AUDIENCE: &str = "default";

/// Tokens of the default audience live 15 minutes unless asked otherwise, and an hour at most.
pub(crate) const DEFAULT_LIMITS: AudienceLimits = AudienceLimits {
    default_ttl_seconds: 900,
    max_ttl_seconds: 3600,
};
