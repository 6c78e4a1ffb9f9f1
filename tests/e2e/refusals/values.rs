//! Attributes that no token may carry: of the wrong type, outside their declaration, restricting nothing.

use serde_json::json;

use super::requests::{Refused, attribute, roles, with};

pub(super) fn values_of_wrong_type() -> Vec<Refused> {
    vec![
        (
            attribute("planet", json!("mars")),
            "undeclared_attribute",
            "/user/attributes/planet",
        ),
        (
            attribute("__proto__", json!("x")),
            "undeclared_attribute",
            "/user/attributes/__proto__",
        ),
        (
            attribute("a/b~c", json!("x")),
            "undeclared_attribute",
            "/user/attributes/a~1b~0c",
        ),
        (
            with(|it| it["user"]["attributes"] = json!({})),
            "missing_attribute",
            "/user/attributes/tenant_id",
        ),
        (
            roles(json!(["auditor"])),
            "missing_attribute",
            "/user/attributes/since",
        ),
        (
            attribute("tenant_id", json!(7)),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!(["t-1"])),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!({ "eq": "t-1" })),
            "attribute_type",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("regions", json!("eu")),
            "attribute_type",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!(["eu", 7])),
            "attribute_type",
            "/user/attributes/regions/1",
        ),
        (
            attribute("level", json!(1.5)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!("1")),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!(9_007_199_254_740_992_i64)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("level", json!(true)),
            "attribute_type",
            "/user/attributes/level",
        ),
        (
            attribute("internal", json!("true")),
            "attribute_type",
            "/user/attributes/internal",
        ),
        (
            attribute("internal", json!(0)),
            "attribute_type",
            "/user/attributes/internal",
        ),
        (
            attribute("score", json!("0.1")),
            "attribute_type",
            "/user/attributes/score",
        ),
        (
            attribute("since", json!("2023-02-29")),
            "attribute_type",
            "/user/attributes/since",
        ),
        (
            attribute("since", json!("29.02.2024")),
            "attribute_type",
            "/user/attributes/since",
        ),
    ]
}

pub(super) fn values_outside_their_declaration() -> Vec<Refused> {
    vec![
        (
            attribute("plan", json!("enterprise")),
            "attribute_value_not_allowed",
            "/user/attributes/plan",
        ),
        (
            attribute("code", json!("ABC123")),
            "attribute_pattern",
            "/user/attributes/code",
        ),
        (
            attribute("tenant_id", json!("x".repeat(37))),
            "attribute_too_long",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("a\u{0}")),
            "attribute_characters",
            "/user/attributes/tenant_id",
        ),
    ]
}

/// Values that would restrict nothing.
pub(super) fn empty_values() -> Vec<Refused> {
    vec![
        (
            attribute("tenant_id", json!("\u{200b}")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!(null)),
            "attribute_null",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("tenant_id", json!("  \u{a0}")),
            "attribute_empty",
            "/user/attributes/tenant_id",
        ),
        (
            attribute("regions", json!(null)),
            "attribute_null",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!([])),
            "attribute_empty",
            "/user/attributes/regions",
        ),
        (
            attribute("regions", json!([""])),
            "attribute_empty",
            "/user/attributes/regions/0",
        ),
        (
            attribute("regions", json!(["eu", null])),
            "attribute_null",
            "/user/attributes/regions/1",
        ),
        (
            attribute("regions", json!(vec!["x"; 101])),
            "attribute_too_many_items",
            "/user/attributes/regions",
        ),
        (
            attribute("store_ids", json!([1, 2, 3, 4])),
            "attribute_too_many_items",
            "/user/attributes/store_ids",
        ),
    ]
}
