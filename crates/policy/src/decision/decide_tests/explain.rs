//! The rules that took part in a decision.

use serde_json::{Value, json};

use crate::{
    decision::{AudienceLimits, Outcome},
    snapshot::PolicySnapshot,
    testing::{LIMITS, ceiling_of, request, role_from, snapshot},
};
use Outcome::{Added, Allowed, Narrowed, Refused};

async fn policy() -> PolicySnapshot {
    let roles = vec![role_from(json!({
        "name": "viewer", "audiences": ["default"], "required_attributes": ["region"],
        "max_ttl_seconds": 900,
    }))];
    let attributes = json!([
        {"name": "tenant_id", "type": "string", "required": true, "requires": ["region"]},
        {"name": "region", "type": "string", "from_role": {"viewer": "eu"}},
        {"name": "level", "type": "integer"},
    ]);
    snapshot(roles, attributes).await
}

/// Each rule and what it did.
fn steps(
    policy: &PolicySnapshot,
    ceiling: Value,
    audience: Option<&AudienceLimits>,
    body: &Value,
) -> Vec<(String, Outcome)> {
    let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
    let explanation = policy.explain(&ceiling, audience, request(body));
    let steps = explanation.steps.into_iter();
    steps.map(|step| (step.rule, step.outcome)).collect()
}

fn named<const N: usize>(steps: [(&str, Outcome); N]) -> Vec<(String, Outcome)> {
    steps
        .map(|(rule, outcome)| (rule.to_owned(), outcome))
        .into()
}

fn viewer(attributes: &Value) -> Value {
    json!({"user": {"roles": ["viewer"], "attributes": attributes}})
}

#[tokio::test]
async fn every_rule_of_a_grant_is_told_in_the_order_in_which_it_was_asked() {
    let ceiling = json!({
        "fixed_attributes": {"level": 3}, "allowed_attributes": {"tenant_id": ["t-1"]},
    });
    let body = viewer(&json!({"tenant_id": "t-1"}));
    let found = steps(&policy().await, ceiling, Some(&LIMITS), &body);
    let expected = named([
        ("roles.viewer", Allowed),
        ("roles.viewer.audiences", Allowed),
        ("ceiling.fixed_attributes", Added),
        ("ceiling.allowed_attributes", Allowed),
        ("attributes.tenant_id", Allowed),
        ("attributes.region.from_role", Added),
        ("roles.viewer.required_attributes", Allowed),
        ("attributes.tenant_id.required", Allowed),
        ("attributes.tenant_id.requires", Allowed),
        ("ceiling.audiences", Allowed),
        ("audience.default_ttl_seconds", Added),
    ]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn every_rule_against_a_grant_is_told() {
    let body = json!({
        "user": {"id": "", "roles": ["ghost"], "attributes": {"level": "x", "nope": 1}},
        "ttl_seconds": 61,
    });
    let ceiling = json!({"max_ttl_seconds": 60});
    let found = steps(&policy().await, ceiling, None, &body);
    let expected = named([
        ("request", Refused),
        ("policy", Refused),
        ("attributes.level", Refused),
        ("policy", Refused),
        ("attributes.tenant_id.required", Refused),
        ("audience", Refused),
        ("ceiling.max_ttl_seconds", Refused),
    ]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_role_adds_only_what_neither_key_nor_request_says() {
    let policy = policy().await;
    let by_role = ("attributes.region.from_role".to_owned(), Added);
    let fixed = json!({"fixed_attributes": {"region": "us"}});
    let table = [
        (json!({}), json!({}), true),
        (json!({}), json!({"region": "us"}), false),
        (json!({}), json!({"region": 1}), false),
        (fixed.clone(), json!({}), false),
        (fixed, json!({"region": "us"}), false),
    ];
    for (ceiling, attributes, expected) in table {
        let asked = format!("{ceiling} {attributes}");
        let found = steps(&policy, ceiling, Some(&LIMITS), &viewer(&attributes));
        assert_eq!(found.contains(&by_role), expected, "{asked}");
    }
}

#[tokio::test]
async fn only_a_shorter_limit_narrows_the_usual_lifetime() {
    let policy = policy().await;
    let table = [
        (json!({}), "audience.default_ttl_seconds", Added),
        (
            json!({"max_ttl_seconds": 900}),
            "audience.default_ttl_seconds",
            Added,
        ),
        (
            json!({"max_ttl_seconds": 899}),
            "ceiling.max_ttl_seconds",
            Narrowed,
        ),
    ];
    for (ceiling, rule, outcome) in table {
        let body = viewer(&json!({"tenant_id": "t-1"}));
        let found = steps(&policy, ceiling, Some(&LIMITS), &body);
        assert_eq!(found.last(), Some(&(rule.to_owned(), outcome)));
    }
}
