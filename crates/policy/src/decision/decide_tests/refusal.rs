//! Refusals as a whole: all their reasons, and what they do not tell.

use serde_json::{Value, json};

use super::{policy, viewer, viewer_with};
use crate::{
    PolicyDocument,
    decision::ReasonKind,
    testing::{LIMITS, ceiling_of, decide, reasons, refused, request},
};

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
