//! Recorded requests, of which not every value is known.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::policy;
use crate::{
    decision::{Hidden, Recorded, Replay},
    snapshot::PolicySnapshot,
    testing::{LIMITS, ceiling_of, reasons, request, role, snapshot},
};

/// What becomes of a viewer's request with one value that is not known.
fn replayed(policy: &PolicySnapshot, ceiling: Value, name: &str, hidden: Hidden) -> Replay {
    let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
    let body = json!({"user": {"roles": ["viewer"], "attributes": {"tenant_id": "t-1"}}});
    let recorded = Recorded {
        request: request(&body),
        hidden: BTreeMap::from([(name.to_owned(), hidden)]),
    };
    policy.replay(&ceiling, Some(&LIMITS), &recorded)
}

#[tokio::test]
async fn a_hidden_value_is_refused_where_no_value_like_it_is_granted() {
    let policy = policy().await;
    let fixed = json!({"fixed_attributes": {"level": 3}});
    let allowed = json!({"allowed_attributes": {"level": [3]}});
    let table = [
        (json!({}), "level", Hidden::Other, None),
        (json!({}), "level", Hidden::Unknown, None),
        (fixed.clone(), "note", Hidden::Other, None),
        (fixed.clone(), "level", Hidden::Unknown, None),
        (
            fixed,
            "level",
            Hidden::Other,
            Some("attribute_fixed /user/attributes/level"),
        ),
        (allowed.clone(), "level", Hidden::Unknown, None),
        (
            allowed,
            "level",
            Hidden::Other,
            Some("attribute_beyond_key /user/attributes/level"),
        ),
        (
            json!({}),
            "ghost",
            Hidden::Unknown,
            Some("undeclared_attribute /user/attributes/ghost"),
        ),
    ];
    for (ceiling, name, hidden, expected) in table {
        let asked = format!("{ceiling} {name} {hidden:?}");
        let found = match replayed(&policy, ceiling, name, hidden) {
            Replay::Granted { .. } => vec![],
            Replay::Refused(denial) => reasons(&denial),
        };
        assert_eq!(found, Vec::from_iter(expected), "{asked}");
    }
}

#[tokio::test]
async fn a_hidden_value_takes_the_place_of_what_a_role_gives() {
    let attributes = json!([
        {"name": "tenant_id", "type": "string"},
        {"name": "region", "type": "string", "from_role": {"viewer": "eu"}},
    ]);
    let policy = snapshot(vec![role("viewer", &[])], attributes).await;
    for (hidden, expected) in [
        ("region", json!({"tenant_id": "t-1"})),
        ("tenant_id", json!({"tenant_id": "t-1", "region": "eu"})),
    ] {
        let Replay::Granted { attributes, .. } =
            replayed(&policy, json!({}), hidden, Hidden::Unknown)
        else {
            panic!("refused: {hidden}");
        };
        assert_eq!(serde_json::to_value(attributes).unwrap(), expected);
    }
}

#[tokio::test]
async fn roles_and_key_give_what_no_request_names() {
    let attributes = json!([
        {"name": "level", "type": "integer"},
        {"name": "region", "type": "string", "from_role": {"editor": "us", "viewer": "eu"}},
    ]);
    let roles = vec![role("editor", &[]), role("viewer", &[])];
    let policy = snapshot(roles, attributes).await;
    let level = json!({"fixed_attributes": {"level": 3}});
    let region = json!({"fixed_attributes": {"region": "asia"}});
    let table = [
        (json!({}), vec!["viewer"], json!({"region": "eu"})),
        (json!({}), vec!["viewer", "editor"], json!({})),
        (json!({}), vec!["ghost"], json!({})),
        (level, vec!["editor"], json!({"level": 3, "region": "us"})),
        (region, vec!["viewer"], json!({"region": "asia"})),
    ];
    for (ceiling, roles, expected) in table {
        let ceiling = policy.ceiling(&ceiling_of(ceiling)).unwrap();
        let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
        let given = policy.given(&ceiling, &names);
        assert_eq!(serde_json::to_value(given).unwrap(), expected, "{roles:?}");
    }
}

#[tokio::test]
async fn policies_judge_alike_what_both_declare_alike() {
    let one = json!([
        {"name": "a", "type": "string"},
        {"name": "b", "type": "string"},
        {"name": "c", "type": "string", "allowed_values": ["x"]},
    ]);
    let other = json!([
        {"name": "a", "type": "string", "required": true},
        {"name": "b", "type": "integer"},
    ]);
    let (one, other) = (snapshot(vec![], one).await, snapshot(vec![], other).await);
    for (name, expected) in [("a", true), ("b", false), ("c", false), ("ghost", false)] {
        assert_eq!(one.judges_alike(&other, name), expected, "{name}");
        assert_eq!(other.judges_alike(&one, name), expected, "{name}");
    }
    assert_eq!(one.named_values("c").len(), 1);
    assert_eq!(one.named_values("c")[0].to_json(), json!("x"));
    for name in ["a", "ghost"] {
        assert_eq!(one.named_values(name), [], "{name}");
    }
}
