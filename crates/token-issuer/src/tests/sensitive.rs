//! Sensitive attributes: in the token, and nowhere else.

use key_admin::Act;
use policy::PolicyDocument;
use serde_json::{Value, json};
use sqlx::types::Json;
use storage::testing::on_both_engines;
use storage::{fetch_all, fetch_one};

use super::{App, request};
use crate::{IssueRequest, Origin};

fn policy() -> PolicyDocument {
    serde_json::from_value(json!({
        "roles": [{ "name": "viewer" }],
        "attributes": [
            { "name": "tenant_id", "type": "string", "sensitive": true },
            { "name": "regions", "type": "string", "list": true, "sensitive": true,
              "allowed_values": ["region-canary", "eu"] },
            { "name": "plan", "type": "string" },
        ],
    }))
    .unwrap()
}

#[tokio::test]
async fn the_row_holds_keyed_hashes_and_nothing_prints_the_values() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let act = Act::on_command_line();
        let service = &app.services.policy;
        let edited = service
            .replace(&act, app.organization.id, None, policy())
            .await;
        edited.unwrap();
        let mut fewer = policy();
        fewer.attributes[1].allowed_values = Some(vec![json!("region-canary")]);
        fewer.sort();
        let edited = service
            .replace(&act, app.organization.id, None, fewer)
            .await;
        assert_eq!(edited.unwrap().diff.changes().len(), 1);
        let edited = service
            .replace(&act, app.organization.id, None, policy())
            .await;
        edited.unwrap();
        let mut asked = request("user-42");
        asked.attributes = serde_json::from_value(json!({
            "tenant_id": "tenant-canary", "regions": ["region-canary", "eu"], "plan": "pro",
        }))
        .unwrap();
        let origin = Origin {
            request_id: "req-1".to_owned(),
            client: "192.0.2.1".parse().unwrap(),
        };
        let grant = IssueRequest {
            grant: asked,
            origin,
        };
        let issued = app.services.issuer.issue(&app.caller, grant).await.unwrap();
        let claims = Value::Object(issued.claims().payload().unwrap());
        assert_eq!(claims["attributes"]["tenant_id"], "tenant-canary");
        let printed = format!("{issued:?}");
        assert!(
            printed.contains("tenant_id") && !printed.contains("canary"),
            "{printed}"
        );

        let mut read = app.database.read_settled().await.unwrap();
        let sql = "select attributes from sessions";
        let (Json(stored),) = fetch_one!(read.conn(), (Json<Value>,), sql).unwrap();
        let hasher = &app.services.issuer.hasher;
        let hasher = hasher.of(app.organization.id).unwrap();
        let hmac = |name, value: &str| json!({ "hmac": hasher.hash(name, &json!(value)) });
        assert_eq!(
            stored,
            json!({
                "tenant_id": hmac("tenant_id", "tenant-canary"),
                "regions": [hmac("regions", "region-canary"), hmac("regions", "eu")],
                "plan": "pro",
            })
        );
        let sql = "select cast(detail as text) from audit_events";
        for (detail,) in fetch_all!(read.conn(), (String,), sql).unwrap() {
            assert!(!detail.contains("canary"), "{detail}");
        }
    })
    .await;
}
