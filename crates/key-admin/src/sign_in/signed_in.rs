use std::sync::Arc;

use storage::{ConsoleSessionId, OrganizationId};

use crate::{Organization, Permission, User};

/// A person who has signed in: the answer to a console session that holds right now.
///
/// Only this module makes one, so a function that takes it cannot be called for somebody unproven.
#[derive(Clone, Debug)]
pub struct SignedIn {
    user: User,
    organization: Organization,
    session: ConsoleSessionId,
    permissions: Arc<[Permission]>,
}

impl SignedIn {
    pub(super) fn new(user: User, organization: Organization, session: ConsoleSessionId) -> Self {
        Self {
            user,
            organization,
            session,
            permissions: Arc::default(),
        }
    }

    /// The same person, holding these permissions. What a role includes is for the `policy` crate to say; until then a
    /// person holds none.
    #[must_use]
    pub fn holding(self, permissions: &[Permission]) -> Self {
        Self {
            permissions: permissions.into(),
            ..self
        }
    }

    /// The person.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The organization that the person acts in.
    pub fn organization(&self) -> &Organization {
        &self.organization
    }

    /// The organization's identifier.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization.id
    }

    /// The console session.
    pub fn session(&self) -> ConsoleSessionId {
        self.session
    }

    /// What the person may do.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }
}
