//! A session row on its way to the database.

use std::collections::BTreeMap;
use std::net::IpAddr;

use key_admin::ApiKeyId;
use key_admin::sealing::CannotSeal;
use key_admin::secrets::hex;
use policy::{AttributeName, AttributeValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{OrganizationId, SessionId, StorageError, Timestamp};
use uuid::Uuid;

use super::hashes::{AttributeHasher, CannotHash};
use crate::claims::{Claims, SignedToken};
use crate::issuance::Origin;

/// The columns, in the order of the statements that write them. As JSON it waits in the intake, and goes to PostgreSQL; SQLite takes
/// its values.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct Row {
    #[serde(with = "uuid::serde::simple")]
    pub(super) id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    pub(super) organization_id: Uuid,
    #[serde(with = "uuid::serde::simple")]
    pub(super) audience_id: Uuid,
    #[serde(with = "characters")]
    pub(super) api_key_id: ApiKeyId,
    pub(super) kid: String,
    pub(super) subject: String,
    /// A JSON list.
    pub(super) roles: String,
    /// A JSON object.
    pub(super) attributes: String,
    /// A JSON list.
    pub(super) resources: String,
    pub(super) request_id: String,
    pub(super) client_address: IpAddr,
    /// Unix seconds, as the other times.
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    #[serde(with = "uuid::serde::simple")]
    pub(super) root_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<i64>,
    /// Hexadecimal, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) payload_ciphertext: Option<String>,
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
        Ok(Self {
            id: claims.session_id().as_uuid(),
            organization_id: claims.organization().as_uuid(),
            audience_id: claims.audience_id().as_uuid(),
            api_key_id: claims.api_key(),
            kid: token.kid().to_owned(),
            subject: claims.subject().to_owned(),
            roles: serde_json::to_string(claims.roles())?,
            attributes: serde_json::to_string(&Attributes::of(claims, hasher)?)?,
            resources: serde_json::to_string(claims.resources())?,
            request_id: origin.request_id.clone(),
            client_address: origin.client,
            issued_at: claims.issued_at().unix_seconds(),
            expires_at: claims.expires_at().unix_seconds(),
            root_id: claims.root().as_uuid(),
            ends_at: claims.session_ends_at().map(Timestamp::unix_seconds),
            reference_hash,
            payload_ciphertext,
        })
    }

    pub(super) fn session(&self) -> SessionId {
        SessionId::from_uuid(self.id)
    }

    pub(super) fn organization(&self) -> OrganizationId {
        OrganizationId::from_uuid(self.organization_id)
    }

    pub(super) fn issued_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.issued_at)
    }
}

/// The rows as one JSON list.
pub(super) fn list(rows: &[&Row]) -> Result<String, StorageError> {
    serde_json::to_string(rows).map_err(|error| StorageError::corrupt("session row", error))
}

/// The rows of such a list.
pub(super) fn read_list(list: &str) -> Result<Vec<Row>, StorageError> {
    serde_json::from_str(list).map_err(|error| StorageError::corrupt("group of sessions", error))
}

/// An API key's id without its prefix.
mod characters {
    use std::borrow::Cow;

    use key_admin::ApiKeyId;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        id: &ApiKeyId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(id.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ApiKeyId, D::Error> {
        let characters = Cow::<str>::deserialize(deserializer)?;
        let id = ApiKeyId::from_characters(&characters);
        id.ok_or_else(|| de::Error::custom("not the id of an API key"))
    }
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
