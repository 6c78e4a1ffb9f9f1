//! Roles as an organization declares them, and the shape their inheritance must have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    fault::{MAX_INHERITED, PolicyFault},
    name::{AttributeName, AudienceName, RoleName},
    object,
    permissions::RolePermission,
};

/// The longest chain of inheritance: a role, and nine roles each inherited by the one before.
///
/// casbin answers "no" to anything further away without saying so, hence the bound at declaration.
pub const MAX_INHERITANCE_DEPTH: usize = 9;

/// A role: a name that tokens carry, with what it implies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The name, unique in the organization.
    pub name: RoleName,
    /// What the role is for, in the words of who declared it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Roles whose permissions, required attributes and limits this one includes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inherits: BTreeSet<RoleName>,
    /// What the role allows or denies by itself, without what it inherits.
    #[serde(
        default,
        deserialize_with = "object::each",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub permissions: BTreeSet<RolePermission>,
    /// Attributes that a token with this role must carry.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub required_attributes: BTreeSet<AttributeName>,
    /// Names of the audiences that a token with this role may be for. `None`: any.
    #[serde(
        default,
        deserialize_with = "object::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub audiences: Option<BTreeSet<AudienceName>>,
    /// The life of a token with this role when the request names none, in seconds. `None`: what it inherits, or the
    /// audience's. Of several roles, the shortest counts.
    #[serde(
        default,
        deserialize_with = "object::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub default_ttl_seconds: Option<u32>,
    /// The longest life of a token with this role, in seconds. `None`: the role sets no limit.
    #[serde(
        default,
        deserialize_with = "object::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_ttl_seconds: Option<u32>,
}

/// Everything wrong with the inheritance of `roles`: unknown parents, cycles, chains that are too long.
///
/// Walks from the roles that inherit nothing to those that inherit them, so it ends on any input; what the
/// walk cannot reach hangs on a cycle.
pub(crate) fn inheritance_faults(roles: &BTreeMap<RoleName, Role>) -> Vec<PolicyFault> {
    let mut faults = Vec::new();
    let mut heirs: BTreeMap<&RoleName, Vec<&RoleName>> = BTreeMap::new();
    let mut unresolved: BTreeMap<&RoleName, usize> = BTreeMap::new();
    for role in roles.values() {
        let (known, unknown): (Vec<_>, Vec<_>) = role
            .inherits
            .iter()
            .partition(|parent| roles.contains_key(*parent));
        faults.extend(
            unknown
                .into_iter()
                .map(|parent| PolicyFault::UnknownParent {
                    role: role.name.clone(),
                    parent: parent.clone(),
                }),
        );
        unresolved.insert(&role.name, known.len());
        for parent in known {
            heirs.entry(parent).or_default().push(&role.name);
        }
    }

    let mut depths: BTreeMap<&RoleName, usize> = BTreeMap::new();
    let mut ready: Vec<&RoleName> = unresolved
        .iter()
        .filter(|(_, parents)| **parents == 0)
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = ready.pop() {
        unresolved.remove(name);
        let depth = depths.get(name).copied().unwrap_or(0);
        if depth > MAX_INHERITANCE_DEPTH {
            faults.push(PolicyFault::InheritanceTooDeep {
                role: name.clone(),
                depth,
            });
        }
        for heir in heirs.get(name).into_iter().flatten() {
            let deepest = depths.entry(heir).or_default();
            *deepest = (*deepest).max(depth + 1);
            if let Some(parents) = unresolved.get_mut(heir) {
                *parents -= 1;
                if *parents == 0 {
                    ready.push(heir);
                }
            }
        }
    }
    faults.extend(
        unresolved
            .into_keys()
            .map(|role| PolicyFault::InheritanceCycle { role: role.clone() }),
    );
    if faults.is_empty() {
        faults = breadth_faults(roles);
    }
    faults
}

