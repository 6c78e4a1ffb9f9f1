//! What was granted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::request::Resource;
use crate::{
    attributes::AttributeValue,
    name::{AttributeName, AudienceName, RoleName},
};

/// A positive decision: exactly what a session token may say.
///
/// Only [`PolicySnapshot::decide`](crate::PolicySnapshot::decide) makes one, so whoever holds a grant holds the
/// proof that the policy was asked.
pub struct Grant {
    pub(super) subject: String,
    pub(super) roles: Vec<RoleName>,
    pub(super) attributes: BTreeMap<AttributeName, AttributeValue>,
    pub(super) sensitive: BTreeSet<AttributeName>,
    pub(super) scope: Vec<String>,
    /// Does the scope say less than the roles allow?
    pub(super) scope_narrowed: bool,
    pub(super) audience: AudienceName,
    pub(super) ttl_seconds: u32,
    pub(super) resources: Vec<Resource>,
    pub(super) policy_version: i64,
}

impl Grant {
    /// Whom the token is for (`sub`).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The roles as they were requested, in that order; never empty. What they inherit is in the scope.
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// The row-level-security attributes, those that the API key fixes included.
    pub fn attributes(&self) -> &BTreeMap<AttributeName, AttributeValue> {
        &self.attributes
    }

    /// Those of the attributes whose values are kept from logs, the audit trail and the database.
    pub fn sensitive(&self) -> &BTreeSet<AttributeName> {
        &self.sensitive
    }

    /// The permissions of the roles and of all they inherit, as sorted `resource:action` values of the
    /// `scope` claim ([RFC 8693, section 4.2](https://www.rfc-editor.org/rfc/rfc8693#section-4.2)). Where a role says
    /// the same of `dashboard` and of `dashboard/*`, only the first is there: it covers the second.
    pub fn scope(&self) -> &[String] {
        &self.scope
    }

    /// The audience the token is meant for (`aud`).
    pub fn audience(&self) -> &AudienceName {
        &self.audience
    }

    /// The lifetime of the token in seconds; at least 1.
    pub fn ttl_seconds(&self) -> u32 {
        self.ttl_seconds
    }

    /// The single resources the token is limited to. Empty: no such limit.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The version of the policy that decided.
    pub fn policy_version(&self) -> i64 {
        self.policy_version
    }
}

/// Without the subject and the values of attributes: what is printed ends in logs.
impl fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<_> = self.attributes.keys().collect();
        formatter
            .debug_struct("Grant")
            .field("roles", &self.roles)
            .field("attributes", &attributes)
            .field("audience", &self.audience)
            .field("ttl_seconds", &self.ttl_seconds)
            .field("policy_version", &self.policy_version)
            .finish_non_exhaustive()
    }
}
