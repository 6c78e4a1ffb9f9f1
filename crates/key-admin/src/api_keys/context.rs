use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use storage::{OrganizationId, PrincipalId, Versioned};

use super::store::KeyRecord;
use super::{ApiKey, ApiKeyId, KeyCeiling, Permission};
use crate::Slug;

/// Who asks: the answer to a proven API key that may act right now.
///
/// Only authentication makes one, so a function that takes it cannot be called for an unproven caller.
#[derive(Clone, Debug)]
pub struct ApiKeyContext {
    record: Arc<Versioned<KeyRecord>>,
}

impl ApiKeyContext {
    pub(super) fn new(record: Arc<Versioned<KeyRecord>>) -> Self {
        Self { record }
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

    /// What the key may grant at most.
    pub fn ceiling(&self) -> &KeyCeiling {
        &self.key().ceiling
    }

    /// The proof that the key may do what `P` stands for.
    pub fn permit<P: Requires>(&self) -> Result<Permitted<P>, MissingPermission> {
        if self.key().permissions.contains(&P::PERMISSION) {
            Ok(Permitted {
                caller: self.clone(),
                permission: PhantomData,
            })
        } else {
            Err(MissingPermission(P::PERMISSION))
        }
    }

    /// The organization's version that the key was read at; with the key's id it names this exact state of the key.
    pub fn version(&self) -> i64 {
        self.record.version
    }
}

/// A permission at the type level, for the signature of what needs it.
pub trait Requires {
    /// The permission.
    const PERMISSION: Permission;
}

/// Stands for [`Permission::TokensIssue`].
#[derive(Clone, Copy, Debug)]
pub struct TokensIssue;

impl Requires for TokensIssue {
    const PERMISSION: Permission = Permission::TokensIssue;
}

/// A caller that holds the permission `P`. What takes one cannot be called for a key without it.
#[derive(Clone, Debug)]
pub struct Permitted<P> {
    caller: ApiKeyContext,
    permission: PhantomData<P>,
}

impl<P> Deref for Permitted<P> {
    type Target = ApiKeyContext;

    fn deref(&self) -> &ApiKeyContext {
        &self.caller
    }
}

/// The key lacks this permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key lacks the permission {}", .0.as_str())]
pub struct MissingPermission(pub Permission);
