//! Audiences: the relying parties that tokens are for.

pub(crate) mod store;

use policy::{AudienceLimits, AudienceName};
use storage::{AudienceId, OrganizationId, Timestamp};

use crate::signing_keys::{RingId, SigningAlgorithm};

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
    /// When it was made.
    pub created_at: Timestamp,
}

impl Audience {
    pub(crate) fn ring(&self) -> RingId {
        RingId {
            organization: self.organization,
            audience: self.id,
            algorithm: self.algorithm,
        }
    }
}

/// The audience that every organization starts with, and that requests mean when they name none.
pub const DEFAULT_AUDIENCE: &str = "default";

/// Tokens of the default audience live 15 minutes unless asked otherwise, and an hour at most.
pub(crate) const DEFAULT_LIMITS: AudienceLimits = AudienceLimits {
    default_ttl_seconds: 900,
    max_ttl_seconds: 3600,
};
