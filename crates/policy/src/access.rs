//! Decisions for resource servers: may somebody with these roles do this to that?
//!
//! Each role keeps what it declares itself, by action and resource, so that a look-up costs the same whether the
//! organization has ten rules or a hundred thousand. What a role inherits is asked for role by role.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use crate::{
    decision::Resource,
    name::{Identifier, RoleName},
    permissions::{Effect, ResourceName, RolePermission, SimplePattern},
    snapshot::PolicySnapshot,
};

const ANY_ACTION: &str = "*";

/// The permissions that one role declares itself, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct OwnPermissions {
    allowed: Matcher,
    denied: Matcher,
    declared: BTreeSet<RolePermission>,
}

impl OwnPermissions {
    pub(crate) fn new(declared: BTreeSet<RolePermission>) -> Self {
        let mut own = Self::default();
        for permission in &declared {
            let matcher = match permission.effect {
                Effect::Allow => &mut own.allowed,
                Effect::Deny => &mut own.denied,
            };
            matcher.add(permission);
        }
        own.declared = declared;
        own
    }

    /// Those that allow, as declared.
    pub(crate) fn allowing(&self) -> impl Iterator<Item = &RolePermission> {
        self.with(Effect::Allow)
    }

    /// Those that deny, as declared.
    pub(crate) fn denying(&self) -> impl Iterator<Item = &RolePermission> {
        self.with(Effect::Deny)
    }

    fn with(&self, effect: Effect) -> impl Iterator<Item = &RolePermission> {
        self.declared.iter().filter(move |it| it.effect == effect)
    }
}

/// Patterns by action.
#[derive(Debug, Default)]
struct Matcher(HashMap<Box<str>, Patterns>);

#[derive(Debug, Default)]
struct Patterns {
    texts: HashSet<Box<str>>,
    beginnings: HashSet<Box<str>>,
    /// The lengths of the beginnings, in bytes.
    lengths: BTreeSet<usize>,
}

impl Matcher {
    fn add(&mut self, permission: &RolePermission) {
        let patterns = self.0.entry(permission.action.as_str().into()).or_default();
        for simple in permission.resource.simple() {
            match simple {
                SimplePattern::Is(text) => {
                    patterns.texts.insert(text.into());
                }
                SimplePattern::BeginsWith(beginning) => {
                    patterns.lengths.insert(beginning.len());
                    patterns.beginnings.insert(beginning.into());
                }
            }
        }
    }

    fn covers(&self, resource: &str, action: &str) -> bool {
        let patterns = [action, ANY_ACTION]
            .into_iter()
            .filter_map(|it| self.0.get(it));
        patterns.into_iter().any(|it| it.cover(resource))
    }
}

impl Patterns {
    fn cover(&self, resource: &str) -> bool {
        let mut lengths = self.lengths.range(..=resource.len());
        self.texts.contains(resource)
            || lengths.any(|length| {
                let beginning = resource.get(..*length);
                beginning.is_some_and(|it| self.beginnings.contains(it))
            })
    }
}

/// Who asks: what a verified token says.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    /// The token's roles.
    pub roles: &'a [String],
    /// The single resources that the token is limited to. Empty: no such limit.
    pub resources: &'a [Resource],
}

/// The answer about one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A role of the token allows it, and none denies it.
    Allowed {
        /// The first role of the token that allows it, by itself or through a role it inherits.
        role: RoleName,
    },
    /// It is not allowed.
    Denied(AccessDenial),
}

/// Why an action on a resource is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessDenial {
    /// The token carries a role that the policy does not declare any more: what it denied is not known.
    UnknownRole,
    /// The token is limited to other resources.
    OtherResource,
    /// A role denies it.
    DeniedBy {
        /// The role of the token, by itself or through a role it inherits.
        role: RoleName,
    },
    /// No role allows it.
    NotAllowed,
}

/// The reasons of [`AccessDenial`], as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessReason {
    /// A role allows it, and none denies it.
    Allowed,
    /// The token carries a role that is not declared any more.
    UnknownRole,
    /// The token is limited to other resources.
    OtherResource,
    /// A role denies it.
    Denied,
    /// No role allows it.
    NotAllowed,
}

impl Access {
    /// May it be done?
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// The reason in one word.
    pub fn reason(&self) -> AccessReason {
        match self {
            Self::Allowed { .. } => AccessReason::Allowed,
            Self::Denied(AccessDenial::UnknownRole) => AccessReason::UnknownRole,
            Self::Denied(AccessDenial::OtherResource) => AccessReason::OtherResource,
            Self::Denied(AccessDenial::DeniedBy { .. }) => AccessReason::Denied,
            Self::Denied(AccessDenial::NotAllowed) => AccessReason::NotAllowed,
        }
    }

    /// The role that decided, where one did.
    pub fn role(&self) -> Option<&RoleName> {
        match self {
            Self::Allowed { role } | Self::Denied(AccessDenial::DeniedBy { role }) => Some(role),
            Self::Denied(_) => None,
        }
    }
}

impl PolicySnapshot {
    /// May `bearer` do `action` to `resource`?
    pub fn access(
        &self,
        bearer: Bearer<'_>,
        resource: &ResourceName,
        action: &Identifier,
    ) -> Access {
        let (resource, action) = (resource.as_str(), action.as_str());
        let mut allowed = None;
        for name in bearer.roles {
            let Some(role) = self.role(name) else {
                return Access::Denied(AccessDenial::UnknownRole);
            };
            let mut family = role.family.iter();
            if family.any(|own| own.denied.covers(resource, action)) {
                let role = role.name.clone();
                return Access::Denied(AccessDenial::DeniedBy { role });
            }
            let mut family = role.family.iter();
            if allowed.is_none() && family.any(|own| own.allowed.covers(resource, action)) {
                allowed = Some(role.name.clone());
            }
        }
        let within =
            bearer.resources.is_empty() || bearer.resources.iter().any(|it| it.is_named(resource));
        match allowed {
            Some(_) if !within => Access::Denied(AccessDenial::OtherResource),
            Some(role) => Access::Allowed { role },
            None => Access::Denied(AccessDenial::NotAllowed),
        }
    }
}

/// What the roles allow, as values of the `scope` claim. A value that any denial touches is left out: the claim has no
/// way to say "but not".
pub(crate) fn scope(families: &[&[Arc<OwnPermissions>]]) -> Vec<String> {
    let all = || families.iter().flat_map(|family| family.iter());
    let denials: Vec<_> = all().flat_map(|own| own.denying()).collect();
    let allowing = all().flat_map(|own| own.allowing());
    let stated = allowing.filter(|it| it.fits_scope() && !denials.iter().any(|no| no.overlaps(it)));
    let values: BTreeSet<String> = stated.map(ToString::to_string).collect();
    values.into_iter().collect()
}
