//! What can be wrong with a policy as a whole.

use crate::{
    attributes::DeclarationFault,
    casbin_engine::EngineError,
    decision::Denial,
    name::{AttributeName, RoleName},
    row_rules::RowRuleFault,
};

/// One thing wrong with a policy. Names only what the policy's author wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
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
