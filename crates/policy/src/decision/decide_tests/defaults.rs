//! Attributes that the roles give.

use serde_json::{Value, json};

use crate::{
    decision::Decision,
    snapshot::PolicySnapshot,
    testing::{decide, reasons, role, snapshot},
};

/// Three roles that give regions, of which a token has two at most; two of them give different tenants.
async fn policy() -> PolicySnapshot {
    let roles = ["asia", "eu", "us"].map(|name| role(name, &[]));
    let attributes = json!([
        {"name": "regions", "type": "string", "list": true, "max_items": 2,
         "from_role": {"asia": ["asia"], "eu": ["eu"], "us": ["us"]}},
        {"name": "tenant_id", "type": "string", "from_role": {"eu": "t-1", "us": "t-2"}},
    ]);
    snapshot(roles.into(), attributes).await
}

/// The roles, the requested attributes, the key's ceiling; and the token's attributes, or the reasons against it.
type Case = (Value, Value, Value, Result<Value, Vec<&'static str>>);

async fn assert_decided(cases: impl IntoIterator<Item = Case>) {
    let policy = policy().await;
    for (roles, attributes, ceiling, expected) in cases {
        let asked = format!("{roles} {attributes} {ceiling}");
        let body = json!({"user": {"roles": roles, "attributes": attributes}});
        let found = match decide(&policy, ceiling, &body).await {
            Decision::Granted(grant) => Ok(serde_json::to_value(grant.attributes()).unwrap()),
            Decision::Refused(denial) => Err(reasons(&denial)),
        };
        let expected = expected.map_err(|codes| codes.iter().map(ToString::to_string).collect());
        assert_eq!(found, expected, "{asked}");
    }
}

#[tokio::test]
async fn what_roles_give_is_granted_where_neither_key_nor_request_says() {
    assert_decided([
        (
            json!(["eu"]),
            json!({}),
            json!({}),
            Ok(json!({"regions": ["eu"], "tenant_id": "t-1"})),
        ),
        (
            json!(["asia", "us"]),
            json!({}),
            json!({}),
            Ok(json!({"regions": ["asia", "us"], "tenant_id": "t-2"})),
        ),
        (
            json!(["eu"]),
            json!({"regions": ["us"]}),
            json!({}),
            Ok(json!({"regions": ["us"], "tenant_id": "t-1"})),
        ),
        (
            json!(["eu"]),
            json!({}),
            json!({"fixed_attributes": {"tenant_id": "t-9"}}),
            Ok(json!({"regions": ["eu"], "tenant_id": "t-9"})),
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_roles_give_is_held_to_declaration_and_key() {
    let tenant = json!({"tenant_id": "t-1"});
    let only_eu = json!({"allowed_attributes": {"regions": ["eu"]}});
    assert_decided([
        (
            json!(["asia", "eu", "us"]),
            tenant.clone(),
            json!({}),
            Err(vec!["attribute_too_many_items /user/attributes/regions"]),
        ),
        (
            json!(["eu", "us"]),
            json!({}),
            json!({}),
            Err(vec!["attribute_ambiguous /user/attributes/tenant_id"]),
        ),
        (
            json!(["eu"]),
            tenant.clone(),
            only_eu.clone(),
            Ok(json!({"regions": ["eu"], "tenant_id": "t-1"})),
        ),
        (
            json!(["eu", "us"]),
            tenant,
            only_eu,
            Err(vec![
                "attribute_beyond_key /user/attributes/regions/1",
                "missing_attribute /user/attributes/regions",
            ]),
        ),
    ])
    .await;
}
