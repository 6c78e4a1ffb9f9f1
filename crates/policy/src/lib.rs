//! What may be granted: roles, attributes, key ceilings, decisions.
//!
//! An organization declares [roles](Role) and [row-level-security attributes](AttributeDeclaration). An API key
//! has a ceiling that narrows them. A request narrows both. What is left is a [`Grant`], or nothing is left and
//! the answer is a [`Denial`] with every reason:
//!
//! ```text
//! Role, AttributeDeclaration ──compile──▶ PolicySnapshot        one version of the policy
//!                                              │
//! KeyCeiling ─────────────────ceiling──▶ CompiledCeiling        one key under that version; casbin is asked here
//!                                              │
//! GrantRequest, AudienceLimits ─decide──▶ Decision: Grant | Denial   plain look-ups, no I/O
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `name` | the names of roles, attributes, audiences and resources, parsed once |
//! | `roles` | roles and the shape of their inheritance |
//! | `attributes` | declarations, and the typed values that pass them |
//! | `text` | what texts from requests may consist of |
//! | `fault` | what can be wrong with a policy, and where in a document |
//! | `object` | JSON objects, and nothing else, as structs |
//! | `snapshot`, `ceiling` | a policy, and a key under it, compiled |
//! | `row_rules` | which rows of which tables a token may see, for databases to enforce |
//! | `decision` | requests, the checks, grants and reasons |
//! | `document` | a policy in files: YAML, JSON, casbin's CSV, what changed |
//! | `cases` | what a policy must grant and refuse, checked without a server |
//! | [`operations`] | which caller may do which operation of the API |
//! | `service`, `store` | decisions with the policy that is current; where it is kept |
//! | `casbin_engine` | the one place that names casbin |
//!
//! Everything fails closed. What is undeclared, missing, empty or not understood refuses, and so does an error of
//! casbin: [`CompileError`] and [`CeilingError`] never leave anything to decide with.

mod access;
mod attributes;
mod casbin_engine;
mod cases;
mod ceiling;
mod decision;
mod defaults;
mod document;
mod fault;
mod name;
mod object;
pub mod operations;
mod permissions;
mod roles;
mod row_rules;
mod service;
mod snapshot;
mod starter;
mod store;
#[cfg(test)]
mod testing;
mod text;

pub use access::{Access, AccessDenial, AccessReason, Bearer};
pub use attributes::{
    AttributeDeclaration, AttributeValue, DEFAULT_MAX_LENGTH, DeclarationFault, MAX_ALLOWED_VALUES,
    MAX_ITEMS, MAX_LENGTH, MAX_PATTERN_LENGTH, MAX_SAFE_INTEGER, Normalization, Scalar, ValueType,
};
pub use casbin_engine::EngineError;
pub use cases::{
    AccessCheck, CaseAudience, CaseReport, CaseUser, CasesFault, CasesReport, Difference,
    Expectation, ExpectedReason, ExpectedRows, ExpectedToken, PolicyCase, PolicyCases,
};
pub use ceiling::{CeilingError, CompiledCeiling};
pub use decision::{
    AudienceLimits, Decision, Denial, Effective, Explanation, Grant, GrantRequest, Hidden,
    MAX_REASONS, MAX_RESOURCE_ID_BYTES, MAX_RESOURCES, MAX_ROLES_PER_REQUEST, MAX_SUBJECT_BYTES,
    Outcome, Reason, ReasonCode, ReasonKind, Recorded, Replay, Resource, ScopeNotGranted, Step,
};
pub use document::{
    Change, CsvFault, CsvRuleFault, DocumentFault, MAX_DOCUMENT_BYTES, PolicyDiff, PolicyDocument,
    Position, positions_in_yaml,
};
pub use fault::{
    CompileError, FaultCode, MAX_ATTRIBUTES, MAX_AUDIENCES, MAX_DESCRIPTION, MAX_INHERITED,
    MAX_LINKS, MAX_PERMISSIONS, MAX_ROLES, PolicyFault,
};
pub use name::{AttributeName, AudienceName, Identifier, MAX_NAME_LENGTH, NameError, RoleName};
pub use operations::{
    Authorizer, NotPermitted, Operation, Permitted, PermittedAsker, PermittedPerson,
};
pub use permissions::{
    ActionPattern, Effect, PatternError, ResourceName, ResourcePattern, RolePermission,
};
pub use roles::{MAX_INHERITANCE_DEPTH, Role};
pub use row_rules::{
    AttributeKind, ColumnTest, CompiledRowRules, Condition, ConditionFault, ConditionFormError,
    FragmentStyle, IdentifierQuote, MAX_CONDITION_DEPTH, MAX_LITERAL_ITEMS, MAX_ROW_RULES,
    MAX_SQL_NAME_LENGTH, MAX_TESTS, Operator, Placeholder, RowRule, RowRuleDeclarations,
    RowRuleFault, SqlName, SqlNameError, SupersetClause, TableName, TokenClaims, WhereFragment,
    postgres_ddl, postgres_tables, superset_rls, where_fragment,
};
pub use service::{
    EditError, Edited, PartChange, PartName, PolicyError, PolicyPart, PolicyService, PolicyUse,
    compile_aside, first_policy,
};
pub use snapshot::PolicySnapshot;
pub use starter::starter_policy;