/// The roles that inherit too many others. Only for roles without cycles and of bounded depth: it goes that deep.
fn breadth_faults(roles: &BTreeMap<RoleName, Role>) -> Vec<PolicyFault> {
    let mut known = HashMap::new();
    for role in roles.values() {
        inherited(role, roles, &mut known);
    }
    let too_many = roles.keys().filter(|name| known.get(name) == Some(&None));
    too_many
        .map(|role| PolicyFault::TooManyInherited { role: role.clone() })
        .collect()
}

/// All that `role` inherits; `None` when that is more than [`MAX_INHERITED`].
fn inherited<'a>(
    role: &'a Role,
    roles: &'a BTreeMap<RoleName, Role>,
    known: &mut HashMap<&'a RoleName, Option<HashSet<&'a RoleName>>>,
) {
    if known.contains_key(&role.name) {
        return;
    }
    let mut all = Some(HashSet::new());
    for parent in role.inherits.iter().filter_map(|name| roles.get(name)) {
        inherited(parent, roles, known);
        all = match (all, known.get(&parent.name)) {
            (Some(mut all), Some(Some(theirs))) => {
                all.insert(&parent.name);
                all.extend(theirs);
                Some(all).filter(|all| all.len() <= MAX_INHERITED)
            }
            _ => None,
        };
        if all.is_none() {
            break;
        }
    }
    known.insert(&role.name, all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{role, role_name};

    fn faults(roles: &[Role]) -> Vec<PolicyFault> {
        let roles = roles
            .iter()
            .map(|role| (role.name.clone(), role.clone()))
            .collect();
        inheritance_faults(&roles)
    }

    fn chain(links: usize) -> Vec<Role> {
        (0..=links)
            .map(|index| {
                let parent = format!("r{}", index + 1);
                let parents = if index < links {
                    vec![parent.as_str()]
                } else {
                    vec![]
                };
                role(&format!("r{index}"), &parents)
            })
            .collect()
    }

    #[test]
    fn nine_links_are_the_deepest_inheritance() {
        assert_eq!(faults(&chain(MAX_INHERITANCE_DEPTH)), []);
        let fault = PolicyFault::InheritanceTooDeep {
            role: role_name("r0"),
            depth: 10,
        };
        assert_eq!(faults(&chain(MAX_INHERITANCE_DEPTH + 1)), [fault]);
    }

    #[test]
    fn a_role_cannot_inherit_itself_however_far_around() {
        let itself = PolicyFault::InheritanceCycle {
            role: role_name("a"),
        };
        assert_eq!(faults(&[role("a", &["a"])]), [itself]);
        let around = faults(&[
            role("a", &["b"]),
            role("b", &["c"]),
            role("c", &["a"]),
            role("d", &[]),
        ]);
        assert_eq!(around.len(), 3);
    }

    #[test]
    fn a_role_cannot_inherit_one_that_is_not_declared() {
        let fault = PolicyFault::UnknownParent {
            role: role_name("a"),
            parent: role_name("ghost"),
        };
        assert_eq!(faults(&[role("a", &["ghost"])]), [fault]);
    }

    #[test]
    fn a_role_inherits_a_bounded_number_of_others() {
        let hub = |count: usize| {
            let names: Vec<_> = (0..count).map(|index| format!("r{index}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let leaves = names.iter().map(|name| role(name, &[]));
            let mut roles: Vec<_> = leaves.collect();
            roles.push(role("hub", &names));
            roles
        };
        assert_eq!(faults(&hub(MAX_INHERITED)), []);
        let one_more = PolicyFault::TooManyInherited {
            role: role_name("hub"),
        };
        assert_eq!(faults(&hub(MAX_INHERITED + 1)), [one_more]);
        let mut around = hub(MAX_INHERITED);
        around.push(role("top", &["hub"]));
        let through_another = PolicyFault::TooManyInherited {
            role: role_name("top"),
        };
        assert_eq!(faults(&around), [through_another]);
    }

    #[test]
    fn two_ways_to_the_same_role_are_no_cycle() {
        let diamond = [
            role("a", &["b", "c"]),
            role("b", &["d"]),
            role("c", &["d"]),
            role("d", &[]),
        ];
        assert_eq!(faults(&diamond), []);
    }
}
