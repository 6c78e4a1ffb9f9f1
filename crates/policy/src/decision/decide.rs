//! The checks. Each looks at one part of the request and notes every reason it finds; a grant is made only
//! when none was found.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    attributes::Attributes,
    grant::Grant,
    lifetime::Lifetime,
    reasons::{Denial, ReasonCode},
    replay::Hidden,
    request::{AudienceLimits, GrantRequest, Resource},
    trail::{Outcome, Rule, Step, Trail},
};
use crate::{
    access::scope,
    attributes::AttributeValue,
    ceiling::CompiledCeiling,
    name::{AttributeName, AudienceName, RoleName, is_identifier},
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

/// A decision with all that led to it.
#[derive(Debug)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Every rule that took part, in the order in which it was asked.
    pub steps: Vec<Step>,
    /// What would be granted, or would have been but for the refusal.
    pub effective: Effective,
}

/// What the parts of a request come to, as far as they could be understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The requested roles that exist, and all they inherit; sorted.
    pub roles: Vec<RoleName>,
    /// The attributes, with those that the key fixes and the roles give.
    pub attributes: BTreeMap<AttributeName, AttributeValue>,
    /// What the roles allow, as values of the `scope` claim.
    pub scope: Vec<String>,
    /// The lifetime in seconds; `None` when it cannot be told.
    pub ttl_seconds: Option<u32>,
}

impl PolicySnapshot {
    /// Decides one request: what the policy declares ∩ what the key may grant ∩ what is requested.
    ///
    /// `ceiling` must come from [this snapshot's `ceiling`](PolicySnapshot::ceiling); one of another policy
    /// version is refused. `audience` is what the organization holds under the requested name; `None` when it
    /// holds nothing. Does no I/O and asks casbin nothing: it looks up what casbin answered when the snapshot was
    /// compiled. A refusal carries every reason, in the order of the request document.
    pub fn decide(
        &self,
        ceiling: &CompiledCeiling,
        audience: Option<&AudienceLimits>,
        request: GrantRequest,
    ) -> Decision {
        let mut trail = Trail::silent();
        let parts = self.check(ceiling, audience, Asked::of(&request), &mut trail);
        self.conclude(request, parts, trail).0
    }

    /// The same, with every rule that took part.
    pub fn explain(
        &self,
        ceiling: &CompiledCeiling,
        audience: Option<&AudienceLimits>,
        request: GrantRequest,
    ) -> Explanation {
        let mut trail = Trail::telling();
        let parts = self.check(ceiling, audience, Asked::of(&request), &mut trail);
        let lineage = parts.roles.iter().flat_map(|role| &role.lineage);
        let lineage: BTreeSet<_> = lineage.cloned().collect();
        let effective = Effective {
            roles: lineage.into_iter().collect(),
            attributes: parts.attributes.clone(),
            scope: scope_of(&parts.roles),
            ttl_seconds: parts.ttl_seconds,
        };
        let (decision, steps) = self.conclude(request, parts, trail);
        Explanation {
            decision,
            steps,
            effective,
        }
    }

