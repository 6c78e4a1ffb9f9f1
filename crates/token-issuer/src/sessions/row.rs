//! A session row on its way to the database: an object of the JSON list that one statement takes. It is written once, by
//! the request that waits for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use key_admin::ApiKeyId;
use key_admin::sealing::CannotSeal;
use key_admin::secrets::hex;
use policy::{AttributeName, AttributeValue, Resource, RoleName};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use storage::{OrganizationId, SessionId, Timestamp};
use uuid::Uuid;

use super::hashes::{AttributeHasher, CannotHash};
use crate::claims::{Claims, SignedToken};
use crate::issuance::Origin;

/// A row as text, and what counts it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) json: String,
    pub(super) issued: Issued,
}

/// Which key issued a token, when, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issued {
    pub(super) organization: OrganizationId,
    pub(super) api_key: ApiKeyId,
    pub(super) at: Timestamp,
    pub(super) client: IpAddr,
}

/// A row could not be written down.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRow {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Hash(#[from] CannotHash),
    #[error(transparent)]
    Seal(#[from] CannotSeal),
}

/// The members of the object, in the order of the statement that reads them.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(serialize_with = "simple")]
    id: Uuid,
    #[serde(serialize_with = "simple")]
    organization_id: Uuid,
    api_key_id: &'a str,
    #[serde(serialize_with = "simple")]
    audience_id: Uuid,
    kid: &'a str,
    subject: &'a str,
    roles: &'a [RoleName],
    attributes: Attributes<'a>,
    resources: &'a [Resource],
    request_id: &'a str,
    client_address: IpAddr,
    issued_at: i64,
    expires_at: i64,
    #[serde(serialize_with = "simple")]
    root_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_ciphertext: Option<String>,
}

/// The attributes as they are stored.
#[derive(Serialize)]
#[serde(untagged)]
enum Attributes<'a> {
    /// As the token has them.
    Plain(&'a BTreeMap<AttributeName, AttributeValue>),
    /// With hashes in place of sensitive values.
    Hashed(Map<String, Value>),
}

impl Row {
    pub(super) fn new(
        token: &SignedToken,
        origin: &Origin,
        hasher: &AttributeHasher,
    ) -> Result<Self, NoRow> {
        let claims = token.claims();
        let (reference_hash, payload_ciphertext) = wrapped(token, hasher)?.unzip();
        let api_key = claims.api_key();
        let members = Members {
            id: claims.session_id().as_uuid(),
            organization_id: claims.organization().as_uuid(),
            api_key_id: api_key.as_str(),
            audience_id: claims.audience_id().as_uuid(),
            kid: token.kid(),
            subject: claims.subject(),
            roles: claims.roles(),
            attributes: Attributes::of(claims, hasher)?,
            resources: claims.resources(),
            request_id: &origin.request_id,
            client_address: origin.client,
            issued_at: claims.issued_at().unix_seconds(),
            expires_at: claims.expires_at().unix_seconds(),
            root_id: claims.root().as_uuid(),
            ends_at: claims.session_ends_at().map(Timestamp::unix_seconds),
            reference_hash,
            payload_ciphertext,
        };
        Ok(Self {
            json: serde_json::to_string(&members)?,
            issued: Issued {
                organization: claims.organization(),
                api_key,
                at: claims.issued_at(),
                client: origin.client,
            },
        })
    }
}

/// The rows as one JSON list.
pub(super) fn list<'a>(rows: impl ExactSizeIterator<Item = &'a Row> + Clone) -> String {
    let length: usize = rows.clone().map(|row| row.json.len() + 1).sum();
    let mut list = String::with_capacity(length + 2);
    list.push('[');
    for (index, row) in rows.enumerate() {
        if index > 0 {
            list.push(',');
        }
        list.push_str(&row.json);
    }
    list.push(']');
    list
}

/// Of a token that does not say itself what it stands for: what it is recognized by, and what it says, sealed.
fn wrapped(
    token: &SignedToken,
    hasher: &AttributeHasher,
) -> Result<Option<(String, String)>, NoRow> {
    let Some((reference, payload)) = token.reference() else {
        return Ok(None);
    };
    let claims = token.claims();
    let sealer = hasher.payload_sealer(claims.organization())?;
    let identity = payload_identity(claims.session_id());
    let sealed = sealer.seal(&identity, &payload.to_vec().into())?;
    Ok(Some((hex(reference), hex(&sealed))))
}

/// The row that sealed claims belong to.
pub(crate) fn payload_identity(session: SessionId) -> String {
    format!("sessions/{session}/payload")
}

impl<'a> Attributes<'a> {
    fn of(claims: &'a Claims, hasher: &AttributeHasher) -> Result<Self, CannotHash> {
        if claims.sensitive().is_empty() {
            return Ok(Self::Plain(claims.attributes()));
        }
        let hasher = hasher.of(claims.organization())?;
        let stored = claims.attributes().iter().map(|(name, value)| {
            let value = value.to_json();
            let stored = if claims.sensitive().contains(name) {
                hasher.stored(name.as_str(), &value)
            } else {
                value
            };
            (name.to_string(), stored)
        });
        Ok(Self::Hashed(stored.collect()))
    }
}

/// Hexadecimal digits without hyphens, which both engines read as bytes.
fn simple<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.simple().encode_lower(&mut Uuid::encode_buffer()))
}
