//! Changes of one role, attribute or row rule. The policy is checked as a whole all the same.

use key_admin::audit::Act;
use storage::OrganizationId;

use super::PolicyService;
use super::edit::{EditError, Edited};
use crate::{
    AttributeDeclaration, AttributeName, Identifier, PolicyDocument, Role, RoleName, RowRule,
};

/// A part of a policy that has a name.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicyPart {
    /// A role.
    Role(Role),
    /// An attribute.
    Attribute(AttributeDeclaration),
    /// A row rule.
    RowRule(RowRule),
}

/// The name of a part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartName {
    /// Of a role.
    Role(RoleName),
    /// Of an attribute.
    Attribute(AttributeName),
    /// Of a row rule.
    RowRule(Identifier),
}

/// A change of one part of a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum PartChange {
    /// Declares what is not there yet.
    Create(PolicyPart),
    /// Declares anew what is there; all of it.
    Update(PolicyPart),
    /// Removes what no other part of the policy names.
    Delete(PartName),
}

impl PolicyPart {
    /// Its name.
    pub fn name(&self) -> PartName {
        match self {
            Self::Role(role) => PartName::Role(role.name.clone()),
            Self::Attribute(attribute) => PartName::Attribute(attribute.name.clone()),
            Self::RowRule(rule) => PartName::RowRule(rule.name.clone()),
        }
    }

    /// A policy that holds nothing else: faults of the part have their places in it.
    pub fn alone(&self) -> PolicyDocument {
        let mut document = PolicyDocument::default();
        match self.clone() {
            Self::Role(role) => document.roles.push(role),
            Self::Attribute(attribute) => document.attributes.push(attribute),
            Self::RowRule(rule) => document.row_rules.push(rule),
        }
        document
    }
}

impl PartName {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::Attribute(_) => "attribute",
            Self::RowRule(_) => "row_rule",
        }
    }
}

impl std::fmt::Display for PartName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(name) => name.fmt(formatter),
            Self::Attribute(name) => name.fmt(formatter),
            Self::RowRule(name) => name.fmt(formatter),
        }
    }
}

impl PartChange {
    fn name(&self) -> PartName {
        match self {
            Self::Create(part) | Self::Update(part) => part.name(),
            Self::Delete(name) => name.clone(),
        }
    }

    /// The name of the deed in the audit trail.
    const fn action(&self, name: &PartName) -> &'static str {
        match (self, name) {
            (Self::Create(_), PartName::Role(_)) => "role.create",
            (Self::Create(_), PartName::Attribute(_)) => "attribute.create",
            (Self::Create(_), PartName::RowRule(_)) => "row_rule.create",
            (Self::Update(_), PartName::Role(_)) => "role.update",
            (Self::Update(_), PartName::Attribute(_)) => "attribute.update",
            (Self::Update(_), PartName::RowRule(_)) => "row_rule.update",
            (Self::Delete(_), PartName::Role(_)) => "role.delete",
            (Self::Delete(_), PartName::Attribute(_)) => "attribute.delete",
            (Self::Delete(_), PartName::RowRule(_)) => "row_rule.delete",
        }
    }

    fn apply(&self, policy: &mut PolicyDocument) -> Result<(), EditError> {
        match self {
            Self::Create(PolicyPart::Role(role)) => create(&mut policy.roles, role),
            Self::Create(PolicyPart::Attribute(it)) => create(&mut policy.attributes, it),
            Self::Create(PolicyPart::RowRule(rule)) => create(&mut policy.row_rules, rule),
            Self::Update(PolicyPart::Role(role)) => update(&mut policy.roles, role),
            Self::Update(PolicyPart::Attribute(it)) => update(&mut policy.attributes, it),
            Self::Update(PolicyPart::RowRule(rule)) => update(&mut policy.row_rules, rule),
            Self::Delete(PartName::Role(name)) => delete(&mut policy.roles, name),
            Self::Delete(PartName::Attribute(name)) => delete(&mut policy.attributes, name),
            Self::Delete(PartName::RowRule(name)) => delete(&mut policy.row_rules, name),
        }
    }
}

impl PolicyService {
    /// Changes one part. With `expected`, only if the policy is at that version.
    pub async fn change_part(
        &self,
        act: &Act,
        organization: OrganizationId,
        expected: Option<i64>,
        change: PartChange,
    ) -> Result<Edited, EditError> {
        let name = change.name();
        let action = (change.action(&name), name.kind(), name.to_string());
        self.edit(act, organization, expected, action, |policy| {
            change.apply(policy)
        })
        .await
    }

    /// Declares a role.
    pub async fn create_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        role: Role,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Create(PolicyPart::Role(role));
        self.change_part(act, organization, None, change).await
    }

    /// Declares a role anew.
    pub async fn update_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        role: Role,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Update(PolicyPart::Role(role));
        self.change_part(act, organization, None, change).await
    }

    /// Removes a role that no other part of the policy names.
    pub async fn delete_role(
        &self,
        act: &Act,
        organization: OrganizationId,
        name: &RoleName,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Delete(PartName::Role(name.clone()));
        self.change_part(act, organization, None, change).await
    }

    /// Declares an attribute.
    pub async fn create_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        attribute: AttributeDeclaration,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Create(PolicyPart::Attribute(attribute));
        self.change_part(act, organization, None, change).await
    }

    /// Declares an attribute anew.
    pub async fn update_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        attribute: AttributeDeclaration,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Update(PolicyPart::Attribute(attribute));
        self.change_part(act, organization, None, change).await
    }

    /// Removes an attribute that no other part of the policy names.
    pub async fn delete_attribute(
        &self,
        act: &Act,
        organization: OrganizationId,
        name: &AttributeName,
    ) -> Result<Edited, EditError> {
        let change = PartChange::Delete(PartName::Attribute(name.clone()));
        self.change_part(act, organization, None, change).await
    }
}

/// What a list of a policy holds.
trait Named: Clone {
    type Name: PartialEq;

    fn name(&self) -> &Self::Name;
}

macro_rules! named {
    ($($thing:ty: $name:ty),*) => {
        $(impl Named for $thing {
            type Name = $name;

            fn name(&self) -> &$name {
                &self.name
            }
        })*
    };
}

named!(Role: RoleName, AttributeDeclaration: AttributeName, RowRule: Identifier);

fn create<T: Named>(things: &mut Vec<T>, thing: &T) -> Result<(), EditError> {
    if things.iter().any(|it| it.name() == thing.name()) {
        return Err(EditError::Exists);
    }
    things.push(thing.clone());
    Ok(())
}

fn update<T: Named>(things: &mut [T], thing: &T) -> Result<(), EditError> {
    let found = things.iter_mut().find(|it| it.name() == thing.name());
    found.ok_or(EditError::NotFound)?.clone_from(thing);
    Ok(())
}

fn delete<T: Named>(things: &mut Vec<T>, name: &T::Name) -> Result<(), EditError> {
    let place = things.iter().position(|it| it.name() == name);
    things.remove(place.ok_or(EditError::NotFound)?);
    Ok(())
}
