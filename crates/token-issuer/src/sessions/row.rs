//! A session row on its way to the database, in the form that the engine takes best. It is made by the request that waits
//! for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use key_admin::ApiKeyId;
use key_admin::sealing::CannotSeal;
use key_admin::secrets::hex;
use policy::{AttributeName, AttributeValue, Resource, RoleName};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use storage::{Engine, OrganizationId, SessionId, SqliteValue, Timestamp};
use uuid::Uuid;

use super::hashes::{AttributeHasher, CannotHash};
use crate::claims::{Claims, SignedToken};
use crate::issuance::Origin;

/// A row, and what counts it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) form: Form,
    pub(super) issued: Issued,
}

/// What the statements take.
#[derive(Debug)]
pub(super) enum Form {
    /// For PostgreSQL: an object, by the names of the columns.
    Json(String),
    /// For SQLite: the values of [`COLUMNS`].
    Values(Box<[SqliteValue; COLUMNS.len()]>),
}

/// The columns that a new row has values for; the first is never null.
pub(super) const COLUMNS: [&str; 17] = [
    "id",
    "organization_id",
    "api_key_id",
    "audience_id",
    "kid",
    "subject",
    "roles",
    "attributes",
    "resources",
    "request_id",
    "client_address",
    "issued_at",
    "expires_at",
    "root_id",
    "ends_at",
    "reference_hash",
    "payload_ciphertext",
];

impl Form {
    pub(super) fn json(&self) -> Option<&str> {
        match self {
            Self::Json(json) => Some(json),
            Self::Values(_) => None,
        }
    }

    pub(super) fn values(&self) -> Option<&[SqliteValue; COLUMNS.len()]> {
        match self {
            Self::Values(values) => Some(values),
            Self::Json(_) => None,
        }
    }
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

/// The members of the object, in the order of [`COLUMNS`]. Times are Unix seconds.
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
    #[serde(serialize_with = "hexadecimal")]
    reference_hash: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "hexadecimal")]
    payload_ciphertext: Option<Vec<u8>>,
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
        engine: Engine,
    ) -> Result<Self, NoRow> {
        let claims = token.claims();
        let (reference_hash, payload_ciphertext) = wrapped(token, hasher)?.map(Into::into).unzip();
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
            form: match engine {
                Engine::Sqlite => Form::Values(Box::new(members.values()?)),
                Engine::Postgres => Form::Json(serde_json::to_string(&members)?),
            },
            issued: Issued {
                organization: claims.organization(),
                api_key,
                at: claims.issued_at(),
                client: origin.client,
            },
        })
    }
}

impl Members<'_> {
    /// In the order of [`COLUMNS`], as SQLite stores them: times in microseconds, lists and objects as JSON.
    fn values(&self) -> Result<[SqliteValue; COLUMNS.len()], serde_json::Error> {
        let id = |id: Uuid| SqliteValue::Bytes(id.as_bytes().as_slice().into());
        let text = |text: &str| SqliteValue::Text(text.into());
        let time = |seconds: i64| SqliteValue::Number(seconds.saturating_mul(1_000_000));
        let bytes = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => SqliteValue::Bytes(bytes.as_slice().into()),
            None => SqliteValue::Null,
        };
        Ok([
            id(self.id),
            id(self.organization_id),
            text(self.api_key_id),
            id(self.audience_id),
            text(self.kid),
            text(self.subject),
            text(&serde_json::to_string(self.roles)?),
            text(&serde_json::to_string(&self.attributes)?),
            text(&serde_json::to_string(self.resources)?),
            text(self.request_id),
            text(&self.client_address.to_string()),
            time(self.issued_at),
            time(self.expires_at),
            id(self.root_id),
            self.ends_at.map_or(SqliteValue::Null, time),
            bytes(&self.reference_hash),
            bytes(&self.payload_ciphertext),
        ])
    }
}

/// Of a token that does not say itself what it stands for: what it is recognized by, and what it says, sealed.
fn wrapped(token: &SignedToken, hasher: &AttributeHasher) -> Result<Option<[Vec<u8>; 2]>, NoRow> {
    let Some((reference, payload)) = token.reference() else {
        return Ok(None);
    };
    let claims = token.claims();
    let sealer = hasher.payload_sealer(claims.organization())?;
    let identity = payload_identity(claims.session_id());
    let sealed = sealer.seal(&identity, &payload.to_vec().into())?;
    Ok(Some([reference.to_vec(), sealed]))
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

/// Of what is there: hexadecimal digits, which PostgreSQL decodes.
#[expect(clippy::ref_option, reason = "serde passes the field like this")]
fn hexadecimal<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.as_deref().map(hex).serialize(serializer)
}
