//! What a policy says of its attributes, its roles and its keys, before anybody asks for a token.

use key_admin::KeyCeiling;
use serde_json::Value;

use super::{
    naive_values::{joined, judge, judge_item},
    world::{AttributeDecl, RoleDecl, World},
};

impl World {
    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeDecl> {
        self.attributes.iter().find(|it| it.name == name)
    }

    /// The role's own value, or its parents' together. The error: they disagree.
    pub(super) fn default_of(&self, role: &str, of: &AttributeDecl) -> Result<Option<Value>, ()> {
        if let Some(own) = of.from_role.get(role) {
            return judge(of, own).map(Some).map_err(|_| ());
        }
        let mut all = None;
        for parent in self.role(role).iter().flat_map(|role| &role.inherits) {
            let Some(value) = self.default_of(parent, of)? else {
                continue;
            };
            all = Some(match all {
                None => value,
                Some(other) => joined(&other, &value).ok_or(())?,
            });
        }
        Ok(all)
    }

    /// The role's own usual lifetime, or the shortest of its parents'.
    pub(super) fn usual_ttl(&self, role: &RoleDecl) -> Option<u32> {
        let parents = role.inherits.iter().filter_map(|name| self.role(name));
        let inherited = parents.filter_map(|parent| self.usual_ttl(parent)).min();
        role.default_ttl_seconds.or(inherited)
    }

    /// Whether a key with this ceiling can grant anything at all.
    pub(super) fn is_usable(&self, ceiling: &KeyCeiling) -> bool {
        let fixed = ceiling.fixed_attributes.iter().all(|(name, value)| {
            self.attribute(name)
                .is_some_and(|attribute| judge(attribute, value).is_ok())
        });
        let allowed = ceiling.allowed_attributes.iter().all(|(name, values)| {
            let good = |attribute| {
                values
                    .iter()
                    .all(|value| judge_item(attribute, value).is_ok())
            };
            let usable = self.attribute(name).is_some_and(good);
            usable && !values.is_empty() && !ceiling.fixed_attributes.contains_key(name)
        });
        fixed && allowed && ceiling.max_ttl_seconds != Some(0)
    }
}
