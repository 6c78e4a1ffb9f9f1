//! How long a token lives.

use serde_json::{Value, json};

use super::{policy, viewer, viewer_with};
use crate::{
    decision::AudienceLimits,
    testing::{ceiling_of, decide, granted, reasons, refused, request},
};

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
