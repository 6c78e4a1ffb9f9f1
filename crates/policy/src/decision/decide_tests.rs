//! What is granted, and each way to be refused.

use serde_json::{Value, json};

use super::*;
use crate::{
    PolicyDocument,
    snapshot::PolicySnapshot,
    testing::{
        LIMITS, ceiling_of, decide, granted, reasons, refused, request, role_from, snapshot,
    },
};

/// Roles `viewer` ← `editor` ← `admin`; every token needs `tenant_id`, every editor `regions`.
async fn policy() -> PolicySnapshot {
    let roles = vec![
        role_from(json!({
            "name": "viewer", "permissions": [{"resource": "dashboard", "action": "view"}],
        })),
        role_from(json!({
            "name": "editor", "inherits": ["viewer"], "required_attributes": ["regions"],
            "permissions": [{"resource": "dashboard", "action": "edit"}], "max_ttl_seconds": 1800,
        })),
        role_from(json!({"name": "admin", "inherits": ["editor"]})),
    ];
    let attributes = json!([
        {"name": "tenant_id", "type": "string", "required": true, "max_length": 8, "pattern": "t-[a-z0-9]+"},
        {"name": "regions", "type": "string", "list": true, "max_items": 2, "allowed_values": ["eu", "us"]},
        {"name": "level", "type": "integer"},
        {"name": "note", "type": "string"},
    ]);
    snapshot(roles, attributes).await
}

fn viewer() -> Value {
    json!({"user": {"id": "user-42", "roles": ["viewer"], "attributes": {"tenant_id": "t-1"}}})
}

/// The viewer's request with one part replaced.
fn viewer_with(pointer: &str, value: Value) -> Value {
    let mut body = viewer();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body
}

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

#[tokio::test]
async fn a_key_grants_nothing_beyond_its_ceiling() {
    let policy = policy().await;
    let ceiling = json!({
        "roles": ["editor"], "audiences": ["default"], "max_ttl_seconds": 60,
        "fixed_attributes": {"level": 3, "regions": ["eu"]},
    });
    granted(decide(&policy, ceiling.clone(), &viewer()).await);
    let table = [
        (
            "/user/roles",
            json!(["admin"]),
            "role_not_allowed /user/roles/0",
            ReasonKind::Forbidden,
        ),
        (
            "/audience",
            json!("analytics"),
            "audience_not_allowed /audience",
            ReasonKind::Forbidden,
        ),
        (
            "/user/attributes/level",
            json!(4),
            "attribute_fixed /user/attributes/level",
            ReasonKind::Forbidden,
        ),
        (
            "/user/attributes/regions",
            json!(["us"]),
            "attribute_fixed /user/attributes/regions",
            ReasonKind::Forbidden,
        ),
        (
            "/ttl_seconds",
            json!(61),
            "ttl_out_of_range /ttl_seconds",
            ReasonKind::Invalid,
        ),
    ];
    for (pointer, value, expected, kind) in table {
        let body = viewer_with(pointer, value);
        let denial = refused(decide(&policy, ceiling.clone(), &body).await);
        assert_eq!(
            (reasons(&denial), denial.kind()),
            (vec![expected.to_owned()], kind)
        );
    }
}

#[tokio::test]
async fn fixed_attributes_are_in_every_token_and_count_as_given() {
    let policy = policy().await;
    let ceiling = json!({"fixed_attributes": {"regions": ["eu"], "tenant_id": "t-1"}});
    for attributes in [json!({}), json!({"tenant_id": "t-1", "regions": ["eu"]})] {
        let body = json!({"user": {"roles": ["editor"], "attributes": attributes}});
        let grant = granted(decide(&policy, ceiling.clone(), &body).await);
        assert_eq!(
            serde_json::to_value(grant.attributes()).unwrap(),
            json!({"regions": ["eu"], "tenant_id": "t-1"})
        );
    }
}

#[tokio::test]
async fn a_key_grants_only_values_that_it_allows_and_never_none() {
    let policy = policy().await;
    let ceiling = json!({"allowed_attributes": {"regions": ["eu"], "tenant_id": ["t-1"]}});
    let table = [
        (json!({"tenant_id": "t-1", "regions": ["eu"]}), vec![]),
        (json!({"tenant_id": "t-1", "regions": ["eu", "eu"]}), vec![]),
        (
            json!({"tenant_id": "t-2", "regions": ["eu", "us"]}),
            vec![
                "attribute_beyond_key /user/attributes/regions/1",
                "attribute_beyond_key /user/attributes/tenant_id",
            ],
        ),
        (
            json!({"tenant_id": "t-1"}),
            vec!["missing_attribute /user/attributes/regions"],
        ),
        (
            json!({}),
            vec![
                "missing_attribute /user/attributes/regions",
                "missing_attribute /user/attributes/tenant_id",
            ],
        ),
    ];
    for (attributes, expected) in table {
        let body = json!({"user": {"roles": ["viewer"], "attributes": attributes}});
        match decide(&policy, ceiling.clone(), &body).await {
            Decision::Granted(_) => assert!(expected.is_empty(), "{attributes}"),
            Decision::Refused(denial) => assert_eq!(reasons(&denial), expected, "{attributes}"),
        }
    }
}

