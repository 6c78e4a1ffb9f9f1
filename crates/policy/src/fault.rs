//! What can be wrong with a policy as a whole.
//!
//! | module | holds |
//! |---|---|
//! | `code` | a stable name for each fault |
//! | `place` | where in a document a fault is |

mod code;
mod place;

use crate::{
    attributes::DeclarationFault,
    casbin_engine::EngineError,
    decision::Denial,
    name::{AttributeName, RoleName},
    row_rules::RowRuleFault,
    text::misleads,
};

pub use code::FaultCode;

/// The most roles of one policy.
pub const MAX_ROLES: usize = 10_000;
/// The most attributes of one policy.
pub const MAX_ATTRIBUTES: usize = 1_000;
/// The most permissions of all roles of one policy.
pub const MAX_PERMISSIONS: usize = 100_000;
/// The most names in `inherits` of all roles of one policy.
pub const MAX_LINKS: usize = 100_000;
/// The most roles that one role inherits, directly or through others.
pub const MAX_INHERITED: usize = 256;
/// The most audiences that one role lists.
pub const MAX_AUDIENCES: usize = 100;
/// The longest description of a role or an attribute, in characters.
pub const MAX_DESCRIPTION: usize = 1_000;

/// One thing wrong with a policy. Names only what the policy's author wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// More roles than [`MAX_ROLES`].
    #[error("{count} roles; at most 10000 are possible")]
    TooManyRoles {
        /// How many there are.
        count: usize,
    },
    /// More attributes than [`MAX_ATTRIBUTES`].
    #[error("{count} attributes; at most 1000 are possible")]
    TooManyAttributes {
        /// How many there are.
        count: usize,
    },
    /// More permissions than [`MAX_PERMISSIONS`].
    #[error("the roles have {count} permissions; at most 100000 are possible")]
    TooManyPermissions {
        /// How many all roles have.
        count: usize,
    },
    /// More names in `inherits` than [`MAX_LINKS`].
    #[error("the roles inherit {count} times; at most 100000 are possible")]
    TooManyLinks {
        /// How many all roles have.
        count: usize,
    },
    /// A role inherits more others than [`MAX_INHERITED`], directly or through others.
    #[error("role `{role}` inherits more than 256 roles, directly or through others")]
    TooManyInherited {
        /// The role.
        role: RoleName,
    },
    /// A role lists more audiences than [`MAX_AUDIENCES`].
    #[error("role `{role}` lists {count} audiences; at most 100 are possible")]
    TooManyAudiences {
        /// The role.
        role: RoleName,
        /// How many it lists.
        count: usize,
    },
    /// A role's description is longer than [`MAX_DESCRIPTION`], or has characters that no line of text has.
    #[error("role `{role}`: {UNUSABLE_DESCRIPTION}")]
    RoleDescription {
        /// The role.
        role: RoleName,
    },
    /// Two roles have the same name.
    #[error("role `{role}` is declared twice")]
    DuplicateRole {
        /// The name used twice.
        role: RoleName,
    },
    /// A role inherits one that is not declared.
    #[error("role `{role}` inherits `{parent}`, which is not declared")]
    UnknownParent {
        /// The inheriting role.
        role: RoleName,
        /// The role that is missing.
        parent: RoleName,
    },
    /// A role inherits itself, or from roles that do.
    #[error("role `{role}` is part of, or inherits from, a cycle of roles")]
    InheritanceCycle {
        /// A role that the cycle touches.
        role: RoleName,
    },
    /// A chain of inheritance is longer than the engine follows.
    #[error("role `{role}` inherits over {depth} levels; at most 9 are possible")]
    InheritanceTooDeep {
        /// The role at the head of the chain.
        role: RoleName,
        /// The length of the chain, in links.
        depth: usize,
    },
    /// A role requires an attribute that is not declared, so no token could ever carry the role.
    #[error("role `{role}` requires attribute `{attribute}`, which is not declared")]
    UnknownRequiredAttribute {
        /// The role.
        role: RoleName,
        /// The attribute that is missing.
        attribute: AttributeName,
    },
    /// A role limits lifetimes to nothing.
    #[error("role `{role}` has a `{field}` of 0; it must be at least 1")]
    NoLifetime {
        /// The role.
        role: RoleName,
        /// The field.
        field: &'static str,
    },
    /// A role is for no audience at all.
    #[error("role `{role}` has an empty list of `audiences`; leave it out to allow all")]
    NoAudiences {
        /// The role.
        role: RoleName,
    },
    /// An attribute requires one that is not declared.
    #[error("attribute `{attribute}` requires attribute `{other}`, which is not declared")]
    UnknownRequirement {
        /// The attribute.
        attribute: AttributeName,
        /// The attribute that is missing.
        other: AttributeName,
    },
    /// An attribute has a value for a role that is not declared.
    #[error("attribute `{attribute}` has a value for role `{role}`, which is not declared")]
    UnknownRoleOfDefault {
        /// The attribute.
        attribute: AttributeName,
        /// The role that is missing.
        role: RoleName,
    },
    /// A role inherits different values of an attribute that has only one.
    #[error("role `{role}` inherits different values of attribute `{attribute}`; give it its own")]
    AmbiguousDefault {
        /// The attribute.
        attribute: AttributeName,
        /// The role.
        role: RoleName,
    },
    /// Two attributes have the same name.
    #[error("attribute `{attribute}` is declared twice")]
    DuplicateAttribute {
        /// The name used twice.
        attribute: AttributeName,
    },
    /// An attribute's declaration contradicts itself.
    #[error("attribute `{attribute}`: {fault}")]
    Attribute {
        /// The attribute.
        attribute: AttributeName,
        /// What is wrong with it.
        fault: DeclarationFault,
    },
    /// A row rule is wrong.
    #[error(transparent)]
    RowRule(RowRuleFault),
}

/// What is wrong with a description, for roles and attributes alike.
pub(crate) const UNUSABLE_DESCRIPTION: &str =
    "`description` must have at most 1000 characters, none of them control characters";

/// Is it a description that every database, log and table can show?
pub(crate) fn is_description(text: &str) -> bool {
    text.chars().nth(MAX_DESCRIPTION).is_none() && !misleads(text)
}

/// Why a policy cannot be decided with.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The policy is wrong; these are all its faults, never none.
    #[error("the policy has {} fault(s), the first: {}", .0.len(), first(.0))]
    Faults(Vec<PolicyFault>),
    /// The work was cut short, as when the server stops.
    #[error("the policy could not be compiled")]
    Interrupted,
    /// The decision engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<CompileError> for Denial {
    /// Refuses everything: a policy that cannot be decided with allows nothing.
    fn from(_: CompileError) -> Self {
        Self::policy_unusable("The policy of this organization cannot be used as it is stored.")
    }
}

fn first(faults: &[PolicyFault]) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}
