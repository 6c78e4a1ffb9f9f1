//! Requests, and those that are wrong apart from their attributes.

use serde_json::{Value, json};

/// A good request with one thing changed.
pub(super) fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut request = json!({
        "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
    });
    change(&mut request);
    request
}

pub(super) fn attribute(name: &str, value: Value) -> Value {
    with(|request| request["user"]["attributes"][name] = value)
}

pub(super) fn id(id: &str) -> Value {
    with(|request| request["user"]["id"] = id.into())
}

pub(super) fn roles(roles: Value) -> Value {
    with(|request| request["user"]["roles"] = roles)
}

pub(super) fn ttl(seconds: Value) -> Value {
    with(|request| request["ttl_seconds"] = seconds)
}

pub(super) fn resource(kind: &str, id: &str) -> Value {
    with(|request| request["resources"] = json!([{ "type": kind, "id": id }]))
}

/// What is sent, the code that comes back, and the place it points at; all of it 422.
pub(super) type Refused = (Value, &'static str, &'static str);

pub(super) fn wrong_users() -> Vec<Refused> {
    vec![
        (id("nimda\u{202e}"), "invalid_subject", "/user/id"),
        (id("\u{200b}"), "invalid_subject", "/user/id"),
        (id(""), "invalid_subject", "/user/id"),
        (id(&"x".repeat(256)), "invalid_subject", "/user/id"),
        (id(&"é".repeat(128)), "invalid_subject", "/user/id"),
        (id("a\nb"), "invalid_subject", "/user/id"),
        (id("a\u{0}b"), "invalid_subject", "/user/id"),
        (id("a\u{85}b"), "invalid_subject", "/user/id"),
        (roles(json!(["nobody"])), "unknown_role", "/user/roles/0"),
        (
            roles(json!(["viewer", "Viewer"])),
            "unknown_role",
            "/user/roles/1",
        ),
        (
            roles(json!(["viewer", "viewer "])),
            "unknown_role",
            "/user/roles/1",
        ),
        (roles(json!([])), "roles_empty", "/user/roles"),
        (
            roles(json!(["viewer", "viewer"])),
            "duplicate_role",
            "/user/roles/1",
        ),
        (
            roles(json!(vec!["viewer"; 51])),
            "too_many_roles",
            "/user/roles",
        ),
    ]
}

pub(super) fn wrong_limits() -> Vec<Refused> {
    vec![
        (ttl(json!(0)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(-1)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(3601)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(i64::MAX)), "ttl_out_of_range", "/ttl_seconds"),
        (ttl(json!(0.5)), "invalid_field", "/ttl_seconds"),
        (ttl(json!("300")), "invalid_field", "/ttl_seconds"),
        (ttl(json!(null)), "invalid_field", "/ttl_seconds"),
        (
            ttl(json!(9_223_372_036_854_775_808_u64)),
            "invalid_field",
            "/ttl_seconds",
        ),
        (
            with(|it| it["audience"] = "other".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = "defaul".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = "".into()),
            "unknown_audience",
            "/audience",
        ),
        (
            with(|it| it["audience"] = json!(["default"])),
            "invalid_field",
            "/audience",
        ),
        (
            resource("Dash board", "a"),
            "invalid_resource",
            "/resources/0/type",
        ),
        (
            resource("dashboard", ""),
            "invalid_resource",
            "/resources/0/id",
        ),
        (
            resource("dashboard", "a\tb"),
            "invalid_resource",
            "/resources/0/id",
        ),
        (
            with(|it| {
                it["resources"] = json!(vec![json!({ "type": "dashboard", "id": "a" }); 101]);
            }),
            "too_many_resources",
            "/resources",
        ),
    ]
}

pub(super) fn wrong_shapes() -> Vec<Refused> {
    vec![
        // serde alone would take a list of a struct's values for the struct.
        (
            json!([["u", ["viewer"], { "tenant_id": "t" }], "default", 300, [], false]),
            "invalid_field",
            "",
        ),
        (
            json!({ "user": ["u", ["viewer"], { "tenant_id": "t" }] }),
            "invalid_field",
            "/user",
        ),
        (
            with(|it| it["resources"] = json!([["dashboard", "x"]])),
            "invalid_field",
            "/resources/0",
        ),
        (
            with(|it| it["subject"] = "x".into()),
            "unknown_field",
            "/subject",
        ),
        (
            with(|it| it["user"]["name"] = "x".into()),
            "unknown_field",
            "/user/name",
        ),
        (
            with(|it| it["dry_run"] = "yes".into()),
            "invalid_field",
            "/dry_run",
        ),
        (json!({}), "missing_field", ""),
        (json!({ "user": { "id": "u" } }), "missing_field", "/user"),
        (json!({ "user": null }), "invalid_field", "/user"),
        (json!([]), "invalid_field", ""),
        (json!(null), "invalid_field", ""),
    ]
}
