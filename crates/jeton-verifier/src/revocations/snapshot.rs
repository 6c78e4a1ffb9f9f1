//! Reading a snapshot.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::cutoffs::Cutoffs;
use super::{MAX_SNAPSHOT_BYTES, Revocations, SnapshotError};
use crate::json;
use crate::jws::{Jws, Malformed};
use crate::keys::Keys;
use crate::rules::Rules;

/// The `typ` of a snapshot, which no session token has.
const SNAPSHOT_TYPE: &str = "revocations+jwt";

/// A member that is not named here may be one that voids tokens, so it refuses the snapshot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    iss: String,
    iat: u64,
    exp: u64,
    version: u64,
    sessions: HashSet<String>,
    cutoffs: Vec<Value>,
}

pub(super) fn read(
    text: &str,
    rules: &Rules,
    keys: &Keys,
    now: u64,
) -> Result<Revocations, SnapshotError> {
    let jws = Jws::split(text, MAX_SNAPSHOT_BYTES)?;
    let kid = jws.kid(keys.algorithm(), SNAPSHOT_TYPE)?;
    let key = keys.get(&kid).ok_or(SnapshotError::UnknownKey)?;
    let payload = jws.verified_payload(key).ok_or(SnapshotError::Signature)?;
    let payload = json::parse(payload).map_err(|_| SnapshotError::Claims)?;
    let written: Written = serde_json::from_value(payload).map_err(|_| SnapshotError::Claims)?;
    if written.iss != rules.issuer() {
        return Err(SnapshotError::Issuer);
    }
    if written.exp <= now {
        return Err(SnapshotError::Expired);
    }
    if written.iat > rules.latest(now) {
        return Err(SnapshotError::NotYetValid);
    }
    Ok(Revocations {
        issuer: written.iss,
        version: written.version,
        ends: written.exp,
        sessions: written.sessions,
        cutoffs: Cutoffs::read(written.cutoffs)?,
    })
}

impl From<Malformed> for SnapshotError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}
