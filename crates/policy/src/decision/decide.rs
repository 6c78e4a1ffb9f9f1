//! The checks. Each looks at one part of the request and notes every reason it finds; a grant is made only
//! when none was found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::{
    grant::Grant,
    reasons::{Denial, ReasonCode, Refusals},
    request::{AudienceLimits, GrantRequest, Resource},
};
use crate::{
    attributes::AttributeValue,
    ceiling::CompiledCeiling,
    name::{AttributeName, AudienceName, is_identifier},
    snapshot::{CompiledRole, PolicySnapshot},
    text::{is_blank, misleads},
};

/// The most roles of one request.
pub const MAX_ROLES_PER_REQUEST: usize = 50;
/// The most resources of one request.
pub const MAX_RESOURCES: usize = 100;
/// The longest subject, in bytes of UTF-8.
pub const MAX_SUBJECT_BYTES: usize = 255;
/// The longest id of a resource, in bytes of UTF-8.
pub const MAX_RESOURCE_ID_BYTES: usize = 255;

/// The answer to a [`GrantRequest`].
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// The token may be issued, saying exactly this.
    Granted(Grant),
    /// No token may be issued.
    Refused(Denial),
}

impl PolicySnapshot {
    /// Decides one request: what the policy declares ∩ what the key may grant ∩ what is requested.
    ///
    /// `ceiling` must come from [this snapshot's `ceiling`](PolicySnapshot::ceiling); one of another policy
    /// version is refused. `audience` is what the organization holds under the requested name; `None` when it
    /// holds nothing. Does no I/O and asks casbin nothing: it looks up what casbin answered when snapshot and
    /// ceiling were compiled. A refusal carries every reason, in the order of the request document.
    pub fn decide(
        &self,
        ceiling: &CompiledCeiling,
        audience: Option<&AudienceLimits>,
        request: GrantRequest,
    ) -> Decision {
        let mut refusals = Refusals::default();
        if ceiling.policy_version() != self.version() {
            let detail = "The policy changed while this request was being decided.";
            refusals.add(ReasonCode::PolicyUnusable, &[], detail);
        }
        check_subject(&request.subject, &mut refusals);
        let roles = self.check_roles(ceiling, &request.roles, &mut refusals);
        let attributes = self.check_attributes(ceiling, &roles, &request.attributes, &mut refusals);
        let name = check_audience(ceiling, audience, &request.audience, &mut refusals);
        let lifetime = Lifetime {
            audience,
            ceiling,
            roles: &roles,
        };
        let ttl_seconds = lifetime.check(request.ttl_seconds, &mut refusals);
        check_resources(&request.resources, &mut refusals);

        match (refusals.into_denial(), name, ttl_seconds) {
            (None, Some(audience), Some(ttl_seconds)) => Decision::Granted(Grant {
                subject: request.subject,
                roles: roles.iter().map(|role| role.name.clone()).collect(),
                attributes,
                scope: scope_of(&roles),
                audience,
                ttl_seconds,
                resources: request.resources,
                policy_version: self.version(),
            }),
            (Some(denial), ..) => Decision::Refused(denial),
            (None, ..) => Decision::Refused(Denial::policy_unusable("Nothing could be decided.")),
        }
    }

    /// The requested roles that are declared. Names beyond the limit are counted, not examined.
    fn check_roles(
        &self,
        ceiling: &CompiledCeiling,
        requested: &[String],
        refusals: &mut Refusals,
    ) -> Vec<&CompiledRole> {
        if requested.is_empty() {
            refusals.add(
                ReasonCode::RolesEmpty,
                &["user", "roles"],
                "At least one role is needed.",
            );
        }
        if requested.len() > MAX_ROLES_PER_REQUEST {
            let detail = format!("At most {MAX_ROLES_PER_REQUEST} roles are possible.");
            refusals.add(ReasonCode::TooManyRoles, &["user", "roles"], detail);
        }
        let mut seen = HashSet::new();
        let mut roles = Vec::with_capacity(requested.len().min(MAX_ROLES_PER_REQUEST));
        for (index, name) in requested.iter().take(MAX_ROLES_PER_REQUEST).enumerate() {
            let index = index.to_string();
            let mut refuse = |code, problem: &str| {
                let detail = format!("{} {problem}", called("Role", name));
                refusals.add(code, &["user", "roles", &index], detail);
            };
            let role = self.role(name);
            if !seen.insert(name.as_str()) {
                refuse(ReasonCode::DuplicateRole, "is requested twice.");
            } else if role.is_none() {
                refuse(ReasonCode::UnknownRole, "is not declared.");
            } else if !ceiling.roles().contains(name.as_str()) {
                refuse(
                    ReasonCode::RoleNotAllowed,
                    "is not one that this API key may grant.",
                );
            }
            roles.extend(role);
        }
        roles
    }

