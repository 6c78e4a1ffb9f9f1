use serde_json::json;
use storage::{OrganizationId, StorageError, Timestamp, Transaction};

use super::change::{ChangeKeyError, InvalidKey, seen};
use super::{ApiKey, ApiKeyId, store};
use crate::audit::Act;
use crate::cutoffs::{CutoffKind, CutoffTarget, void_for_good};
use crate::{Asker, KeyAdmin};

/// What becomes of the tokens that a key has issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuedTokens {
    /// They are void, all of them.
    #[default]
    Void,
    /// They live on until they end.
    Keep,
}

/// How a key is taken back.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyRevocation<'r> {
    /// Why, for people.
    pub reason: Option<&'r str>,
    /// What becomes of what it has issued.
    pub issued: IssuedTokens,
}

/// Off, on, and gone. Doing again what is done already answers the key as it is, and records nothing.
///
/// Switching off and taking back needs no strength: the weakest key that may write keys can stop the strongest. Only
/// keys of a member (`by`) stop no others than that member's own.
impl KeyAdmin {
    /// Switches a key off. It keeps its slot, and can be switched on again.
    pub async fn disable_key(
        &self,
        act: &Act,
        by: Asker<'_>,
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
        by: Asker<'_>,
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

    /// Takes a key back for good and frees its slot. A second time changes nothing.
    pub async fn revoke_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
        revocation: KeyRevocation<'_>,
    ) -> Result<ApiKey, ChangeKeyError> {
        let reason = checked_reason(revocation.reason)?;
        let mut opened = self.open(by, organization, id).await?;
        opened.check_may_stop()?;
        let mut after = opened.before.key.clone();
        if after.revoked_at.is_some() {
            return Ok(after);
        }
        let now = opened.now;
        if revocation.issued == IssuedTokens::Void {
            void_issued(&mut opened.tx, organization, id, now).await?;
        }
        after.revoked_at = Some(now);
        after.revoked_reason = reason;
        self.save(act, opened, "api_key.revoke", after).await
    }

    /// Removes a key, and with it its slot. Its audit events and its usage stay. Answers what it was.
    pub async fn delete_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
        issued: IssuedTokens,
    ) -> Result<ApiKey, ChangeKeyError> {
        let mut opened = self.open(by, organization, id).await?;
        opened.check_may_stop()?;
        if issued == IssuedTokens::Void {
            void_issued(&mut opened.tx, organization, id, opened.now).await?;
        }
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

/// Voids what a key has issued that issues nothing any more.
pub(crate) async fn void_issued(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let target = CutoffTarget::new(CutoffKind::ApiKey, id.to_string());
    void_for_good(tx, organization, &target, now).await
}

fn checked_reason(reason: Option<&str>) -> Result<Option<String>, InvalidKey> {
    let reason = reason.unwrap_or_default().trim();
    if reason.chars().count() > 500 || reason.chars().any(char::is_control) {
        return Err(InvalidKey::Reason);
    }
    Ok((!reason.is_empty()).then(|| reason.to_owned()))
}
