//! What roles may do to resources: written from the documentation of permissions, without a thought for speed.

use std::collections::BTreeSet;

use super::world::{PermissionDecl, RoleDecl, World};
use crate::{access::AccessReason, decision::Resource};

impl World {
    pub(super) fn role(&self, name: &str) -> Option<&RoleDecl> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The role and all it inherits.
    pub(super) fn lineage(&self, name: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::from([name.to_owned()]);
        for parent in self.role(name).iter().flat_map(|role| &role.inherits) {
            all.extend(self.lineage(parent));
        }
        all
    }

    pub(super) fn family(&self, name: &str) -> Vec<&RoleDecl> {
        let lineage = self.lineage(name);
        lineage.iter().filter_map(|it| self.role(it)).collect()
    }

    fn speaks(&self, role: &str, effect: &str, resource: &str, action: &str) -> bool {
        let family = self.family(role);
        let mut permissions = family.iter().flat_map(|role| &role.permissions);
        permissions.any(|it| {
            it.effect == effect && covers(&it.resource, resource) && does(&it.action, action)
        })
    }

    /// The answer, and the role of the token that decided.
    pub(super) fn access<'a>(
        &self,
        roles: &'a [String],
        limits: &[Resource],
        resource: &str,
        action: &str,
    ) -> (AccessReason, Option<&'a str>) {
        for role in roles {
            if self.role(role).is_none() {
                return (AccessReason::UnknownRole, None);
            }
            if self.speaks(role, "deny", resource, action) {
                return (AccessReason::Denied, Some(role));
            }
        }
        let mut allowing = roles.iter();
        let allowing = allowing.find(|role| self.speaks(role, "allow", resource, action));
        match allowing {
            None => (AccessReason::NotAllowed, None),
            Some(_) if !within(limits, resource) => (AccessReason::OtherResource, None),
            Some(role) => (AccessReason::Allowed, Some(role)),
        }
    }

    /// What the roles allow and none denies in part.
    pub(super) fn scope(&self, roles: &[String]) -> Vec<String> {
        let all: BTreeSet<_> = roles.iter().flat_map(|role| self.lineage(role)).collect();
        let all: Vec<_> = all.iter().filter_map(|name| self.role(name)).collect();
        let stated = || {
            all.iter()
                .flat_map(|role| role.permissions.iter().filter(|it| !role.says_more(it)))
        };
        let allowed = stated().filter(|it| {
            let denied = stated().any(|no| no.effect == "deny" && overlap(no, it));
            let visible = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
            it.effect == "allow" && !denied && it.resource.bytes().all(visible)
        });
        let texts: BTreeSet<_> = allowed
            .map(|it| format!("{}:{}", it.resource, it.action))
            .collect();
        texts.into_iter().collect()
    }
}

impl RoleDecl {
    /// Is this `kind/*` where the role says the same of `kind`, which covers it?
    fn says_more(&self, than: &PermissionDecl) -> bool {
        let kind = than.resource.strip_suffix("/*");
        self.permissions.iter().any(|it| {
            let same = (it.effect, &it.action) == (than.effect, &than.action);
            same && kind == Some(it.resource.as_str())
        })
    }
}

/// A token that is limited to resources is limited to exactly these.
pub(super) fn within(limits: &[Resource], resource: &str) -> bool {
    limits.is_empty()
        || limits
            .iter()
            .any(|it| format!("{}/{}", it.kind, it.id) == resource)
}

/// The table in the documentation of patterns.
fn covers(pattern: &str, resource: &str) -> bool {
    match (pattern.strip_suffix('*'), resource.split_once('/')) {
        (Some(beginning), _) => resource.starts_with(beginning),
        (None, Some((kind, _))) => pattern == resource || pattern == kind,
        (None, None) => pattern == resource,
    }
}

fn does(pattern: &str, action: &str) -> bool {
    pattern == "*" || pattern == action
}

/// Is there a question that both answer? All that matter end where one of the patterns does, or just after.
fn overlap(left: &PermissionDecl, right: &PermissionDecl) -> bool {
    let both =
        |resource: &str| covers(&left.resource, resource) && covers(&right.resource, resource);
    let resource = [left, right].iter().any(|it| {
        let text = it.resource.trim_end_matches('*');
        ["", "x", "/x"]
            .iter()
            .any(|rest| both(&format!("{text}{rest}")))
    });
    let action = ["view", "edit"]
        .iter()
        .any(|action| does(&left.action, action) && does(&right.action, action));
    resource && action
}
