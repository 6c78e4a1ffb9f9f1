//! What can be done with an organization's settings.

use serde_json::{Value, json};
use storage::{OrganizationId, StorageError, record_change};

use super::{Organization, store};
use crate::audit::{Act, Deed};
use crate::principals::checked_name;
use crate::{Edit, KeyAdmin};

/// The longest maximum that an organization can set for the life of its keys, in seconds: 50 years of 365 days. Who
/// wants a longer one sets none.
pub const MAX_KEY_LIFETIME_SECONDS: u32 = 50 * 365 * 24 * 60 * 60;

/// What shall be different about an organization. Its slug cannot change: it is part of the issuer of its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationPatch {
    /// 1 to 100 characters.
    pub name: Edit<String>,
    /// 1 to [`MAX_KEY_LIFETIME_SECONDS`]; `None` for no limit.
    pub max_key_lifetime_seconds: Edit<Option<u32>>,
}

/// Why nothing was done about an organization.
#[derive(Debug, thiserror::Error)]
pub enum OrganizationError {
    /// There is no such organization.
    #[error("there is no such organization")]
    NotFound,
    /// Empty, blank, longer than 100 characters, or with control characters.
    #[error("an organization's name has 1 to 100 characters, none of them control characters")]
    InvalidName,
    /// Zero, or more than [`MAX_KEY_LIFETIME_SECONDS`].
    #[error("the longest life of keys is from 1 to {MAX_KEY_LIFETIME_SECONDS} seconds")]
    InvalidMaxKeyLifetime,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl OrganizationPatch {
    fn apply(self, mut organization: Organization) -> Result<Organization, OrganizationError> {
        if let Edit::Set(name) = self.name {
            organization.name = checked_name(&name).ok_or(OrganizationError::InvalidName)?;
        }
        if let Edit::Set(Some(seconds)) = self.max_key_lifetime_seconds
            && !(1..=MAX_KEY_LIFETIME_SECONDS).contains(&seconds)
        {
            return Err(OrganizationError::InvalidMaxKeyLifetime);
        }
        self.max_key_lifetime_seconds
            .apply(&mut organization.max_key_lifetime_seconds);
        Ok(organization)
    }
}

impl KeyAdmin {
    /// The organization with its settings.
    pub async fn get_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Organization, OrganizationError> {
        let mut read = self.database.read().await?;
        let found = store::find(read.conn(), id).await?;
        found.ok_or(OrganizationError::NotFound)
    }

    /// Changes the settings. What is asked for and true already is no change and leaves no event.
    ///
    /// Keys that exist keep their expiry when the maximum is lowered. From then on it counts for each new key, each
    /// new expiry and each rotation.
    pub async fn update_organization(
        &self,
        act: &Act,
        id: OrganizationId,
        patch: OrganizationPatch,
    ) -> Result<Organization, OrganizationError> {
        let mut tx = self.database.write().await?;
        // The change lock comes before the row: whoever else holds it is about to write its version into the row.
        record_change(&mut tx, id).await?;
        let before = store::find(tx.conn(), id).await?;
        let before = before.ok_or(OrganizationError::NotFound)?;
        let after = patch.apply(before.clone())?;
        if before == after {
            return Ok(after);
        }
        if !store::save(tx.conn(), (&before, &after)).await? {
            return Err(OrganizationError::NotFound);
        }
        let deed = Deed {
            action: "organization.update",
            target_kind: "organization",
            target_id: id.to_string(),
            detail: json!({ "before": shown(&before), "after": shown(&after) }),
        };
        self.commit_deed(tx, id, act, deed).await?;
        Ok(after)
    }
}

/// What the audit trail keeps of an organization.
fn shown(organization: &Organization) -> Value {
    json!({
        "name": organization.name,
        "max_key_lifetime_seconds": organization.max_key_lifetime_seconds,
    })
}
