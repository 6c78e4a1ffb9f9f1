//! Policies for tests, written as short as they are read.

use key_admin::KeyCeiling;
use serde_json::{Value, json};

use crate::{
    PolicyDocument,
    attributes::AttributeDeclaration,
    decision::{AudienceLimits, Decision, Denial, Grant, GrantRequest},
    name::RoleName,
    roles::Role,
    snapshot::PolicySnapshot,
};

pub(crate) fn role_name(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}

pub(crate) fn role(name: &str, inherits: &[&str]) -> Role {
    role_from(json!({"name": name, "inherits": inherits}))
}

pub(crate) fn role_from(json: Value) -> Role {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn attribute(json: Value) -> AttributeDeclaration {
    serde_json::from_value(json).unwrap()
}

pub(crate) fn ceiling_of(json: Value) -> KeyCeiling {
    serde_json::from_value(json).unwrap()
}

/// Version 1 of a policy; `attributes` is a JSON list of declarations.
pub(crate) async fn snapshot(roles: Vec<Role>, attributes: Value) -> PolicySnapshot {
    let attributes = serde_json::from_value(attributes).unwrap();
    let document = PolicyDocument {
        roles,
        attributes,
        ..PolicyDocument::default()
    };
    document.compile(1).await.unwrap()
}

/// The lifetimes of the audience that tests issue for.
pub(crate) const LIMITS: AudienceLimits = AudienceLimits {
    default_ttl_seconds: 900,
    max_ttl_seconds: 3600,
};

/// A request from a body of `POST /v1/session-tokens`; what it leaves out is empty, the audience `default`.
pub(crate) fn request(body: &Value) -> GrantRequest {
    let read = |pointer: &str, absent: Value| body.pointer(pointer).cloned().unwrap_or(absent);
    GrantRequest {
        subject: serde_json::from_value(read("/user/id", json!("user-42"))).unwrap(),
        roles: serde_json::from_value(read("/user/roles", json!([]))).unwrap(),
        attributes: serde_json::from_value(read("/user/attributes", json!({}))).unwrap(),
        audience: serde_json::from_value(read("/audience", json!("default"))).unwrap(),
        ttl_seconds: serde_json::from_value(read("/ttl_seconds", Value::Null)).unwrap(),
        resources: serde_json::from_value(read("/resources", json!([]))).unwrap(),
    }
}

/// Decides `body` for a key with this ceiling and an audience with [`LIMITS`].
pub(crate) async fn decide(policy: &PolicySnapshot, ceiling: Value, body: &Value) -> Decision {
    let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
    policy.decide(&ceiling, Some(&LIMITS), request(body))
}

pub(crate) fn granted(decision: Decision) -> Grant {
    match decision {
        Decision::Granted(grant) => grant,
        Decision::Refused(denial) => panic!("refused: {denial:?}"),
    }
}

pub(crate) fn refused(decision: Decision) -> Denial {
    match decision {
        Decision::Granted(grant) => panic!("granted: {grant:?}"),
        Decision::Refused(denial) => denial,
    }
}

/// Each reason as `code at pointer`.
pub(crate) fn reasons(denial: &Denial) -> Vec<String> {
    denial
        .reasons()
        .iter()
        .map(|reason| format!("{} {}", reason.code, reason.pointer))
        .collect()
}
