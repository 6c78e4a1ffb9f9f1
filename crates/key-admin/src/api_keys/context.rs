use std::sync::Arc;

use storage::{OrganizationId, PrincipalId, Versioned};

use super::store::KeyRecord;
use super::{ApiKey, ApiKeyId, KeyCeiling};
use crate::users::UserRole;
use crate::{Permission, Slug};

/// Who asks: the answer to a proven API key that may act right now.
///
/// Only authentication makes one, so a function that takes it cannot be called for an unproven caller.
#[derive(Clone, Debug)]
pub struct ApiKeyContext {
    record: Arc<Versioned<KeyRecord>>,
    /// Fewer permissions than the key was given, because its owner does not have them all.
    narrowed: Option<Arc<[Permission]>>,
}

impl ApiKeyContext {
    pub(super) fn new(record: Arc<Versioned<KeyRecord>>) -> Self {
        Self {
            record,
            narrowed: None,
        }
    }

    /// The same caller, holding only those of its permissions that are among these. What it then makes holds no more.
    #[must_use]
    pub fn narrowed_to(self, permissions: &[Permission]) -> Self {
        let held = self.permissions().iter().copied();
        let narrowed = held.filter(|held| permissions.contains(held)).collect();
        Self {
            record: self.record,
            narrowed: Some(narrowed),
        }
    }

    /// The key.
    pub fn key(&self) -> &ApiKey {
        &self.record.value.key
    }

    /// The key's identifier.
    pub fn key_id(&self) -> ApiKeyId {
        self.key().id
    }

    /// The organization that the caller acts in.
    pub fn organization(&self) -> OrganizationId {
        self.key().organization
    }

    /// The organization's name in URLs.
    pub fn organization_slug(&self) -> &Slug {
        &self.record.value.organization_slug
    }

    /// The organization's name for people.
    pub fn organization_name(&self) -> &str {
        &self.record.value.organization_name
    }

    /// The key's owner.
    pub fn owner(&self) -> PrincipalId {
        self.key().owner
    }

    /// The owner's name for people.
    pub fn owner_name(&self) -> &str {
        &self.record.value.owner_name
    }

    /// Is the owner a user or a service account?
    pub fn owner_kind(&self) -> &str {
        &self.record.value.owner_kind
    }

    /// The role of the user who owns the key; `None` for a service account.
    pub fn owner_role(&self) -> Option<UserRole> {
        self.record.value.owner_role
    }

    /// What the key may grant at most.
    pub fn ceiling(&self) -> &KeyCeiling {
        &self.key().ceiling
    }

    /// What the key was given. Whether it may do something also depends on its owner: ask the `policy` crate.
    pub fn permissions(&self) -> &[Permission] {
        self.narrowed.as_deref().unwrap_or(&self.key().permissions)
    }

    /// The organization's version that the key was read at; with the key's id it names this exact state of the key.
    pub fn version(&self) -> i64 {
        self.record.version
    }
}
