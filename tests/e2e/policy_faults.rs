//! Policies that must not be: each fault has its code and its place, and nothing changes.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::policy::{put, show};
use crate::support::on_both_engines;

/// What is sent, and of each fault the code and the place.
type Wrong = (Value, Vec<(&'static str, &'static str)>);

fn roles(roles: Value) -> Value {
    let mut policy = json!({});
    policy["roles"] = roles;
    policy
}

fn attributes(attributes: Value) -> Value {
    let mut policy = json!({ "roles": [{ "name": "viewer" }] });
    policy["attributes"] = attributes;
    policy
}

fn rule(rule: Value) -> Value {
    let mut whole = json!({
        "name": "r", "table": "t", "roles": ["viewer"], "where": { "column": "c", "operator": "is null" },
    });
    let Value::Object(fields) = rule else {
        panic!("{rule}");
    };
    for (field, value) in fields {
        whole[field] = value;
    }
    json!({ "roles": [{ "name": "viewer" }], "row_rules": [whole] })
}

fn wrong_roles() -> Vec<Wrong> {
    vec![
        (roles(json!([{ "name": "a" }, { "name": "a" }])), vec![("duplicate_name", "/roles/1/name")]),
        (roles(json!([{ "name": "b" }, { "name": "a", "inherits": ["c"] }])), vec![("unknown_role", "/roles/1/inherits")]),
        (
            roles(json!([{ "name": "b", "inherits": ["a"] }, { "name": "a", "inherits": ["b"] }])),
            vec![("inheritance_cycle", "/roles/1/inherits"), ("inheritance_cycle", "/roles/0/inherits")],
        ),
        (
            roles(json!([{ "name": "a", "description": "x\u{7}", "default_ttl_seconds": 0, "required_attributes": ["b"] }])),
            vec![
                ("undeclared_attribute", "/roles/0/required_attributes"),
                ("out_of_range", "/roles/0/default_ttl_seconds"),
                ("invalid_text", "/roles/0/description"),
            ],
        ),
        (roles(json!([{ "name": "a", "description": "x".repeat(1_001) }])), vec![("invalid_text", "/roles/0/description")]),
        (roles(json!([{ "name": "a", "audiences": [] }])), vec![("empty_list", "/roles/0/audiences")]),
        (roles((0..=9).map(|index| json!({ "name": format!("r{index}"), "inherits": [format!("r{}", index + 1)] })).chain([json!({ "name": "r10" })]).collect()),
            vec![("inheritance_too_deep", "/roles/0/inherits")]),
        (roles((0..=10_000).map(|index| json!({ "name": format!("r{index}") })).collect()), vec![("too_many", "/roles")]),
    ]
}

fn wrong_attributes() -> Vec<Wrong> {
    vec![
        (
            attributes(json!([{ "name": "a", "type": "string", "pattern": "a\u{0}" }])),
            vec![("invalid_pattern", "/attributes/0/pattern")],
        ),
        (
            attributes(
                json!([{ "name": "a", "type": "string", "allowed_values": ["x", "a\u{0}"] }]),
            ),
            vec![("unusable_value", "/attributes/0/allowed_values/1")],
        ),
        (
            attributes(json!([{ "name": "a", "type": "date", "allowed_values": ["a\u{0}"] }])),
            vec![("unusable_value", "/attributes/0/allowed_values/0")],
        ),
        (
            attributes(
                json!([{ "name": "a", "type": "string", "from_role": { "viewer": "\u{0}" } }]),
            ),
            vec![("unusable_value", "/attributes/0/from_role/viewer")],
        ),
        (
            attributes(json!([{ "name": "a", "type": "string", "description": "\u{0}" }])),
            vec![("invalid_text", "/attributes/0/description")],
        ),
        (
            attributes(json!([{ "name": "a", "type": "integer", "normalize": ["trim"] }])),
            vec![("not_for_type", "/attributes/0/normalize")],
        ),
        (
            attributes(
                json!([{ "name": "a", "type": "string", "sensitive": true, "from_role": { "viewer": "x" } }]),
            ),
            vec![("sensitive_value", "/attributes/0/from_role")],
        ),
        (
            attributes(json!([{ "name": "a", "type": "string", "from_role": { "ghost": "x" } }])),
            vec![("unknown_role", "/attributes/0/from_role/ghost")],
        ),
        (
            attributes(
                json!([{ "name": "a", "type": "string", "max_length": 0, "max_items": 101, "allowed_values": [] }]),
            ),
            vec![
                ("out_of_range", "/attributes/0/max_length"),
                ("out_of_range", "/attributes/0/max_items"),
                ("empty_list", "/attributes/0/allowed_values"),
            ],
        ),
        (
            json!({
                "roles": [{ "name": "b" }, { "name": "c" }, { "name": "a", "inherits": ["b", "c"] }],
                "attributes": [{ "name": "x", "type": "string", "from_role": { "b": "1", "c": "2" } }],
            }),
            vec![("ambiguous_default", "/attributes/0/from_role")],
        ),
    ]
}