    pub(super) fn check<'s>(
        &'s self,
        ceiling: &CompiledCeiling,
        audience: Option<&AudienceLimits>,
        Asked { request, hidden }: Asked<'_>,
        trail: &mut Trail,
    ) -> Parts<'s> {
        if ceiling.policy_version() != self.version() {
            let detail = "The policy changed while this request was being decided.";
            trail.refuse(Rule::Policy, ReasonCode::PolicyUnusable, &[], detail);
        }
        check_subject(&request.subject, trail);
        let roles = self.check_roles(ceiling, &request.roles, trail);
        check_roles_for_audience(&roles, &request.audience, trail);
        let attributes = Attributes {
            policy: self,
            ceiling,
            roles: &roles,
            requested: &request.attributes,
            hidden,
        };
        let attributes = attributes.check(trail);
        let audience_name = check_audience(ceiling, audience, &request.audience, trail);
        let lifetime = Lifetime {
            audience,
            ceiling,
            roles: &roles,
        };
        let ttl_seconds = lifetime.check(request.ttl_seconds, trail);
        check_resources(&request.resources, trail);
        Parts {
            roles: roles.into_iter().map(|(_, role)| role).collect(),
            attributes,
            audience: audience_name,
            ttl_seconds,
        }
    }

    /// The only maker of grants: there is one exactly when nothing stands against it.
    fn conclude(
        &self,
        request: GrantRequest,
        parts: Parts<'_>,
        trail: Trail,
    ) -> (Decision, Vec<Step>) {
        let (denial, steps) = trail.finish();
        let decision = match (denial, parts.audience, parts.ttl_seconds) {
            (None, Some(audience), Some(ttl_seconds)) => Decision::Granted(Grant {
                sensitive: self.sensitive_among(parts.attributes.keys()),
                subject: request.subject,
                roles: parts.roles.iter().map(|role| role.name.clone()).collect(),
                scope: scope_of(&parts.roles),
                scope_narrowed: false,
                attributes: parts.attributes,
                audience,
                ttl_seconds,
                resources: request.resources,
                policy_version: self.version(),
            }),
            (Some(denial), ..) => Decision::Refused(denial),
            (None, ..) => Decision::Refused(Denial::policy_unusable("Nothing could be decided.")),
        };
        (decision, steps)
    }

    /// The requested roles that are declared, each with its place in the request. Names beyond the limit are counted,
    /// not examined.
    fn check_roles(
        &self,
        ceiling: &CompiledCeiling,
        requested: &[String],
        trail: &mut Trail,
    ) -> Vec<(usize, &CompiledRole)> {
        let path = ["user", "roles"];
        if requested.is_empty() {
            let detail = "At least one role is needed.";
            trail.refuse(Rule::Request, ReasonCode::RolesEmpty, &path, detail);
        }
        if requested.len() > MAX_ROLES_PER_REQUEST {
            let detail = format!("At most {MAX_ROLES_PER_REQUEST} roles are possible.");
            trail.refuse(Rule::Request, ReasonCode::TooManyRoles, &path, detail);
        }
        let mut seen = HashSet::new();
        let mut roles = Vec::with_capacity(requested.len().min(MAX_ROLES_PER_REQUEST));
        for (index, name) in requested.iter().take(MAX_ROLES_PER_REQUEST).enumerate() {
            let role = self.role(name);
            let (rule, code, problem) = if !seen.insert(name.as_str()) {
                (
                    Rule::Request,
                    ReasonCode::DuplicateRole,
                    "is requested twice.",
                )
            } else if role.is_none() {
                (Rule::Policy, ReasonCode::UnknownRole, "is not declared.")
            } else if !ceiling.allows_role(name) {
                (
                    Rule::Ceiling("roles"),
                    ReasonCode::RoleNotAllowed,
                    "is not one that this API key may grant.",
                )
            } else {
                trail.note(Rule::Role(name, ""), Outcome::Allowed, || {
                    format!("Role `{name}` is declared, and this API key may grant it.")
                });
                roles.extend(role.map(|role| (index, role)));
                continue;
            };
            let detail = format!("{} {problem}", called("Role", name));
            trail.refuse(rule, code, &["user", "roles", &index.to_string()], detail);
            roles.extend(role.map(|role| (index, role)));
        }
        roles
    }
}

/// What is decided about: a request, and attributes that it has without their values being known.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a GrantRequest,
    pub(super) hidden: &'a BTreeMap<String, Hidden>,
}

impl<'a> Asked<'a> {
    fn of(request: &'a GrantRequest) -> Self {
        static NOTHING: BTreeMap<String, Hidden> = BTreeMap::new();
        Self {
            request,
            hidden: &NOTHING,
        }
    }
}

