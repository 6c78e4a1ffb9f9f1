//! Changes of a policy: checked as a whole before anything is written, written only if nobody else wrote meanwhile.

use std::sync::Arc;

use key_admin::audit::{self, Act, Deed};
use serde_json::{Value, json};
use storage::{OrganizationId, StorageError, record_change};

use super::{PolicyError, PolicyService, compile};
use crate::{
    AttributeDeclaration, AttributeName, CompileError, PolicyDiff, PolicyDocument, Role, RoleName,
    store,
};

/// Other edits that may come first before this one gives up.
const MAX_ROUNDS: usize = 8;
/// The most changes that one audit event lists.
const MAX_CHANGES_IN_EVENT: usize = 200;

/// What an edit did.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The policy's version now.
    pub version: i64,
    /// What changed; nothing when the policy was like that already, and then nothing was written.
    pub diff: PolicyDiff,
}

/// Why a policy was not changed. Nothing of the change remains.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The policy would be wrong.
    #[error(transparent)]
    Invalid(CompileError),
    /// There is one of this name already.
    #[error("there is one of this name already")]
    Exists,
    /// There is none of this name.
    #[error("there is none of this name")]
    NotFound,
    /// The policy is not at the version that the caller has seen.
    #[error("the policy has changed: it is at version {current}")]
    Changed {
        /// The version it is at.
        current: i64,
    },
    /// Others changed the policy again and again meanwhile.
    #[error("the policy is being changed by others")]
    Busy,
    /// The policy could not be read.
    #[error(transparent)]
    Policy(PolicyError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PolicyError> for EditError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Compile(error) => Self::Invalid(error),
            PolicyError::Storage(error) => Self::Storage(error),
            error @ PolicyError::OrganizationGone => Self::Policy(error),
        }
    }
}

/// Whether something must be there before it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    New,
    Existing,
}

impl PolicyService {
    /// Replaces the organization's policy, all or nothing. With `expected`, only if the policy is at that version.
    pub async fn replace(
        &self,
        act: &Act,
        organization: OrganizationId,
        expected: Option<i64>,
        document: PolicyDocument,
    ) -> Result<Edited, EditError> {
        let action = ("policy.replace", "policy", String::new());
        let change = |policy: &mut PolicyDocument| {
            *policy = document.clone();
            Ok(())
        };
        self.edit(act, organization, expected, action, change).await
    }

    /// Declares a role.
    pub async fn create_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        role: Role,
    ) -> Result<Edited, EditError> {
        let action = ("role.create", "role", role.name.to_string());
        self.edit(act, organization, None, action, |policy| {
            put(&mut policy.roles, &role, |it| &it.name, Put::New)
        })
        .await
    }

    /// Declares a role anew.
    pub async fn update_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        role: Role,
    ) -> Result<Edited, EditError> {
        let action = ("role.update", "role", role.name.to_string());
        self.edit(act, organization, None, action, |policy| {
            put(&mut policy.roles, &role, |it| &it.name, Put::Existing)
        })
        .await
    }

    /// Removes a role that no other part of the policy names.
    pub async fn delete_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        name: &RoleName,
    ) -> Result<Edited, EditError> {
        let action = ("role.delete", "role", name.to_string());
        self.edit(act, organization, None, action, |policy| {
            remove(&mut policy.roles, |it| it.name == *name)
        })
        .await
    }

    /// Declares an attribute.
    pub async fn create_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        attribute: AttributeDeclaration,
    ) -> Result<Edited, EditError> {
        let action = ("attribute.create", "attribute", attribute.name.to_string());
        self.edit(act, organization, None, action, |policy| {
            put(&mut policy.attributes, &attribute, |it| &it.name, Put::New)
        })
        .await
    }

    /// Declares an attribute anew.
    pub async fn update_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        attribute: AttributeDeclaration,
    ) -> Result<Edited, EditError> {
        let action = ("attribute.update", "attribute", attribute.name.to_string());
        self.edit(act, organization, None, action, |policy| {
            let declared = &mut policy.attributes;
            put(declared, &attribute, |it| &it.name, Put::Existing)
        })
        .await
    }

    /// Removes an attribute that no other part of the policy names.
    pub async fn delete_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        name: &AttributeName,
    ) -> Result<Edited, EditError> {
        let action = ("attribute.delete", "attribute", name.to_string());
        self.edit(act, organization, None, action, |policy| {
            remove(&mut policy.attributes, |it| it.name == *name)
        })
        .await
    }

    /// Reads, changes, checks, and writes if the policy is still what was read.
    async fn edit(
        &self,
        act: &Act,
        organization: OrganizationId,
        expected: Option<i64>,
        (action, target_kind, target_id): (&'static str, &'static str, String),
        change: impl Fn(&mut PolicyDocument) -> Result<(), EditError>,
    ) -> Result<Edited, EditError> {
        for _ in 0..MAX_ROUNDS {
            let (before, version) = self.document(organization).await?;
            if expected.is_some_and(|expected| expected != version) {
                return Err(EditError::Changed { current: version });
            }
            let mut after = before.clone();
            change(&mut after)?;
            after.sort();
            let diff = PolicyDiff::between(&before, &after);
            if diff.is_empty() {
                return Ok(Edited { version, diff });
            }
            let deed = Deed {
                action,
                target_kind,
                target_id: target_id.clone(),
                detail: detail(&diff),
            };
            let compiled = compile(after.clone(), version).await;
            let compiled = compiled.map_err(EditError::Invalid)?;
            let mut tx = self.database.write().await?;
            // First, for its lock: of two edits side by side, the second sees the first.
            let next = record_change(&mut tx, organization).await?;
            if !store::advance(tx.conn(), organization, version, next).await? {
                continue;
            }
            store::write(&mut tx, organization, &before, &after).await?;
            audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
            tx.commit().await?;
            let compiled = Arc::new(compiled.with_version(next));
            self.compiled.insert(organization, compiled);
            self.feed.catch_up().await;
            let version = next;
            return Ok(Edited { version, diff });
        }
        Err(EditError::Busy)
    }
}

fn detail(diff: &PolicyDiff) -> Value {
    let changes = diff.changes();
    let told = &changes[..changes.len().min(MAX_CHANGES_IN_EVENT)];
    let mut detail = json!({ "changes": told });
    if told.len() < changes.len() {
        detail["more_changes"] = (changes.len() - told.len()).into();
    }
    detail
}

fn put<T: Clone, N: PartialEq>(
    things: &mut Vec<T>,
    thing: &T,
    name: impl Fn(&T) -> &N,
    put: Put,
) -> Result<(), EditError> {
    let found = things.iter_mut().find(|it| name(it) == name(thing));
    match (found, put) {
        (Some(_), Put::New) => Err(EditError::Exists),
        (None, Put::Existing) => Err(EditError::NotFound),
        (Some(place), Put::Existing) => {
            place.clone_from(thing);
            Ok(())
        }
        (None, Put::New) => {
            things.push(thing.clone());
            Ok(())
        }
    }
}

fn remove<T>(things: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Result<(), EditError> {
    let place = things.iter().position(is_it).ok_or(EditError::NotFound)?;
    things.remove(place);
    Ok(())
}