fn wrong_row_rules() -> Vec<Wrong> {
    vec![
        (
            rule(json!({ "table": "t\u{0}" })),
            vec![("invalid_table", "/row_rules/0/table")],
        ),
        (
            rule(json!({ "schema": "s\u{0}" })),
            vec![("invalid_table", "/row_rules/0/table")],
        ),
        (
            rule(json!({ "roles": [] })),
            vec![("empty_list", "/row_rules/0/roles")],
        ),
        (
            rule(json!({ "roles": ["ghost"] })),
            vec![("unknown_role", "/row_rules/0/roles")],
        ),
        (
            rule(json!({ "where": { "column": "c\u{0}", "operator": "is null" } })),
            vec![("invalid_condition", "/row_rules/0/where")],
        ),
        (
            rule(
                json!({ "where": { "any": [{ "column": "c", "operator": "=", "value": "\u{0}" }, { "all": [] }] } }),
            ),
            vec![
                ("invalid_condition", "/row_rules/0/where/any/0"),
                ("invalid_condition", "/row_rules/0/where/any/1/all"),
            ],
        ),
    ]
}

#[tokio::test]
async fn a_wrong_policy_is_told_every_fault_and_its_place() {
    on_both_engines(|app| async move {
        let before = show(&app).await;
        for (body, expected) in [wrong_roles(), wrong_attributes(), wrong_row_rules()].concat() {
            let answer = put(&app, body).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_policy");
            let errors = problem["errors"].as_array().unwrap();
            let found: Vec<_> = errors
                .iter()
                .map(|it| {
                    (
                        it["code"].as_str().unwrap(),
                        it["pointer"].as_str().unwrap(),
                    )
                })
                .collect();
            assert_eq!(found, expected, "{problem}");
            assert!(
                errors
                    .iter()
                    .all(|it| it["detail"].as_str().unwrap().ends_with('.')),
                "{problem}"
            );
        }
        let after = show(&app).await;
        assert_eq!(
            (after.header("etag"), &after.text),
            (before.header("etag"), &before.text)
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_no_policy_is_told_where_it_is_none() {
    on_both_engines(|app| async move {
        for (body, code, pointer, detail) in [
            (json!([]), "invalid_field", "", "not an object"),
            (json!({ "rules": [] }), "unknown_field", "/rules", "no such field"),
            (json!({ "roles": {} }), "invalid_field", "/roles", "not a list"),
            (roles(json!([["viewer"]])), "invalid_field", "/roles/0", "not an object"),
            (roles(json!([{ "name": "a\u{0}" }])), "invalid_field", "/roles/0/name", "a role name must be"),
            (
                roles(json!([{ "name": "a", "permissions": [{ "resource": "d/\u{0}", "action": "view" }] }])),
                "invalid_field", "/roles/0/permissions/0/resource", "a pattern of resources is",
            ),
            (
                roles(json!([{ "name": "a", "permissions": [{ "resource": "d", "action": "v", "effect": "Deny" }] }])),
                "invalid_field", "/roles/0/permissions/0/effect", "`allow` or `deny`",
            ),
            (attributes(json!([{ "name": "sub", "type": "string" }])), "invalid_field", "/attributes/0/name", "reserved"),
            (rule(json!({ "where": {} })), "invalid_field", "/row_rules/0/where", "a condition has"),
            (rule(json!({ "where": ["c", "is null"] })), "invalid_field", "/row_rules/0/where", "not an object"),
        ] {
            let answer = put(&app, body).await;
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        }
    })
    .await;
}