    /// The requested attributes that pass, with those the key fixes.
    fn check_attributes(
        &self,
        ceiling: &CompiledCeiling,
        roles: &[&CompiledRole],
        requested: &Map<String, Value>,
        refusals: &mut Refusals,
    ) -> BTreeMap<AttributeName, AttributeValue> {
        let mut granted = ceiling.fixed_attributes().clone();
        for (name, json) in requested {
            let path = ["user", "attributes", name.as_str()];
            let Some(attribute) = self.attribute(name) else {
                let detail = format!("{} is not declared.", called("Attribute", name));
                refusals.add(ReasonCode::UndeclaredAttribute, &path, detail);
                continue;
            };
            match attribute.read(json) {
                Err(faults) => {
                    for fault in faults {
                        let item = fault.item.map(|index| index.to_string());
                        let path: Vec<_> = path.into_iter().chain(item.as_deref()).collect();
                        refusals.add(fault.code, &path, fault.detail);
                    }
                }
                Ok(value) if !within_key(ceiling, name, &value, refusals) => {}
                Ok(value) => match granted.get(name.as_str()) {
                    Some(fixed) if *fixed != value => {
                        let detail =
                            format!("This API key fixes attribute `{name}` to another value.");
                        refusals.add(ReasonCode::AttributeFixed, &path, detail);
                    }
                    Some(_) => {}
                    None => {
                        granted.insert(attribute.name().clone(), value);
                    }
                },
            }
        }
        self.check_required(ceiling, roles, requested, &granted, refusals);
        granted
    }

    /// An attribute that was requested with a faulty value is not missing; its fault has been noted.
    /// What the key limits is required as well: without it, nothing would be limited.
    fn check_required(
        &self,
        ceiling: &CompiledCeiling,
        roles: &[&CompiledRole],
        requested: &Map<String, Value>,
        granted: &BTreeMap<AttributeName, AttributeValue>,
        refusals: &mut Refusals,
    ) {
        let by_roles = roles.iter().flat_map(|role| &role.required_attributes);
        let by_key = ceiling.allowed_attributes().keys();
        let required = self.required_attributes().chain(by_roles).chain(by_key);
        let required: BTreeSet<_> = required.collect();
        for name in required {
            if !granted.contains_key(name) && !requested.contains_key(name.as_str()) {
                let detail = format!("Attribute `{name}` is required.");
                let path = ["user", "attributes", name.as_str()];
                refusals.add(ReasonCode::MissingAttribute, &path, detail);
            }
        }
    }
}

/// Notes each value, or item of a list, that the key may not grant.
fn within_key(
    ceiling: &CompiledCeiling,
    name: &str,
    value: &AttributeValue,
    refusals: &mut Refusals,
) -> bool {
    let Some(allowed) = ceiling.allowed_attributes().get(name) else {
        return true;
    };
    let mut within = true;
    for (index, item) in value.items().iter().enumerate() {
        if !allowed.contains(item) {
            within = false;
            let index = value.as_list().map(|_| index.to_string());
            let path = ["user", "attributes", name];
            let path: Vec<_> = path.into_iter().chain(index.as_deref()).collect();
            let detail = format!("This API key may not grant this value of attribute `{name}`.");
            refusals.add(ReasonCode::AttributeBeyondKey, &path, detail);
        }
    }
    within
}

/// What limits the lifetime of a token.
struct Lifetime<'a> {
    audience: Option<&'a AudienceLimits>,
    ceiling: &'a CompiledCeiling,
    roles: &'a [&'a CompiledRole],
}

