//! Rules for tests, and the tests that need more than one module.

mod cases;
mod compile;
mod documentation;
mod helpers;
mod naive;
mod postgres;
mod property;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    AttributeKind, CompiledRowRules, RowRule, RowRuleDeclarations, TableName, TokenClaims,
};
use crate::{
    name::{AttributeName, RoleName},
    testing::role_name,
};

/// Attributes of every type, single and list; roles `viewer`, `editor` (inherits `viewer`), `auditor`.
fn declarations() -> RowRuleDeclarations {
    let kinds = json!({
        "tenant_id": ["string", false], "regions": ["string", true],
        "level": ["integer", false], "levels": ["integer", true],
        "score": ["number", false], "scores": ["number", true],
        "active": ["boolean", false], "flags": ["boolean", true],
        "since": ["date", false], "days": ["date", true],
    });
    let kinds: BTreeMap<AttributeName, (crate::ValueType, bool)> =
        serde_json::from_value(kinds).unwrap();
    let roles: BTreeMap<RoleName, BTreeSet<RoleName>> = serde_json::from_value(json!({
        "viewer": ["viewer", "editor"], "editor": ["editor"], "auditor": ["auditor"],
    }))
    .unwrap();
    RowRuleDeclarations {
        attributes: kinds
            .into_iter()
            .map(|(name, (value_type, list))| (name, AttributeKind { value_type, list }))
            .collect(),
        roles,
    }
}

fn rules(json: Value) -> Vec<RowRule> {
    serde_json::from_value(json).unwrap()
}

fn compiled(json: Value) -> CompiledRowRules {
    CompiledRowRules::compile(&rules(json), &declarations()).unwrap()
}

/// One rule `r` for `viewer` on table `orders`.
fn rule(condition: Value) -> Value {
    let mut rules = json!([{"name": "r", "table": "orders", "roles": ["viewer"]}]);
    rules[0]["where"] = condition;
    rules
}

fn orders() -> TableName {
    TableName::parse(None, "orders").unwrap()
}

fn viewer(attributes: Value) -> TokenClaims {
    let mut payload = json!({"roles": ["viewer"]});
    payload["attributes"] = attributes;
    TokenClaims::from_json(&payload)
}

#[test]
fn the_declarations_of_these_tests_hold_what_they_say() {
    let declarations = declarations();
    assert_eq!(declarations.attributes.len(), 10);
    assert!(declarations.roles[&role_name("viewer")].contains("editor"));
}
