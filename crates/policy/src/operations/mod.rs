//! Which caller may do which operation.
//!
//! One table ([`Operation::permission`]) says which permission each operation needs, one ([`role_permissions`]) what
//! each role of a user includes. casbin is built from both and asked once for every pair; its answers are kept. A key
//! may do what its own permissions allow and, where a user owns it, what the user's role allows as well: a key never
//! outgrows its owner.
//!
//! A function that needs an operation takes a [`Permitted`] or [`PermittedPerson`] of it, which only the [`Authorizer`]
//! makes.

mod table;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::Deref;

use key_admin::users::UserRole;
use key_admin::{ApiKeyContext, Permission, SignedIn, Slug};
use storage::OrganizationId;

use crate::casbin_engine::{Act, Engine, EngineError, Entity, Rules};

pub use table::{Issuing, Marker, Operation, markers, role_permissions};

/// casbin's answers about callers and operations.
#[derive(Debug)]
pub struct Authorizer {
    opens: BTreeSet<(Permission, Operation)>,
    includes: BTreeSet<(UserRole, Permission)>,
}

/// The caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The key was not given the permission.
    #[error("this API key lacks the permission `{0}`")]
    Key(Permission),
    /// The key's owner does not have it any more, and so the key does not either.
    #[error("the owner of this API key lacks the permission `{0}`")]
    Owner(Permission),
    /// The person's role does not include the permission.
    #[error("your role lacks the permission `{0}`")]
    Person(Permission),
}

/// A caller that may do the operation `M`.
#[derive(Clone, Debug)]
pub struct Permitted<M> {
    caller: ApiKeyContext,
    operation: PhantomData<M>,
}

/// A person in the console that may do the operation `M`.
#[derive(Clone, Debug)]
pub struct PermittedPerson<M> {
    person: SignedIn,
    operation: PhantomData<M>,
}

impl<M> Deref for PermittedPerson<M> {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.person
    }
}

/// Whoever may do the operation `M`: for what asks of both the same.
#[derive(Debug)]
pub enum PermittedAsker<'a, M> {
    /// A caller with an API key.
    Key(&'a Permitted<M>),
    /// A person in the console.
    Person(&'a PermittedPerson<M>),
}

impl<M> PermittedAsker<'_, M> {
    /// The organization's identifier.
    pub fn organization_id(&self) -> OrganizationId {
        match self {
            Self::Key(caller) => caller.organization(),
            Self::Person(person) => person.organization_id(),
        }
    }

    /// The organization's name in URLs.
    pub fn organization_slug(&self) -> &Slug {
        match self {
            Self::Key(caller) => caller.organization_slug(),
            Self::Person(person) => &person.organization().slug,
        }
    }

    /// The calling key; `None` for a person.
    pub fn key(&self) -> Option<&ApiKeyContext> {
        match self {
            Self::Key(caller) => Some(caller),
            Self::Person(_) => None,
        }
    }
}

impl<'a, M> From<&'a Permitted<M>> for PermittedAsker<'a, M> {
    fn from(caller: &'a Permitted<M>) -> Self {
        Self::Key(caller)
    }
}

impl<'a, M> From<&'a PermittedPerson<M>> for PermittedAsker<'a, M> {
    fn from(person: &'a PermittedPerson<M>) -> Self {
        Self::Person(person)
    }
}

impl<M: Issuing> Permitted<M> {
    /// The same caller, as the services that issue take it.
    pub fn issuing(self) -> Permitted<markers::IssueSessionToken> {
        Permitted {
            caller: self.caller,
            operation: PhantomData,
        }
    }
}

impl<M> Deref for Permitted<M> {
    type Target = ApiKeyContext;

    fn deref(&self) -> &ApiKeyContext {
        &self.caller
    }
}

impl Authorizer {
    /// Builds casbin's rules from the tables, and asks about every pair.
    pub async fn new() -> Result<Self, EngineError> {
        let engine = Engine::load(rules()).await?;
        let mut answers = Self {
            opens: BTreeSet::new(),
            includes: BTreeSet::new(),
        };
        for &permission in Permission::ALL {
            let entity = Entity::Permission(permission);
            for &operation in Operation::ALL {
                if engine.allows(entity, Act::Call, Entity::Operation(operation))? {
                    answers.opens.insert((permission, operation));
                }
            }
            for &role in UserRole::ALL {
                if engine.allows(Entity::UserRole(role), Act::Hold, entity)? {
                    answers.includes.insert((role, permission));
                }
            }
        }
        Ok(answers)
    }

