//! What a token may say: written from the documentation, rule by rule.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::KeyCeiling;
use serde_json::{Map, Value};

use super::{
    naive_values::{Faults, joined, judge, judge_item, same},
    questions::{LIMITS_TO, SUBJECTS},
    world::{AttributeDecl, RoleDecl, World},
};
use crate::decision::{AudienceLimits, GrantRequest};

/// What is in a token.
#[derive(Debug, PartialEq)]
pub(super) struct Token {
    pub(super) roles: Vec<String>,
    pub(super) attributes: Map<String, Value>,
    pub(super) scope: Vec<String>,
    pub(super) ttl_seconds: u32,
}

/// `code pointer` of each reason.
pub(super) type Reasons = BTreeSet<String>;

/// One question, and the reasons found against it.
pub(super) struct Naive<'a> {
    pub(super) world: &'a World,
    pub(super) ceiling: &'a KeyCeiling,
    pub(super) limits: Option<AudienceLimits>,
    pub(super) request: &'a GrantRequest,
    pub(super) reasons: Reasons,
}

impl<'a> Naive<'a> {
    pub(super) fn decide(mut self) -> Result<Token, Reasons> {
        if !self.world.is_usable(self.ceiling) {
            return Err(BTreeSet::from(["policy_unusable ".to_owned()]));
        }
        let request = self.request;
        if !SUBJECTS.contains(&(request.subject.as_str(), true)) {
            self.refuse("invalid_subject", "/user/id");
        }
        let roles = self.roles();
        let attributes = self.attributes(&roles);
        self.audience();
        let ttl_seconds = self.lifetime(&roles);
        self.resources();
        match (self.reasons.is_empty(), ttl_seconds) {
            (true, Some(ttl_seconds)) => Ok(Token {
                scope: self.world.scope(&request.roles),
                roles: request.roles.clone(),
                attributes,
                ttl_seconds,
            }),
            _ => Err(self.reasons),
        }
    }

    fn refuse(&mut self, code: &str, pointer: &str) {
        self.reasons.insert(format!("{code} {pointer}"));
    }

