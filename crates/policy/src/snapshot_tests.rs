//! A policy compiled as a whole.

use serde_json::json;

use super::*;
use crate::{
    access::scope,
    attributes::DeclarationFault,
    testing::{attribute, decide, reasons, refused, role, role_from, snapshot},
};

#[tokio::test]
async fn a_role_includes_all_that_it_inherits() {
    let policy = snapshot(
        vec![
            role_from(json!({
                "name": "admin", "inherits": ["editor"], "max_ttl_seconds": 900,
                "permissions": [{"resource": "user", "action": "manage"}],
            })),
            role_from(json!({
                "name": "editor", "inherits": ["viewer"], "required_attributes": ["regions"],
                "permissions": [{"resource": "dashboard", "action": "edit"}],
            })),
            role_from(json!({
                "name": "viewer", "max_ttl_seconds": 300, "required_attributes": ["tenant_id"],
                "permissions": [{"resource": "dashboard", "action": "view"}],
            })),
        ],
        json!([
            {"name": "tenant_id", "type": "string"},
            {"name": "regions", "type": "string", "list": true},
        ]),
    )
    .await;
    let admin = policy.role("admin").unwrap();
    assert_eq!(
        scope(&[&admin.family]),
        ["dashboard:edit", "dashboard:view", "user:manage"]
    );
    let required: Vec<_> = admin
        .required_attributes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(required, ["regions", "tenant_id"]);
    assert_eq!(admin.max_ttl_seconds, Some(300));
    let viewer = policy.role("viewer").unwrap();
    assert_eq!(scope(&[&viewer.family]), ["dashboard:view"]);
}

#[tokio::test]
async fn a_value_is_told_as_tokens_carry_it_whether_it_is_allowed_or_not() {
    let policy = snapshot(
        vec![role("viewer", &[])],
        json!([
            {"name": "tenant", "type": "string", "normalize": ["trim", "case_fold"], "allowed_values": ["acme"]},
            {"name": "store", "type": "string", "normalize": ["uuid"]},
            {"name": "regions", "type": "string", "list": true, "pattern": "[a-z]+"},
            {"name": "level", "type": "integer"},
            {"name": "since", "type": "date"},
        ]),
    )
    .await;
    let store = "936DA01F9ABD4D9D80C702AF85C822A8";
    for (attribute, value, carried) in [
        ("tenant", json!(" ACME "), Some(json!("acme"))),
        ("tenant", json!("Globex"), Some(json!("globex"))),
        ("tenant", json!("  "), None),
        ("tenant", json!(1), None),
        (
            "store",
            json!(store),
            Some(json!("936da01f-9abd-4d9d-80c7-02af85c822a8")),
        ),
        ("store", json!("acme"), None),
        ("regions", json!("EU"), Some(json!("EU"))),
        ("regions", json!(["EU"]), None),
        ("level", json!(42), Some(json!(42))),
        ("level", json!("42"), None),
        ("since", json!("2026-01-31"), Some(json!("2026-01-31"))),
        ("since", json!("2026-02-31"), None),
        ("planet", json!("mars"), None),
    ] {
        assert_eq!(
            policy.as_carried(attribute, &value),
            carried,
            "{attribute} {value}"
        );
    }
}

#[tokio::test]
async fn a_wrong_policy_is_refused_with_all_its_faults() {
    let roles = vec![
        role("viewer", &[]),
        role("viewer", &[]),
        role("a", &["b"]),
        role("b", &["a"]),
        role("c", &["ghost"]),
        role_from(
            json!({"name": "d", "max_ttl_seconds": 0, "required_attributes": ["level", "nope"]}),
        ),
    ];
    let level = attribute(json!({"name": "level", "type": "integer", "pattern": "1"}));
    let size = attribute(json!({"name": "size", "type": "integer"}));
    let attributes = vec![level, size.clone(), size];
    let error = PolicyDocument {
        roles,
        attributes,
        ..PolicyDocument::default()
    }
    .compile(1)
    .await
    .unwrap_err();
    let CompileError::Faults(faults) = error else {
        panic!("{error}")
    };
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "attribute `level`: `pattern` is only possible for strings",
            "attribute `size` is declared twice",
            "role `viewer` is declared twice",
            "role `d` requires attribute `nope`, which is not declared",
            "role `d` has a `max_ttl_seconds` of 0; it must be at least 1",
            "role `c` inherits `ghost`, which is not declared",
            "role `a` is part of, or inherits from, a cycle of roles",
            "role `b` is part of, or inherits from, a cycle of roles",
        ]
    );
    assert!(matches!(
        &faults[..1],
        [PolicyFault::Attribute {
            fault: DeclarationFault::PatternNotForType,
            ..
        }]
    ));
}

