//! What a key may grant.

use serde_json::json;

use super::{policy, viewer, viewer_with};
use crate::{
    decision::{Decision, ReasonKind},
    testing::{decide, granted, reasons, refused},
};

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