    /// The declared ones, which count for what follows even where they are refused.
    fn roles(&mut self) -> Vec<&'a RoleDecl> {
        let (world, request) = (self.world, self.request);
        if request.roles.is_empty() {
            self.refuse("roles_empty", "/user/roles");
        }
        let mut declared = Vec::new();
        for (index, name) in request.roles.iter().enumerate() {
            let pointer = format!("/user/roles/{index}");
            let listed = self.ceiling.roles.as_ref();
            let grantable = listed.is_none_or(|listed| {
                let mut declared = listed.iter().filter(|it| world.role(it).is_some());
                declared.any(|it| world.lineage(it).contains(name))
            });
            if request.roles[..index].contains(name) {
                self.refuse("duplicate_role", &pointer);
            } else if world.role(name).is_none() {
                self.refuse("unknown_role", &pointer);
            } else if !grantable {
                self.refuse("role_not_allowed", &pointer);
            }
            let family = world.family(name);
            let mut audiences = family.iter().filter_map(|role| role.audiences.as_ref());
            if !audiences.all(|listed| listed.contains(&request.audience)) {
                self.refuse("role_not_for_audience", &pointer);
            }
            declared.extend(world.role(name));
        }
        declared
    }

    fn attributes(&mut self, roles: &[&RoleDecl]) -> Map<String, Value> {
        let mut granted = Map::new();
        for (name, fixed) in &self.ceiling.fixed_attributes {
            let attribute = self.world.attribute(name).unwrap();
            granted.insert(name.clone(), judge(attribute, fixed).unwrap());
        }
        for (name, given) in &self.request.attributes {
            let pointer = format!(
                "/user/attributes/{}",
                name.replace('~', "~0").replace('/', "~1")
            );
            let Some(attribute) = self.world.attribute(name) else {
                self.refuse("undeclared_attribute", &pointer);
                continue;
            };
            match judge(attribute, given) {
                Err(faults) => self.refuse_value(&pointer, faults),
                Ok(value) if !self.within_key(attribute, &value) => {}
                Ok(value) => match granted.get(name) {
                    Some(fixed) if !same(fixed, &value) => self.refuse("attribute_fixed", &pointer),
                    Some(_) => {}
                    None => {
                        granted.insert(name.clone(), value);
                    }
                },
            }
        }
        self.add_defaults(roles, &mut granted);
        self.require(roles, &granted);
        granted
    }

    fn refuse_value(&mut self, pointer: &str, faults: Faults) {
        for (item, code) in faults {
            let item = item.map(|index| format!("/{index}")).unwrap_or_default();
            self.refuse(code, &format!("{pointer}{item}"));
        }
    }

    fn within_key(&mut self, attribute: &AttributeDecl, value: &Value) -> bool {
        let Some(allowed) = self.ceiling.allowed_attributes.get(&attribute.name) else {
            return true;
        };
        let allowed: Vec<_> = allowed
            .iter()
            .map(|one| judge_item(attribute, one).unwrap())
            .collect();
        let beyond = |item: &Value| !allowed.iter().any(|one| same(one, item));
        let faults: Faults = match value {
            Value::Array(items) => (0..items.len())
                .filter(|index| beyond(&items[*index]))
                .map(|index| (Some(index), "attribute_beyond_key"))
                .collect(),
            value if beyond(value) => vec![(None, "attribute_beyond_key")],
            _ => vec![],
        };
        let within = faults.is_empty();
        self.refuse_value(&format!("/user/attributes/{}", attribute.name), faults);
        within
    }

    fn add_defaults(&mut self, roles: &[&RoleDecl], granted: &mut Map<String, Value>) {
        let world = self.world;
        for attribute in &world.attributes {
            let name = &attribute.name;
            if granted.contains_key(name) || self.request.attributes.contains_key(name) {
                continue;
            }
            let pointer = format!("/user/attributes/{name}");
            let given = roles
                .iter()
                .filter_map(|role| world.default_of(&role.name, attribute).unwrap());
            let given: Vec<Value> = given.collect();
            let Some((first, rest)) = given.split_first() else {
                continue;
            };
            let together = rest
                .iter()
                .try_fold(first.clone(), |all, it| joined(&all, it));
            match together.map(|value| judge(attribute, &value)) {
                None => self.refuse("attribute_ambiguous", &pointer),
                Some(Err(faults)) => {
                    let codes = faults.into_iter().map(|(_, code)| (None, code)).collect();
                    self.refuse_value(&pointer, codes);
                }
                Some(Ok(value)) => {
                    if self.within_key(attribute, &value) {
                        granted.insert(name.clone(), value);
                    }
                }
            }
        }
    }

    /// By the policy, the roles and all they inherit, the key's limits, and the attributes that are there.
    fn require(&mut self, roles: &[&RoleDecl], granted: &Map<String, Value>) {
        let world = self.world;
        let by_roles = roles.iter().flat_map(|role| world.family(&role.name));
        let by_roles = by_roles.flat_map(|role| &role.required_attributes);
        let by_policy = world.attributes.iter().filter(|it| it.required);
        let by_others = world
            .attributes
            .iter()
            .filter(|it| granted.contains_key(&it.name));
        let required: BTreeSet<&String> = by_roles
            .chain(by_policy.map(|it| &it.name))
            .chain(self.ceiling.allowed_attributes.keys())
            .chain(by_others.flat_map(|it| &it.requires))
            .collect();
        for name in required {
            if !granted.contains_key(name) && !self.request.attributes.contains_key(name) {
                self.refuse("missing_attribute", &format!("/user/attributes/{name}"));
            }
        }
    }

    fn audience(&mut self) {
        let audience = &self.request.audience;
        let listed = self.ceiling.audiences.as_ref();
        if self.limits.is_none() || audience.is_empty() || audience.contains(' ') {
            self.refuse("unknown_audience", "/audience");
        } else if listed.is_some_and(|listed| !listed.contains(audience)) {
            self.refuse("audience_not_allowed", "/audience");
        }
    }

    fn lifetime(&mut self, roles: &[&RoleDecl]) -> Option<u32> {
        let families = roles.iter().flat_map(|role| self.world.family(&role.name));
        let cap = families
            .filter_map(|role| role.max_ttl_seconds)
            .chain(self.ceiling.max_ttl_seconds)
            .chain(self.limits.map(|limits| limits.max_ttl_seconds))
            .min();
        let most = i64::from(cap.unwrap_or(u32::MAX));
        if let Some(wanted) = self.request.ttl_seconds {
            if !(1..=most).contains(&wanted) {
                self.refuse("ttl_out_of_range", "/ttl_seconds");
            }
            return u32::try_from(wanted).ok();
        }
        let limits = self.limits?;
        let by_roles = roles.iter().filter_map(|role| self.world.usual_ttl(role));
        let usual = by_roles.min().unwrap_or(limits.default_ttl_seconds);
        let lifetime = usual.min(cap.unwrap_or(usual));
        if lifetime == 0 {
            self.refuse("policy_unusable", "/ttl_seconds");
        }
        Some(lifetime)
    }

    fn resources(&mut self) {
        let kinds: BTreeMap<&str, bool> = LIMITS_TO.iter().map(|it| it.0).collect();
        let ids: BTreeMap<&str, bool> = LIMITS_TO.iter().map(|it| it.1).collect();
        for (index, resource) in self.request.resources.iter().enumerate() {
            if !kinds[resource.kind.as_str()] {
                self.refuse("invalid_resource", &format!("/resources/{index}/type"));
            }
            if !ids[resource.id.as_str()] {
                self.refuse("invalid_resource", &format!("/resources/{index}/id"));
            }
        }
    }
}
