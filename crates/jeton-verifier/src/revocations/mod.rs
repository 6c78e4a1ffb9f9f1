//! What the issuer has taken back before its end: a signed snapshot, held in memory. The format is specified in
//! `docs/verifying-tokens.md`.

mod cutoffs;
mod snapshot;

use std::collections::HashSet;

use crate::claims::Claims;
use crate::keys::Keys;
use crate::rules::Rules;
use crate::verifier::VerifyError;

use cutoffs::Cutoffs;

/// The longest snapshot that is read, in bytes: about 150,000 revoked sessions.
pub const MAX_SNAPSHOT_BYTES: usize = 8 * 1024 * 1024;

/// Why a snapshot is refused. The one held before stays in use until it is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not a compact JWS with a header of `alg` (the pinned one), `kid` and `typ` `revocations+jwt`.
    #[error("not a revocation snapshot")]
    Malformed,
    /// It names a key that is not in the issuer's JWKS.
    #[error("the snapshot names a key that is not known")]
    UnknownKey,
    /// The signature does not belong to header and payload.
    #[error("the snapshot's signature is not valid")]
    Signature,
    /// A claim is missing, repeated, unknown or of the wrong type.
    #[error("the claims are not those of a revocation snapshot")]
    Claims,
    /// It has a cutoff of a kind that this version does not know, and so cannot honour.
    #[error("the snapshot has a cutoff of an unknown kind")]
    UnknownCutoff,
    /// It is another issuer's.
    #[error("the snapshot is of another issuer")]
    Issuer,
    /// Its time is over.
    #[error("the snapshot has expired")]
    Expired,
    /// It was issued in the future.
    #[error("the snapshot is of the future")]
    NotYetValid,
    /// Its version is below that of the snapshot held.
    #[error("the snapshot is older than the one held")]
    Rollback,
}

/// The revocations of one issuer at one moment.
pub struct Revocations {
    issuer: String,
    version: u64,
    ends: u64,
    sessions: HashSet<String>,
    cutoffs: Cutoffs,
}

impl Revocations {
    pub(crate) fn read(
        text: &str,
        rules: &Rules,
        keys: &Keys,
        now: u64,
    ) -> Result<Self, SnapshotError> {
        snapshot::read(text, rules, keys, now)
    }

    /// Its version, which only grows.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The second since the Unix epoch from which it must not be used.
    pub fn expires_at(&self) -> u64 {
        self.ends
    }

    /// How many revoked sessions it lists.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn may_be_used(&self, issuer: &str, now: u64) -> bool {
        self.issuer == issuer && now < self.ends
    }

    /// Fails if the token of these claims is void.
    pub(crate) fn check(&self, claims: &Claims) -> Result<(), VerifyError> {
        if self.sessions.contains(&claims.jti) || self.cutoffs.void(claims) {
            return Err(VerifyError::Revoked);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocations")
            .field("issuer", &self.issuer)
            .field("version", &self.version)
            .field("ends", &self.ends)
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}