/// What became of a request, part by part.
pub(super) struct Parts<'s> {
    pub(super) roles: Vec<&'s CompiledRole>,
    pub(super) attributes: BTreeMap<AttributeName, AttributeValue>,
    audience: Option<AudienceName>,
    ttl_seconds: Option<u32>,
}

pub(super) fn scope_of(roles: &[&CompiledRole]) -> Vec<String> {
    let families: Vec<_> = roles.iter().map(|role| role.family.as_slice()).collect();
    scope(&families)
}

fn check_roles_for_audience(roles: &[(usize, &CompiledRole)], audience: &str, trail: &mut Trail) {
    for (index, role) in roles {
        let Some(audiences) = &role.audiences else {
            continue;
        };
        let rule = Rule::Role(role.name.as_str(), "audiences");
        if audiences.contains(audience) {
            trail.note(rule, Outcome::Allowed, || {
                format!("Role `{}` is for this audience.", role.name)
            });
        } else {
            let detail = format!("Role `{}` is not for this audience.", role.name);
            let path = ["user", "roles", &index.to_string()];
            trail.refuse(rule, ReasonCode::RoleNotForAudience, &path, detail);
        }
    }
}

fn check_subject(subject: &str, trail: &mut Trail) {
    if !is_opaque_id(subject, MAX_SUBJECT_BYTES) {
        let detail = format!(
            "The user's id must be 1 to {MAX_SUBJECT_BYTES} bytes, not blank, without control characters."
        );
        trail.refuse(
            Rule::Request,
            ReasonCode::InvalidSubject,
            &["user", "id"],
            detail,
        );
    }
}

fn check_audience(
    ceiling: &CompiledCeiling,
    limits: Option<&AudienceLimits>,
    requested: &str,
    trail: &mut Trail,
) -> Option<AudienceName> {
    let known = limits.and(AudienceName::parse(requested).ok());
    let (rule, code, problem) = match &known {
        None => (
            Rule::Audience(""),
            ReasonCode::UnknownAudience,
            "is not declared.",
        ),
        Some(name) if !ceiling.allows_audience(name) => (
            Rule::Ceiling("audiences"),
            ReasonCode::AudienceNotAllowed,
            "is not one that this API key may issue for.",
        ),
        Some(name) => {
            trail.note(Rule::Ceiling("audiences"), Outcome::Allowed, || {
                format!("This API key may issue for audience `{name}`.")
            });
            return known;
        }
    };
    let detail = format!("{} {problem}", called("Audience", requested));
    trail.refuse(rule, code, &["audience"], detail);
    None
}

fn check_resources(resources: &[Resource], trail: &mut Trail) {
    if resources.len() > MAX_RESOURCES {
        let detail = format!("At most {MAX_RESOURCES} resources are possible.");
        trail.refuse(
            Rule::Request,
            ReasonCode::TooManyResources,
            &["resources"],
            detail,
        );
    }
    for (index, resource) in resources.iter().take(MAX_RESOURCES).enumerate() {
        let index = index.to_string();
        if !is_identifier(&resource.kind) {
            let detail = "The type of a resource must be 1 to 64 characters: a lower-case letter, then \
                          lower-case letters, digits, `_` and `-`.";
            trail.refuse(
                Rule::Request,
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
            trail.refuse(
                Rule::Request,
                ReasonCode::InvalidResource,
                &["resources", &index, "id"],
                detail,
            );
        }
    }
}

pub(super) fn is_opaque_id(text: &str, max_bytes: usize) -> bool {
    let length_fits = text.len() <= max_bytes;
    length_fits && !is_blank(text) && !misleads(text)
}

/// Refers to something the caller named, repeating the name only when it is harmless to.
pub(super) fn called(what: &str, name: &str) -> String {
    if is_identifier(name) {
        format!("{what} `{name}`")
    } else {
        format!("This {}", what.to_lowercase())
    }
}
