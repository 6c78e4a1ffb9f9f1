//! Verify Jeton session tokens where they are used, offline.
//!
//! A [`Verifier`] knows one issuer, one audience, one [`Algorithm`] and its keys. A [`RemoteVerifier`] fetches the keys
//! and keeps them fresh, and refuses what the issuer has revoked. [`BearerLayer`] puts either in front of an axum router.
//! `docs/verifying-tokens.md` says all that is checked and specifies the revocation snapshot.
//!
//! ```no_run
//! # fn jwks() -> String { String::new() }
//! # fn now() -> u64 { 0 }
//! let verifier = jeton_verifier::Verifier::new(
//!     "https://tokens.example.com/orgs/acme",
//!     "analytics",
//!     &jwks(), // the text at {issuer}/.well-known/jwks.json
//! )?;
//! let claims = verifier.verify("eyJ…", now())?;
//! let tenant = claims.attributes().string("tenant_id")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An attribute that is absent, `null` or empty is an error to read: refuse the request then; never run the query
//! without the filter.
//!
//! | module | holds |
//! |---|---|
//! | `jws`, `json` | strict reading of the compact form, without room for two readings |
//! | `keys`, `jwk` | checking signatures; which keys of a JWKS count |
//! | `claims`, `attributes`, `rules` | what a token says, and what it must say |
//! | `revocations` | the signed snapshot of what is void before its end |
//! | `client` | fetching keys and revocations (feature `client`) |
//! | `layer` | the middleware (feature `tower`) |

mod algorithm;
mod attributes;
mod claims;
#[cfg(feature = "client")]
mod client;
mod clock;
mod json;
mod jwk;
mod jws;
mod keys;
#[cfg(feature = "tower")]
mod layer;
mod revocations;
mod rules;
mod verifier;

pub use algorithm::Algorithm;
pub use attributes::{AttributeError, Attributes};
pub use claims::{Claims, Missing, Resource};
#[cfg(feature = "client")]
pub use client::{
    FetchError, RemoteVerifier, RemoteVerifierBuilder, RevocationPolling, SettingsError, Status,
};
#[cfg(feature = "client")]
pub use clock::{Clock, Sleep, SystemClock};
pub use jwk::JwksError;
pub use keys::{MIN_SECRET_BYTES, SecretError};
#[cfg(feature = "tower")]
pub use layer::{BearerLayer, BearerService, InvalidScope, VerifyToken};
pub use revocations::{MAX_SNAPSHOT_BYTES, Revocations, SnapshotError};
pub use rules::{DEFAULT_LEEWAY_SECONDS, LeewayTooLarge, MAX_LEEWAY_SECONDS, Rules};
pub use verifier::{Verifier, VerifyError};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests;