#[tokio::test]
async fn without_a_wish_the_lifetime_is_the_shortest_that_applies() {
    let policy = policy().await;
    let body = |roles: Value| {
        let attributes = json!({"tenant_id": "t-1", "regions": ["eu"]});
        json!({"user": {"roles": roles, "attributes": attributes}})
    };
    let limits = |default_ttl_seconds, max_ttl_seconds| AudienceLimits {
        default_ttl_seconds,
        max_ttl_seconds,
    };
    let table = [
        (json!({}), json!(["viewer"]), limits(900, 3600), 900),
        (json!({}), json!(["viewer"]), limits(900, 300), 300),
        (
            json!({}),
            json!(["viewer", "admin"]),
            limits(2000, 3600),
            1800,
        ),
        (
            json!({"max_ttl_seconds": 60}),
            json!(["admin"]),
            limits(900, 3600),
            60,
        ),
    ];
    for (ceiling, roles, limits, expected) in table {
        let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
        let decision = policy.decide(&ceiling, Some(&limits), request(&body(roles)));
        assert_eq!(granted(decision).ttl_seconds(), expected);
    }
    let ceiling = policy.ceiling(&ceiling_of(json!({}))).unwrap();
    let decision = policy.decide(&ceiling, Some(&limits(900, 0)), request(&viewer()));
    assert_eq!(
        reasons(&refused(decision)),
        ["policy_unusable /ttl_seconds"]
    );
}

#[tokio::test]
async fn an_explicit_lifetime_may_use_all_that_is_allowed_but_no_more() {
    let policy = policy().await;
    granted(
        decide(
            &policy,
            json!({}),
            &viewer_with("/ttl_seconds", json!(3600)),
        )
        .await,
    );
    let mut body = viewer_with("/user/roles", json!(["admin"]));
    body["user"]["attributes"]["regions"] = json!(["eu"]);
    body["ttl_seconds"] = json!(1801);
    let denial = refused(decide(&policy, json!({}), &body).await);
    assert_eq!(reasons(&denial), ["ttl_out_of_range /ttl_seconds"]);
    assert!(denial.reasons()[0].detail.contains("between 1 and 1800"));
}

#[tokio::test]
async fn every_reason_is_told_in_the_order_of_the_document() {
    let body = json!({
        "user": {
            "id": "", "roles": ["ghost", "editor", "admin", "editor"],
            "attributes": {"nope": 1, "regions": ["eu", ""], "level": 4},
        },
        "audience": "analytics", "ttl_seconds": 0,
        "resources": [{"type": "Dash", "id": ""}],
    });
    let ceiling =
        json!({"roles": ["editor"], "audiences": ["default"], "fixed_attributes": {"level": 3}});
    let denial = refused(decide(&policy().await, ceiling, &body).await);
    assert_eq!(
        reasons(&denial),
        [
            "invalid_subject /user/id",
            "unknown_role /user/roles/0",
            "role_not_allowed /user/roles/2",
            "duplicate_role /user/roles/3",
            "attribute_fixed /user/attributes/level",
            "undeclared_attribute /user/attributes/nope",
            "attribute_empty /user/attributes/regions/1",
            "missing_attribute /user/attributes/tenant_id",
            "audience_not_allowed /audience",
            "ttl_out_of_range /ttl_seconds",
            "invalid_resource /resources/0/type",
            "invalid_resource /resources/0/id",
        ]
    );
}

#[tokio::test]
async fn an_audience_the_organization_does_not_have_is_unknown() {
    let policy = policy().await;
    let ceiling = policy.ceiling(&ceiling_of(json!({}))).unwrap();
    for ttl_seconds in [Value::Null, json!(60)] {
        let body = viewer_with("/ttl_seconds", ttl_seconds);
        let denial = refused(policy.decide(&ceiling, None, request(&body)));
        assert_eq!(reasons(&denial), ["unknown_audience /audience"]);
    }
}

#[tokio::test]
async fn a_ceiling_of_another_policy_version_decides_nothing() {
    let policy = policy().await;
    let newer = PolicyDocument::default().compile(2).await.unwrap();
    let stale = newer.ceiling(&ceiling_of(json!({}))).unwrap();
    let denial = refused(policy.decide(&stale, Some(&LIMITS), request(&viewer())));
    assert_eq!(denial.kind(), ReasonKind::Internal);
    assert_eq!(reasons(&denial)[0], "policy_unusable ");
}

#[tokio::test]
async fn a_refusal_repeats_no_value_and_no_name_that_could_mislead() {
    let body = json!({
        "user": {
            "id": "secret\u{7}", "roles": ["Secret Role", "secret-role"],
            "attributes": {"tenant_id": "secret", "level": "secret", "note": "secret\u{7}"},
        },
        "audience": "Secret!", "resources": [{"type": "Secret", "id": "secret\u{7}"}],
    });
    let denial = refused(decide(&policy().await, json!({}), &body).await);
    for reason in denial.reasons() {
        let named = reason.pointer == "/user/roles/1";
        assert_eq!(
            reason.detail.to_lowercase().contains("secret"),
            named,
            "{reason:?}"
        );
    }
}
