//! What a role gives to a token that does not say: its own default, or else what its parents give.

use std::collections::BTreeMap;

use crate::{
    attributes::{AttributeValue, CompiledAttribute},
    fault::{CompileError, PolicyFault},
    name::{AttributeName, RoleName},
    roles::Role,
};

/// The defaults of all roles, worked out from those that inherit nothing upwards.
pub(crate) struct Defaults {
    by_role: BTreeMap<RoleName, RoleDefaults>,
}

#[derive(Clone, Default)]
struct RoleDefaults {
    ttl_seconds: Option<u32>,
    attributes: BTreeMap<AttributeName, AttributeValue>,
}

impl Defaults {
    /// `roles` must be free of cycles. Parents that give one attribute different single values are a fault, unless the
    /// role gives its own.
    pub(crate) fn new(
        roles: &BTreeMap<RoleName, Role>,
        attributes: &BTreeMap<AttributeName, CompiledAttribute>,
    ) -> Result<Self, CompileError> {
        let giving = attributes
            .values()
            .filter(|it| it.roles_with_default().next().is_some());
        let mut work = Work {
            roles,
            giving: giving.collect(),
            done: BTreeMap::new(),
            faults: Vec::new(),
        };
        for role in roles.values() {
            work.resolve(role);
        }
        if work.faults.is_empty() {
            Ok(Self { by_role: work.done })
        } else {
            Err(CompileError::Faults(work.faults))
        }
    }

    pub(crate) fn ttl(&self, role: &Role) -> Option<u32> {
        self.by_role.get(&role.name)?.ttl_seconds
    }

    pub(crate) fn attributes(&self, role: &Role) -> BTreeMap<AttributeName, AttributeValue> {
        let found = self.by_role.get(&role.name);
        found.map(|it| it.attributes.clone()).unwrap_or_default()
    }
}

struct Work<'a> {
    roles: &'a BTreeMap<RoleName, Role>,
    giving: Vec<&'a CompiledAttribute>,
    done: BTreeMap<RoleName, RoleDefaults>,
    faults: Vec<PolicyFault>,
}

impl Work<'_> {
    /// No deeper than inheritance may be.
    fn resolve(&mut self, role: &Role) -> RoleDefaults {
        if let Some(done) = self.done.get(&role.name) {
            return done.clone();
        }
        let (roles, giving) = (self.roles, self.giving.clone());
        let parents = role.inherits.iter().filter_map(|name| roles.get(name));
        let parents: Vec<RoleDefaults> = parents.map(|parent| self.resolve(parent)).collect();
        let inherited_ttl = parents.iter().filter_map(|it| it.ttl_seconds).min();
        let mut defaults = RoleDefaults {
            ttl_seconds: role.default_ttl_seconds.or(inherited_ttl),
            attributes: BTreeMap::new(),
        };
        for attribute in giving {
            let name = attribute.name();
            let value = match attribute.default_of(&role.name) {
                Some(own) => Some(own.clone()),
                None => self.join(role, name, &parents),
            };
            if let Some(value) = value {
                defaults.attributes.insert(name.clone(), value);
            }
        }
        self.done.insert(role.name.clone(), defaults.clone());
        defaults
    }

    fn join(
        &mut self,
        role: &Role,
        name: &AttributeName,
        parents: &[RoleDefaults],
    ) -> Option<AttributeValue> {
        let mut values = parents.iter().filter_map(|it| it.attributes.get(name));
        let first = values.next()?.clone();
        let joined = values.try_fold(first, |all, value| all.join(value));
        if joined.is_none() {
            self.faults.push(PolicyFault::AmbiguousDefault {
                attribute: name.clone(),
                role: role.name.clone(),
            });
        }
        joined
    }
}
