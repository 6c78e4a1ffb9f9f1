use ipnet::IpNet;
use storage::{OrganizationId, Timestamp};

use super::change::{
    ChangeKeyError, InvalidKey, check_expiry, check_networks, check_rate_limit, checked_name,
};
use super::{ApiKey, ApiKeyId, KeyCeiling, store};
use crate::audit::Act;
use crate::rate_limit::RateLimit;
use crate::{Asker, KeyAdmin, Permission};

/// What becomes of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It gets this value. For a field that may be absent this is an `Option`, and `None` takes the limit away.
    Set(T),
}

impl<T> Edit<T> {
    /// Does it to the field.
    pub fn apply(self, field: &mut T) {
        if let Self::Set(value) = self {
            *field = value;
        }
    }
}

/// What shall be different about a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiKeyPatch {
    /// Its name.
    pub name: Edit<String>,
    /// What it may do.
    pub permissions: Edit<Vec<Permission>>,
    /// What it may grant at most, as a whole.
    pub ceiling: Edit<KeyCeiling>,
    /// When it ends.
    pub expires_at: Edit<Option<Timestamp>>,
    /// Where it works.
    pub allowed_networks: Edit<Vec<IpNet>>,
    /// How often it works.
    pub rate_limit: Edit<Option<RateLimit>>,
}

impl ApiKeyPatch {
    /// The key with the patch applied, its values checked as far as that needs nobody else.
    fn apply(self, mut key: ApiKey) -> Result<ApiKey, InvalidKey> {
        if let Edit::Set(name) = self.name {
            key.name = checked_name(&name)?;
        }
        self.permissions.apply(&mut key.permissions);
        self.ceiling.apply(&mut key.ceiling);
        self.expires_at.apply(&mut key.expires_at);
        // A key may have more networks from before there was a bound.
        if let Edit::Set(networks) = &self.allowed_networks {
            check_networks(networks)?;
        }
        self.allowed_networks.apply(&mut key.allowed_networks);
        self.rate_limit.apply(&mut key.rate_limit);
        check_rate_limit(key.rate_limit)?;
        Ok(key)
    }
}

impl KeyAdmin {
    /// Edits a key; nothing happens, and nothing is recorded, when the patch changes nothing.
    ///
    /// Where a key asks (`by`), the *result* must be covered by it, fields that stay as they are included. So a key
    /// may narrow a stronger one down to its own strength, and cannot touch as much as the name of one that stays
    /// stronger. The expiry counts against the organization's maximum only where the patch sets it.
    pub async fn update_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
        patch: ApiKeyPatch,
    ) -> Result<ApiKey, ChangeKeyError> {
        let mut opened = self.open(by, organization, id).await?;
        opened.check_not_revoked()?;
        let sets_expiry = patch.expires_at != Edit::Keep;
        let after = patch.apply(opened.before.key.clone())?;
        opened.check_covered(&after)?;
        if after == opened.before.key {
            return Ok(after);
        }
        if sets_expiry {
            let max_lifetime = store::max_lifetime(opened.tx.conn(), organization).await?;
            check_expiry(&after, opened.now, max_lifetime)?;
        }
        self.save(act, opened, "api_key.update", after).await
    }
}