#[tokio::test]
async fn an_empty_policy_compiles_and_allows_nothing() {
    let policy = snapshot(vec![], json!([])).await;
    assert_eq!(policy.role_names().count(), 0);
    let body = json!({"user": {"id": "user-42", "roles": ["viewer"]}});
    let denial = refused(decide(&policy, json!({}), &body).await);
    assert_eq!(reasons(&denial), ["unknown_role /user/roles/0"]);
}

/// A role that has so many permissions and inherits so many others.
fn large_role(permissions: usize, links: usize) -> Role {
    let permissions: Vec<_> = (0..permissions)
        .map(|index| json!({"resource": "dashboard", "action": format!("a{index}")}))
        .collect();
    let links: Vec<_> = (0..links).map(|index| format!("r{index}")).collect();
    role_from(json!({"name": "large", "permissions": permissions, "inherits": links}))
}

#[test]
fn a_policy_may_be_as_large_as_the_limits_but_no_larger() {
    let mut document = PolicyDocument {
        roles: vec![role("viewer", &[]); MAX_ROLES],
        attributes: vec![attribute(json!({"name": "a", "type": "string"})); MAX_ATTRIBUTES],
        ..PolicyDocument::default()
    };
    document.roles[0] = large_role(MAX_PERMISSIONS, MAX_LINKS);
    assert_eq!(size_faults(&document), []);
    for more in [1, 2] {
        let permissions = PolicyFault::TooManyPermissions {
            count: MAX_PERMISSIONS + more,
        };
        let links = PolicyFault::TooManyLinks {
            count: MAX_LINKS + more,
        };
        document.roles[1] = large_role(more, 0);
        assert_eq!(size_faults(&document), [permissions]);
        document.roles[1] = large_role(0, more);
        assert_eq!(size_faults(&document), [links]);
    }
    document.roles[1] = role("viewer", &[]);
    document.roles.push(role("viewer", &[]));
    document.attributes.push(document.attributes[0].clone());
    let roles = PolicyFault::TooManyRoles {
        count: MAX_ROLES + 1,
    };
    let attributes = PolicyFault::TooManyAttributes {
        count: MAX_ATTRIBUTES + 1,
    };
    assert_eq!(size_faults(&document), [roles, attributes]);
}

#[tokio::test]
async fn the_store_counts_the_versions() {
    let policy = snapshot(vec![], json!([])).await;
    assert_eq!(policy.with_version(7).version(), 7);
}

#[tokio::test]
async fn what_is_sensitive_or_not_declared_is_hidden() {
    let attributes = json!([
        {"name": "email", "type": "string", "sensitive": true},
        {"name": "tenant_id", "type": "string"},
    ]);
    let policy = snapshot(vec![], attributes).await;
    let names = ["email", "ghost", "tenant_id"].map(|name| AttributeName::parse(name).unwrap());
    let hidden = names.clone().map(|name| policy.is_sensitive(name.as_str()));
    assert_eq!(hidden, [true, true, false]);
    let hidden: Vec<_> = policy.sensitive_among(names.iter()).into_iter().collect();
    assert_eq!(hidden, names[..2]);
}

#[tokio::test]
async fn row_rules_are_part_of_the_policy() {
    let document: PolicyDocument = serde_json::from_value(json!({
        "roles": [{"name": "viewer"}],
        "attributes": [{"name": "tenant_id", "type": "string"}],
        "row_rules": [{
            "name": "own-tenant", "table": "orders", "roles": ["viewer"],
            "where": {"column": "tenant", "operator": "=", "attribute": "tenant_id"},
        }],
    }))
    .unwrap();
    let policy = document.compile(1).await.unwrap();
    let tables: Vec<_> = policy
        .row_rules()
        .tables()
        .map(ToString::to_string)
        .collect();
    assert_eq!(tables, ["orders"]);
}
