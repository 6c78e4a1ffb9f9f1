//! The revocation snapshot: what verifiers that stay offline poll. `docs/verifying-tokens.md` specifies it.
//!
//! It is signed once for each version of the revocations and kept in memory; after that, a poll costs reading the version.
//! Before it is a minute old it is signed again, from what the database then says.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::Slug;
use key_admin::cutoffs::{self, Cutoff, CutoffKind};
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use storage::{OrganizationId, StorageError, Timestamp};

use crate::audiences::DEFAULT_AUDIENCE;
use crate::issuance::TokenIssuer;
use crate::rings::{OrganizationIssuer, StartError};
use crate::sessions::store;
use crate::signing_keys::{OpenedKey, SigningAlgorithm, UnusableKey};

/// How long verifiers may keep a snapshot without asking again, in seconds.
pub const SNAPSHOT_MAX_AGE_SECONDS: u32 = 5;
/// How long a snapshot may be used, in seconds.
const LIFE_SECONDS: i64 = 600;
/// How old a snapshot may be when it is handed out, in seconds.
const SIGN_AGAIN_SECONDS: i64 = 50;
/// Organizations whose snapshot is kept in memory; those of others are signed again.
const MAX_ORGANIZATIONS: usize = 1_000;

/// A signed snapshot.
#[derive(Clone, Debug)]
pub struct RevocationSnapshot {
    /// The compact JWS.
    pub body: Arc<str>,
    /// Its strong entity tag, quotes included.
    pub etag: Arc<str>,
    version: i64,
    signed_at: Timestamp,
    kid: String,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The organization's keys could not be read.
    #[error(transparent)]
    Rings(#[from] StartError),
    /// No audience signs with ES256. The default audience always does.
    #[error("the organization has no ES256 key to sign its revocations with")]
    NoKey,
    /// The key did not sign.
    #[error("the snapshot could not be signed")]
    Signing(#[from] UnusableKey),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The latest snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots(Cache<OrganizationId, Arc<RevocationSnapshot>>);

impl Snapshots {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MAX_ORGANIZATIONS))
    }
}

impl TokenIssuer {
    /// What the organization has revoked, signed; `None` when there is no such organization.
    pub async fn revocation_snapshot(
        &self,
        slug: &Slug,
    ) -> Result<Option<Arc<RevocationSnapshot>>, SnapshotError> {
        let Some(issuer) = self.organization(slug).await? else {
            return Ok(None);
        };
        let organization = issuer.organization;
        let key = signer(&issuer.value).ok_or(SnapshotError::NoKey)?;
        let version = {
            let mut read = self.database.read().await?;
            cutoffs::revocation_version(read.conn(), organization).await?
        };
        let now = self.clock.now();
        if let Some(known) = self.snapshots.0.get(&organization)
            && Some(known.version) == version
            && known.kid == key.kid
            && now < known.signed_at.plus_seconds(SIGN_AGAIN_SECONDS)
        {
            return Ok(Some(known));
        }
        let claims = self.snapshot_claims(organization, slug, now).await?;
        let signed = Arc::new(RevocationSnapshot::new(claims, key, now)?);
        self.snapshots.0.insert(organization, signed.clone());
        Ok(Some(signed))
    }

    async fn snapshot_claims(
        &self,
        organization: OrganizationId,
        slug: &Slug,
        now: Timestamp,
    ) -> Result<(i64, Value), SnapshotError> {
        let (version, sessions, cutoffs) = {
            let mut tx = self.database.snapshot().await?;
            let version = cutoffs::revocation_version(tx.conn(), organization).await?;
            let sessions = store::revoking::revoked(tx.conn(), organization, now).await?;
            let cutoffs = cutoffs::live_cutoffs(tx.conn(), organization, now).await?;
            (version.unwrap_or_default(), sessions, cutoffs)
        };
        let claims = json!({
            "iss": self.public_url.issuer(slug),
            "iat": now.unix_seconds(),
            "exp": now.unix_seconds() + LIFE_SECONDS,
            "version": version,
            "sessions": sessions,
            "cutoffs": cutoffs.iter().filter_map(published).collect::<Vec<_>>(),
        });
        Ok((version, claims))
    }
}

/// The key of the default audience, which cannot be removed or get another algorithm.
fn signer(issuer: &OrganizationIssuer) -> Option<&OpenedKey> {
    let default = issuer.ring(DEFAULT_AUDIENCE).into_iter();
    let mut rings = default.chain(issuer.rings());
    let ring = rings.find(|ring| ring.audience.algorithm == SigningAlgorithm::Es256)?;
    Some(&ring.active)
}

/// A cutoff as the snapshot has it; `None` for one of a sensitive value, whose sessions are listed instead.
fn published(cutoff: &Cutoff) -> Option<Value> {
    let target = &cutoff.target;
    let kind = target.kind.as_str();
    let before_ms = (cutoff.before.unix_micros() / 1_000).max(0);
    let mut shown = json!({ "kind": kind, "before_ms": before_ms });
    match target.kind {
        CutoffKind::Organization => {}
        CutoffKind::Attribute => {
            let value: Value = serde_json::from_str(&target.value).ok()?;
            if value.is_object() {
                return None;
            }
            shown["name"] = target.name.as_str().into();
            shown["value"] = value;
        }
        _ => shown["value"] = target.value.as_str().into(),
    }
    Some(shown)
}

impl RevocationSnapshot {
    fn new(
        (version, claims): (i64, Value),
        key: &OpenedKey,
        signed_at: Timestamp,
    ) -> Result<Self, SnapshotError> {
        let text = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        // By its own name, as the JWKS has it, whatever the consumer of the audience's tokens calls it.
        let header = json!({ "alg": "ES256", "kid": key.kid, "typ": "revocations+jwt" });
        let mut body = format!("{}.{}", text(&header), text(&claims));
        let signature = key.pair.sign(body.as_bytes())?;
        body.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut body);
        let tag = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()));
        Ok(Self {
            etag: format!("\"{tag}\"").into(),
            body: body.into(),
            version,
            signed_at,
            kid: key.kid.clone(),
        })
    }
}
