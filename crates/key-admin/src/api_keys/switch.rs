use serde_json::json;
use storage::OrganizationId;

use super::change::{ChangeKeyError, InvalidKey, seen};
use super::{ApiKey, ApiKeyContext, ApiKeyId, store};
use crate::KeyAdmin;
use crate::audit::Act;

/// Off, on, and gone. Doing again what is done already answers the key as it is, and records nothing.
///
/// Switching off and taking back needs no strength: the weakest key that may write keys can stop the strongest. Only
/// keys of a member (`by`) stop no others than that member's own.
impl KeyAdmin {
    /// Switches a key off. It keeps its slot, and can be switched on again.
    pub async fn disable_key(
        &self,
        act: &Act,
        by: Option<&ApiKeyContext>,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<ApiKey, ChangeKeyError> {
        let opened = self.open(by, organization, id).await?;
        opened.check_may_stop()?;
        opened.check_not_revoked()?;
        let mut after = opened.before.key.clone();
        if after.disabled_at.is_some() {
            return Ok(after);
        }
        after.disabled_at = Some(opened.now);
        self.save(act, opened, "api_key.disable", after).await
    }

    /// Switches a key on. One that has expired meanwhile stays expired. `by` must cover the key.
    pub async fn enable_key(
        &self,
        act: &Act,
        by: Option<&ApiKeyContext>,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<ApiKey, ChangeKeyError> {
        let opened = self.open(by, organization, id).await?;
        opened.check_not_revoked()?;
        let mut after = opened.before.key.clone();
        opened.check_covered(&after)?;
        if after.disabled_at.is_none() {
            return Ok(after);
        }
        after.disabled_at = None;
        self.save(act, opened, "api_key.enable", after).await
    }

    /// Takes a key back for good and frees its slot. A second time changes neither the time nor the reason.
    pub async fn revoke_key(
        &self,
        act: &Act,
        by: Option<&ApiKeyContext>,
        organization: OrganizationId,
        id: ApiKeyId,
        reason: Option<&str>,
    ) -> Result<ApiKey, ChangeKeyError> {
        let reason = checked_reason(reason)?;
        let opened = self.open(by, organization, id).await?;
        opened.check_may_stop()?;
        let mut after = opened.before.key.clone();
        if after.revoked_at.is_some() {
            return Ok(after);
        }
        after.revoked_at = Some(opened.now);
        after.revoked_reason = reason;
        self.save(act, opened, "api_key.revoke", after).await
    }

    /// Removes a key, and with it its slot. Its audit events and its usage stay. Answers what it was.
    pub async fn delete_key(
        &self,
        act: &Act,
        by: Option<&ApiKeyContext>,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<ApiKey, ChangeKeyError> {
        let mut opened = self.open(by, organization, id).await?;
        opened.check_may_stop()?;
        let key = opened.before.key;
        if !store::changes::delete(opened.tx.conn(), organization, id).await? {
            return Err(ChangeKeyError::NotFound);
        }
        let detail = json!({ "before": seen(&key) });
        self.commit(act, opened.tx, &key, ("api_key.delete", detail))
            .await?;
        Ok(key)
    }
}

fn checked_reason(reason: Option<&str>) -> Result<Option<String>, InvalidKey> {
    let reason = reason.unwrap_or_default().trim();
    if reason.chars().count() > 500 || reason.chars().any(char::is_control) {
        return Err(InvalidKey::Reason);
    }
    Ok((!reason.is_empty()).then(|| reason.to_owned()))
}
