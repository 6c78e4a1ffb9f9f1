//! What a grant tells of itself.

use serde_json::json;

use super::{policy, viewer, viewer_with};
use crate::{
    PolicyDocument,
    decision::{MAX_RESOURCES, MAX_ROLES_PER_REQUEST},
    testing::{decide, granted, role, snapshot},
};

#[tokio::test]
async fn a_request_of_the_largest_size_is_granted() {
    let names: Vec<_> = (0..MAX_ROLES_PER_REQUEST)
        .map(|index| format!("r{index}"))
        .collect();
    let roles = names.iter().map(|name| role(name, &[])).collect();
    let resources = vec![json!({"type": "dashboard", "id": "sales"}); MAX_RESOURCES];
    let body = json!({"user": {"roles": names}, "resources": resources});
    let grant = granted(decide(&snapshot(roles, json!([])).await, json!({}), &body).await);
    assert_eq!(grant.roles().len(), MAX_ROLES_PER_REQUEST);
    assert_eq!(grant.resources().len(), MAX_RESOURCES);
}

#[tokio::test]
async fn a_grant_tells_which_of_its_attributes_are_sensitive() {
    let attributes = json!([
        {"name": "email", "type": "string", "sensitive": true},
        {"name": "phone", "type": "string", "sensitive": true},
        {"name": "tenant_id", "type": "string"},
    ]);
    let policy = snapshot(vec![role("viewer", &[])], attributes).await;
    let body = viewer_with(
        "/user/attributes",
        json!({"tenant_id": "t-1", "email": "a@example.com"}),
    );
    let grant = granted(decide(&policy, json!({}), &body).await);
    let sensitive: Vec<_> = grant.sensitive().iter().map(ToString::to_string).collect();
    assert_eq!(sensitive, ["email"]);
}

#[tokio::test]
async fn a_grant_tells_which_version_of_the_policy_decided() {
    let document = PolicyDocument {
        roles: vec![role("viewer", &[])],
        ..PolicyDocument::default()
    };
    let policy = document.compile(7).await.unwrap();
    let body = viewer_with("/user/attributes", json!({}));
    let grant = granted(decide(&policy, json!({}), &body).await);
    assert_eq!(grant.policy_version(), 7);
}

#[tokio::test]
async fn a_printed_grant_names_no_subject_and_no_value() {
    let grant = granted(decide(&policy().await, json!({}), &viewer()).await);
    let printed = format!("{grant:?}");
    for told in ["viewer", "tenant_id", "default", "900"] {
        assert!(printed.contains(told), "{told}: {printed}");
    }
    for kept in ["user-42", "t-1"] {
        assert!(!printed.contains(kept), "{kept}: {printed}");
    }
}