impl Lifetime<'_> {
    /// The longest lifetime that everything known allows.
    fn cap(&self) -> Option<u32> {
        let by_audience = self.audience.map(|limits| limits.max_ttl_seconds);
        let by_roles = self.roles.iter().filter_map(|role| role.max_ttl_seconds);
        by_audience
            .into_iter()
            .chain(self.ceiling.max_ttl_seconds())
            .chain(by_roles)
            .min()
    }

    /// The lifetime to grant. A requested one is granted or refused, never changed; the audience's default
    /// gives way to a shorter limit. `None` without a reason: the audience is unknown, which has its own.
    fn check(&self, requested: Option<i64>, refusals: &mut Refusals) -> Option<u32> {
        let cap = self.cap();
        let Some(requested) = requested else {
            let limits = self.audience?;
            let lifetime = limits.default_ttl_seconds.min(cap.unwrap_or(u32::MAX));
            if lifetime == 0 {
                let detail = "The audience's lifetimes leave no time for a token.";
                refusals.add(ReasonCode::PolicyUnusable, &["ttl_seconds"], detail);
            }
            return Some(lifetime);
        };
        let within = u32::try_from(requested)
            .ok()
            .filter(|seconds| *seconds >= 1 && cap.is_none_or(|cap| *seconds <= cap));
        if within.is_none() {
            let detail = match cap {
                Some(cap) => format!("The lifetime must be between 1 and {cap} seconds."),
                None => "The lifetime must be at least 1 second.".to_owned(),
            };
            refusals.add(ReasonCode::TtlOutOfRange, &["ttl_seconds"], detail);
        }
        within
    }
}

fn check_subject(subject: &str, refusals: &mut Refusals) {
    if !is_opaque_id(subject, MAX_SUBJECT_BYTES) {
        let detail = format!(
            "The user's id must be 1 to {MAX_SUBJECT_BYTES} bytes, not blank, without control characters."
        );
        refusals.add(ReasonCode::InvalidSubject, &["user", "id"], detail);
    }
}

fn check_audience(
    ceiling: &CompiledCeiling,
    limits: Option<&AudienceLimits>,
    requested: &str,
    refusals: &mut Refusals,
) -> Option<AudienceName> {
    let known = limits.and(AudienceName::parse(requested).ok());
    let (code, problem) = match &known {
        None => (ReasonCode::UnknownAudience, "is not declared."),
        Some(name) if !ceiling.allows_audience(name) => (
            ReasonCode::AudienceNotAllowed,
            "is not one that this API key may issue for.",
        ),
        Some(_) => return known,
    };
    refusals.add(
        code,
        &["audience"],
        format!("{} {problem}", called("Audience", requested)),
    );
    None
}

fn check_resources(resources: &[Resource], refusals: &mut Refusals) {
    if resources.len() > MAX_RESOURCES {
        let detail = format!("At most {MAX_RESOURCES} resources are possible.");
        refusals.add(ReasonCode::TooManyResources, &["resources"], detail);
    }
    for (index, resource) in resources.iter().take(MAX_RESOURCES).enumerate() {
        let index = index.to_string();
        if !is_identifier(&resource.kind) {
            let detail = "The type of a resource must be 1 to 64 characters: a lower-case letter, then \
                          lower-case letters, digits, `_` and `-`.";
            refusals.add(
                ReasonCode::InvalidResource,
                &["resources", &index, "type"],
                detail,
            );
        }
        if !is_opaque_id(&resource.id, MAX_RESOURCE_ID_BYTES) {
            let detail = format!(
                "The id of a resource must be 1 to {MAX_RESOURCE_ID_BYTES} bytes, not blank, without \
                 control characters."
            );
            refusals.add(
                ReasonCode::InvalidResource,
                &["resources", &index, "id"],
                detail,
            );
        }
    }
}

fn is_opaque_id(text: &str, max_bytes: usize) -> bool {
    let length_fits = text.len() <= max_bytes;
    length_fits && !is_blank(text) && !misleads(text)
}

fn scope_of(roles: &[&CompiledRole]) -> Vec<String> {
    let values: BTreeSet<_> = roles.iter().flat_map(|role| &role.scope).collect();
    values.into_iter().cloned().collect()
}

/// Refers to something the caller named, repeating the name only when it is harmless to.
fn called(what: &str, name: &str) -> String {
    if is_identifier(name) {
        format!("{what} `{name}`")
    } else {
        format!("This {}", what.to_lowercase())
    }
}
