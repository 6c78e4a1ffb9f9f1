//! A request part by part: what passes, and where a wrong one stands.

use serde_json::{Value, json};

use super::{policy, viewer_with};
use crate::{
    decision::MAX_RESOURCES,
    testing::{decide, granted, reasons, refused},
};

#[tokio::test]
async fn a_request_within_all_limits_is_granted_as_it_is() {
    let body = json!({
        "user": {
            "id": "user-42", "roles": ["viewer", "admin"],
            "attributes": {"tenant_id": "t-1", "regions": ["us", "eu"], "level": 3},
        },
        "audience": "analytics", "ttl_seconds": 600,
        "resources": [{"type": "dashboard", "id": "Sales 2026/é"}],
    });
    let grant = granted(decide(&policy().await, json!({}), &body).await);
    assert_eq!(grant.subject(), "user-42");
    let roles: Vec<_> = grant.roles().iter().map(ToString::to_string).collect();
    assert_eq!(roles, ["viewer", "admin"]);
    assert_eq!(grant.scope(), ["dashboard:edit", "dashboard:view"]);
    assert_eq!(
        serde_json::to_value(grant.attributes()).unwrap(),
        body["user"]["attributes"]
    );
    assert_eq!(
        serde_json::to_value(grant.resources()).unwrap(),
        body["resources"]
    );
    assert_eq!(
        (grant.audience().as_str(), grant.ttl_seconds()),
        ("analytics", 600)
    );
    assert_eq!(grant.policy_version(), 1);
}

/// The viewer's request, with the part at the pointer replaced, is refused for this one reason.
async fn assert_refused<const N: usize>(table: [(&str, Value, &str); N]) {
    let policy = policy().await;
    for (pointer, value, expected) in table {
        let denial = refused(decide(&policy, json!({}), &viewer_with(pointer, value)).await);
        assert_eq!(reasons(&denial), [expected]);
    }
}

#[tokio::test]
async fn a_wrong_user_or_role_is_refused_where_it_stands() {
    let roles = "/user/roles";
    assert_refused([
        ("/user/id", json!(""), "invalid_subject /user/id"),
        ("/user/id", json!(" "), "invalid_subject /user/id"),
        (
            "/user/id",
            json!("é".repeat(128)),
            "invalid_subject /user/id",
        ),
        ("/user/id", json!("user\n42"), "invalid_subject /user/id"),
        (roles, json!([]), "roles_empty /user/roles"),
        (
            roles,
            json!(["viewer", "ghost"]),
            "unknown_role /user/roles/1",
        ),
        (roles, json!(["Viewer"]), "unknown_role /user/roles/0"),
        (
            roles,
            json!(["viewer", "viewer"]),
            "duplicate_role /user/roles/1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_token_without_its_row_filter_is_refused() {
    let tenant = "/user/attributes/tenant_id";
    let regions = "/user/attributes/regions";
    assert_refused([
        (
            "/user/attributes",
            json!({}),
            "missing_attribute /user/attributes/tenant_id",
        ),
        (
            "/user/roles",
            json!(["editor"]),
            "missing_attribute /user/attributes/regions",
        ),
        (
            "/user/roles",
            json!(["admin"]),
            "missing_attribute /user/attributes/regions",
        ),
        (
            tenant,
            json!(null),
            "attribute_null /user/attributes/tenant_id",
        ),
        (
            tenant,
            json!(""),
            "attribute_empty /user/attributes/tenant_id",
        ),
        (
            regions,
            json!(null),
            "attribute_null /user/attributes/regions",
        ),
        (
            regions,
            json!([]),
            "attribute_empty /user/attributes/regions",
        ),
        (
            regions,
            json!([""]),
            "attribute_empty /user/attributes/regions/0",
        ),
        (
            regions,
            json!([null]),
            "attribute_null /user/attributes/regions/0",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_wrong_attribute_is_refused_where_it_stands() {
    let tenant = "/user/attributes/tenant_id";
    let regions = "/user/attributes/regions";
    let [ghost, claim] = ["/user/attributes/ghost", "/user/attributes/sub"];
    assert_refused([
        (
            ghost,
            json!("x"),
            "undeclared_attribute /user/attributes/ghost",
        ),
        (
            claim,
            json!("x"),
            "undeclared_attribute /user/attributes/sub",
        ),
        (
            "/user/attributes",
            json!({"tenant_id": "t-1", "a/~": 1}),
            "undeclared_attribute /user/attributes/a~1~0",
        ),
        (
            tenant,
            json!(1),
            "attribute_type /user/attributes/tenant_id",
        ),
        (
            tenant,
            json!("x"),
            "attribute_pattern /user/attributes/tenant_id",
        ),
        (
            tenant,
            json!("t-1234567"),
            "attribute_too_long /user/attributes/tenant_id",
        ),
        (
            "/user/attributes/note",
            json!("a\0"),
            "attribute_characters /user/attributes/note",
        ),
        (
            "/user/attributes/level",
            json!(1.0),
            "attribute_type /user/attributes/level",
        ),
        (
            regions,
            json!("eu"),
            "attribute_type /user/attributes/regions",
        ),
        (
            regions,
            json!(["asia"]),
            "attribute_value_not_allowed /user/attributes/regions/0",
        ),
        (
            regions,
            json!(["eu", "us", "eu"]),
            "attribute_too_many_items /user/attributes/regions",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_wrong_audience_lifetime_or_resource_is_refused_where_it_stands() {
    let resource = |kind: &str, id: &str| json!({"type": kind, "id": id});
    let many = vec![resource("dashboard", "sales"); MAX_RESOURCES + 1];
    assert_refused([
        (
            "/audience",
            json!("Not A Name"),
            "unknown_audience /audience",
        ),
        ("/ttl_seconds", json!(0), "ttl_out_of_range /ttl_seconds"),
        ("/ttl_seconds", json!(-1), "ttl_out_of_range /ttl_seconds"),
        ("/ttl_seconds", json!(3601), "ttl_out_of_range /ttl_seconds"),
        (
            "/ttl_seconds",
            json!(i64::MAX),
            "ttl_out_of_range /ttl_seconds",
        ),
        ("/resources", json!(many), "too_many_resources /resources"),
        (
            "/resources",
            json!([resource("A", "b")]),
            "invalid_resource /resources/0/type",
        ),
        (
            "/resources",
            json!([resource("a", "")]),
            "invalid_resource /resources/0/id",
        ),
        (
            "/resources",
            json!([resource("a", "b\u{7f}")]),
            "invalid_resource /resources/0/id",
        ),
    ])
    .await;
}

#[tokio::test]
async fn roles_beyond_the_fiftieth_are_counted_not_examined() {
    let roles: Vec<_> = (0..51).map(|index| format!("r{index}")).collect();
    let body = viewer_with("/user/roles", json!(roles));
    let denial = refused(decide(&policy().await, json!({}), &body).await);
    assert_eq!(denial.reasons().len(), 51);
    assert_eq!(
        reasons(&denial)[..2],
        ["too_many_roles /user/roles", "unknown_role /user/roles/0"]
    );
}