    /// The proof that this caller may do the operation `M`.
    pub fn permit<M: Marker>(&self, caller: ApiKeyContext) -> Result<Permitted<M>, NotPermitted> {
        self.check(&caller, M::OPERATION)?;
        // What the owner has lost, the key has lost, and can hand on to no other key.
        let permissions = self.permissions_of(&caller);
        let caller = if permissions.len() == caller.permissions().len() {
            caller
        } else {
            caller.narrowed_to(&permissions)
        };
        Ok(Permitted {
            caller,
            operation: PhantomData,
        })
    }

    /// The proof that this person may do the operation `M`. What the person then makes holds no more than the person.
    pub fn permit_person<M: Marker>(
        &self,
        person: SignedIn,
    ) -> Result<PermittedPerson<M>, NotPermitted> {
        let person = self.with_permissions(person);
        match M::OPERATION.permission() {
            Some(needed) if !person.permissions().contains(&needed) => {
                Err(NotPermitted::Person(needed))
            }
            _ => Ok(PermittedPerson {
                person,
                operation: PhantomData,
            }),
        }
    }

    /// The same person, with what the role includes.
    pub fn with_permissions(&self, person: SignedIn) -> SignedIn {
        let role = person.user().role;
        let all = Permission::ALL.iter().copied();
        let held: Vec<_> = all
            .filter(|permission| self.includes.contains(&(role, *permission)))
            .collect();
        person.holding(&held)
    }

    /// What the caller may do at most: what its key was given and its owner still has.
    pub fn permissions_of(&self, caller: &ApiKeyContext) -> Vec<Permission> {
        let held = caller.permissions().iter().copied();
        held.filter(|permission| self.owner_holds(caller, *permission))
            .collect()
    }

    fn check(&self, caller: &ApiKeyContext, operation: Operation) -> Result<(), NotPermitted> {
        let Some(needed) = operation.permission() else {
            return Ok(());
        };
        let mut held = caller.permissions().iter();
        if !held.any(|permission| self.opens.contains(&(*permission, operation))) {
            return Err(NotPermitted::Key(needed));
        }
        if self.owner_holds(caller, needed) {
            Ok(())
        } else {
            Err(NotPermitted::Owner(needed))
        }
    }

    /// A service account has no role: its keys are limited by what they were given.
    fn owner_holds(&self, caller: &ApiKeyContext, permission: Permission) -> bool {
        caller
            .owner_role()
            .is_none_or(|role| self.includes.contains(&(role, permission)))
    }
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    for &operation in Operation::ALL {
        if let Some(permission) = operation.permission() {
            rules.allow(
                Entity::Permission(permission),
                Act::Call,
                Entity::Operation(operation),
            );
        }
    }
    for &role in UserRole::ALL {
        for permission in role_permissions(role) {
            rules.allow(
                Entity::UserRole(role),
                Act::Hold,
                Entity::Permission(permission),
            );
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn casbin_says_what_the_tables_say() {
        let authorizer = Authorizer::new().await.unwrap();
        for &permission in Permission::ALL {
            for &operation in Operation::ALL {
                let expected = operation.permission() == Some(permission);
                assert_eq!(
                    authorizer.opens.contains(&(permission, operation)),
                    expected,
                    "{permission} {operation:?}"
                );
            }
            for &role in UserRole::ALL {
                let expected = role_permissions(role).contains(&permission);
                assert_eq!(
                    authorizer.includes.contains(&(role, permission)),
                    expected,
                    "{role:?} {permission}"
                );
            }
        }
    }

    #[test]
    fn what_issues_needs_what_issuing_needs() {
        fn permission<M: Issuing>() -> Option<Permission> {
            M::OPERATION.permission()
        }
        let needed = [
            permission::<markers::IssueSessionToken>(),
            permission::<markers::IssueSessionTokenBatch>(),
            permission::<markers::GenerateEmbedToken>(),
            permission::<markers::ExchangeToken>(),
        ];
        assert_eq!(needed, [Some(Permission::TokensIssue); 4]);
    }

    #[test]
    fn operation_ids_are_unique() {
        let ids: BTreeSet<_> = Operation::ALL
            .iter()
            .map(|operation| operation.id())
            .collect();
        assert_eq!(ids.len(), Operation::ALL.len());
    }

    #[test]
    fn members_issue_and_keep_keys() {
        use Permission::{KeysRead, KeysWrite, TokensIssue};
        let held = role_permissions(UserRole::Member);
        assert_eq!(held, [TokensIssue, KeysRead, KeysWrite]);
    }

    #[test]
    fn viewers_only_read() {
        assert!(
            role_permissions(UserRole::Viewer)
                .iter()
                .all(|permission| permission.is_read())
        );
    }
}
