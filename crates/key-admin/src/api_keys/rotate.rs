use serde_json::json;
use storage::OrganizationId;

use super::change::{ChangeKeyError, InvalidKey, check_expiry, seen};
use super::{ApiKeyId, CreatedKey, format, store};
use crate::audit::Act;
use crate::{Asker, KeyAdmin, SignedIn};

/// The longest grace period of a rotation, in seconds: 7 days.
pub const MAX_GRACE_SECONDS: u32 = 7 * 24 * 60 * 60;

impl KeyAdmin {
    /// Gives a key a new secret. The one before works for `grace_seconds` more, but never longer than the key itself;
    /// 0 ends it at once. The one before that ends now, whatever its grace was. A disabled key can be rotated and
    /// stays disabled; a revoked or expired one cannot, nor one that outlives the organization's maximum: it would
    /// begin anew beyond what is allowed.
    ///
    /// The answer holds a secret of the key, so `by` must cover it. Of rotations at the same time each answers a
    /// secret of its own: the last to commit is current, the one before is in grace, and all others are over.
    pub async fn rotate_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
        grace_seconds: u32,
    ) -> Result<CreatedKey, ChangeKeyError> {
        if grace_seconds > MAX_GRACE_SECONDS {
            return Err(InvalidKey::Grace.into());
        }
        let secret = format::with_fresh_secret(id)?;
        let cost = self.settings.api_key_hash;
        // Before the transaction, which must not wait for it.
        let new_hash = self.hasher.hash(secret.clone(), cost).await?;

        let mut opened = self.open(by, organization, id).await?;
        opened.check_not_revoked()?;
        let mut after = opened.before.key.clone();
        if !after.is_live(opened.now) {
            return Err(ChangeKeyError::Expired);
        }
        opened.check_covered(&after)?;
        let max_lifetime = store::max_lifetime(opened.tx.conn(), organization).await?;
        check_expiry(&after, opened.now, max_lifetime)?;
        after.previous_secret_until = (grace_seconds > 0).then(|| {
            let end = opened.now.plus_seconds(grace_seconds.into());
            after.expires_at.map_or(end, |expiry| expiry.min(end))
        });
        let old_hash = &opened.before.secret_hash;
        let hashes = (old_hash.as_str(), new_hash.as_str());
        if !store::changes::rotate(opened.tx.conn(), &after, hashes).await? {
            // Nobody can have replaced the hash of a locked row; without the lock, better no rotation than a lost one.
            return Err(ChangeKeyError::NotFound);
        }
        let detail = json!({ "before": seen(&opened.before.key), "after": seen(&after) });
        self.commit(act, opened.tx, &after, ("api_key.rotate", detail))
            .await?;
        Ok(CreatedKey { key: after, secret })
    }

    /// May this person act with the key without its secret, as in the console's playground? Only who could give the
    /// key a new secret may, by the same checks as [`Self::rotate_key`]. Then [`Self::resume`] gives the caller.
    pub async fn may_use_key(
        &self,
        person: &SignedIn,
        key: ApiKeyId,
    ) -> Result<(), ChangeKeyError> {
        let organization = person.organization_id();
        let opened = self.open(person.into(), organization, key).await?;
        opened.check_not_revoked()?;
        if !opened.before.key.is_live(opened.now) {
            return Err(ChangeKeyError::Expired);
        }
        Ok(opened.check_covered(&opened.before.key)?)
    }
}
