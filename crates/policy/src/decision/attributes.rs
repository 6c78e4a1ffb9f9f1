//! Which attributes a token carries: what the key fixes, what the request names, what the roles give; and whether that
//! is all that it must.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    decide::called,
    reasons::ReasonCode,
    replay::Hidden,
    trail::{Outcome, Rule, Trail},
};
use crate::{
    attributes::AttributeValue,
    ceiling::CompiledCeiling,
    name::AttributeName,
    snapshot::{CompiledRole, PolicySnapshot},
};

/// All that attributes are decided by.
pub(super) struct Attributes<'a> {
    pub(super) policy: &'a PolicySnapshot,
    pub(super) ceiling: &'a CompiledCeiling,
    pub(super) roles: &'a [(usize, &'a CompiledRole)],
    pub(super) requested: &'a Map<String, Value>,
    /// Requested as well, with values that are not known.
    pub(super) hidden: &'a BTreeMap<String, Hidden>,
}

type Granted = BTreeMap<AttributeName, AttributeValue>;

impl Attributes<'_> {
    /// The attributes that pass.
    pub(super) fn check(&self, trail: &mut Trail) -> Granted {
        let mut granted = self.ceiling.fixed_attributes().clone();
        for name in granted.keys() {
            trail.note(Rule::Ceiling("fixed_attributes"), Outcome::Added, || {
                format!("This API key fixes attribute `{name}`.")
            });
        }
        for (name, json) in self.requested {
            self.check_requested(name, json, &mut granted, trail);
        }
        for (name, hidden) in self.hidden {
            self.check_hidden(name, *hidden, trail);
        }
        self.add_defaults(&mut granted, trail);
        let missing = self.check_required(&granted, trail);
        self.check_mutual(&granted, missing, trail);
        granted
    }

    fn check_requested(&self, name: &str, json: &Value, granted: &mut Granted, trail: &mut Trail) {
        let path = ["user", "attributes", name];
        let Some(attribute) = self.policy.attribute(name) else {
            let detail = format!("{} is not declared.", called("Attribute", name));
            trail.refuse(Rule::Policy, ReasonCode::UndeclaredAttribute, &path, detail);
            return;
        };
        let value = match attribute.read(json) {
            Ok(value) => value,
            Err(faults) => {
                for fault in faults {
                    let item = fault.item.map(|index| index.to_string());
                    let path: Vec<_> = path.into_iter().chain(item.as_deref()).collect();
                    trail.refuse(Rule::Attribute(name, ""), fault.code, &path, fault.detail);
                }
                return;
            }
        };
        if !self.within_key(name, &value, trail) {
            return;
        }
        match granted.get(name) {
            Some(fixed) if *fixed != value => {
                let detail = format!("This API key fixes attribute `{name}` to another value.");
                let rule = Rule::Ceiling("fixed_attributes");
                trail.refuse(rule, ReasonCode::AttributeFixed, &path, detail);
            }
            Some(_) => {}
            None => {
                trail.note(Rule::Attribute(name, ""), Outcome::Allowed, || {
                    format!("Attribute `{name}` is as declared.")
                });
                granted.insert(attribute.name().clone(), value);
            }
        }
    }

    /// A value that is not known counts as well-formed. Of one that is none of those that key and policy name, it is
    /// known that a key which fixes or limits the attribute does not grant it.
    fn check_hidden(&self, name: &str, hidden: Hidden, trail: &mut Trail) {
        let path = ["user", "attributes", name];
        let is_other = hidden == Hidden::Other;
        if self.policy.attribute(name).is_none() {
            let detail = format!("{} is not declared.", called("Attribute", name));
            trail.refuse(Rule::Policy, ReasonCode::UndeclaredAttribute, &path, detail);
        } else if is_other && self.ceiling.fixed_attributes().contains_key(name) {
            let detail = format!("This API key fixes attribute `{name}` to another value.");
            let rule = Rule::Ceiling("fixed_attributes");
            trail.refuse(rule, ReasonCode::AttributeFixed, &path, detail);
        } else if is_other && self.ceiling.allowed_attributes().contains_key(name) {
            let detail = format!("This API key may not grant this value of attribute `{name}`.");
            let rule = Rule::Ceiling("allowed_attributes");
            trail.refuse(rule, ReasonCode::AttributeBeyondKey, &path, detail);
        }
    }

    fn is_requested(&self, name: &str) -> bool {
        self.requested.contains_key(name) || self.hidden.contains_key(name)
    }

    /// Notes each value, or item of a list, that the key may not grant.
    fn within_key(&self, name: &str, value: &AttributeValue, trail: &mut Trail) -> bool {
        let Some(allowed) = self.ceiling.allowed_attributes().get(name) else {
            return true;
        };
        let rule = Rule::Ceiling("allowed_attributes");
        let mut within = true;
        for (index, item) in value.items().iter().enumerate() {
            if !allowed.contains(item) {
                within = false;
                let index = value.as_list().map(|_| index.to_string());
                let path = ["user", "attributes", name];
                let path: Vec<_> = path.into_iter().chain(index.as_deref()).collect();
                let detail =
                    format!("This API key may not grant this value of attribute `{name}`.");
                trail.refuse(rule, ReasonCode::AttributeBeyondKey, &path, detail);
            }
        }
        if within {
            trail.note(rule, Outcome::Allowed, || {
                format!("This API key may grant this value of attribute `{name}`.")
            });
        }
        within
    }

    /// Fills in what the roles give and neither key nor request says.
    fn add_defaults(&self, granted: &mut Granted, trail: &mut Trail) {
        let roles = || self.roles.iter().map(|(_, role)| *role);
        for (role, name) in roles().flat_map(|it| it.defaults.keys().map(move |name| (it, name))) {
            if !granted.contains_key(name) && !self.is_requested(name.as_str()) {
                let rule = Rule::Attribute(name.as_str(), "from_role");
                trail.note(rule, Outcome::Added, || {
                    format!("Role `{}` gives attribute `{name}`.", role.name)
                });
            }
        }
        let given = joined_defaults(roles());
        for (name, value) in given {
            if granted.contains_key(name) || self.is_requested(name.as_str()) {
                continue;
            }
            match value {
                Some(value) if self.fits(name, &value, trail) => {
                    granted.insert(name.clone(), value);
                }
                Some(_) => {}
                None => {
                    let detail = format!(
                        "The roles give different values of attribute `{name}`: name the one to use."
                    );
                    let rule = Rule::Attribute(name.as_str(), "from_role");
                    let path = ["user", "attributes", name.as_str()];
                    trail.refuse(rule, ReasonCode::AttributeAmbiguous, &path, detail);
                }
            }
        }
    }

    /// Several roles together can give a longer list than is allowed, and any of them a value beyond the key.
    fn fits(&self, name: &AttributeName, value: &AttributeValue, trail: &mut Trail) -> bool {
        let read = self.policy.attribute(name.as_str());
        let refused = read.and_then(|attribute| attribute.read(&value.to_json()).err());
        for fault in refused.iter().flatten() {
            let rule = Rule::Attribute(name.as_str(), "from_role");
            let path = ["user", "attributes", name.as_str()];
            trail.refuse(rule, fault.code, &path, fault.detail.clone());
        }
        refused.is_none() && self.within_key(name.as_str(), value, trail)
    }

    /// An attribute that was requested with a faulty value is not missing; its fault has been noted. What the key
    /// limits is required as well: without it, nothing would be limited.
    fn check_required(&self, granted: &Granted, trail: &mut Trail) -> BTreeSet<&AttributeName> {
        let mut missing = BTreeSet::new();
        let mut required: BTreeMap<&AttributeName, Rule<'_>> = BTreeMap::new();
        for name in self.ceiling.allowed_attributes().keys() {
            required.insert(name, Rule::Ceiling("allowed_attributes"));
        }
        for (_, role) in self.roles {
            for name in &role.required_attributes {
                required.insert(name, Rule::Role(role.name.as_str(), "required_attributes"));
            }
        }
        for name in self.policy.required_attributes() {
            required.insert(name, Rule::Attribute(name.as_str(), "required"));
        }
        for (name, rule) in required {
            if granted.contains_key(name) || self.hidden.contains_key(name.as_str()) {
                trail.note(rule, Outcome::Allowed, || {
                    format!("Attribute `{name}` is required, and there.")
                });
            } else if !self.requested.contains_key(name.as_str()) {
                let detail = format!("Attribute `{name}` is required.");
                let path = ["user", "attributes", name.as_str()];
                trail.refuse(rule, ReasonCode::MissingAttribute, &path, detail);
                missing.insert(name);
            }
        }
        missing
    }

    /// What an attribute requires must be there with it. `told` are those whose absence has been noted.
    fn check_mutual<'a>(
        &'a self,
        granted: &Granted,
        mut told: BTreeSet<&'a AttributeName>,
        trail: &mut Trail,
    ) {
        let hidden = self.hidden.keys().map(String::as_str);
        for name in granted.keys().map(AttributeName::as_str).chain(hidden) {
            let Some(attribute) = self.policy.attribute(name) else {
                continue;
            };
            for other in attribute.requires() {
                let rule = Rule::Attribute(attribute.name().as_str(), "requires");
                if granted.contains_key(other) || self.hidden.contains_key(other.as_str()) {
                    trail.note(rule, Outcome::Allowed, || {
                        format!("Attribute `{name}` requires `{other}`, which is there.")
                    });
                } else if !self.requested.contains_key(other.as_str()) && told.insert(other) {
                    let detail = format!("Attribute `{name}` requires attribute `{other}`.");
                    let path = ["user", "attributes", other.as_str()];
                    trail.refuse(rule, ReasonCode::MissingAttribute, &path, detail);
                }
            }
        }
    }
}

/// What the roles give together; `None` where they give different single values.
pub(super) fn joined_defaults<'a>(
    roles: impl Iterator<Item = &'a CompiledRole>,
) -> BTreeMap<&'a AttributeName, Option<AttributeValue>> {
    let mut given: BTreeMap<&AttributeName, Option<AttributeValue>> = BTreeMap::new();
    for (name, value) in roles.flat_map(|role| &role.defaults) {
        given
            .entry(name)
            .and_modify(|all| *all = all.as_ref().and_then(|it| it.join(value)))
            .or_insert_with(|| Some(value.clone()));
    }
    given
}
