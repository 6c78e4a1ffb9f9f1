//! What is granted, and each way to be refused.

mod ceiling;
mod defaults;
mod explain;
mod grant;
mod lifetime;
mod refusal;
mod replay;
mod request;

use serde_json::{Value, json};

use crate::{
    snapshot::PolicySnapshot,
    testing::{role_from, snapshot},
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
