//! The playground, with and without JavaScript.

use key_admin::audit::{self, AuditFilter};
use policy::PolicyDocument;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, decode, on_both_engines};

/// A policy with a field of every kind.
pub(super) fn policy() -> Value {
    json!({
        "roles": [
            { "name": "viewer", "description": "Sees dashboards",
              "permissions": [{ "resource": "dashboard", "action": "view" }] },
            { "name": "editor", "inherits": ["viewer"],
              "permissions": [{ "resource": "dashboard", "action": "edit" }] },
        ],
        "attributes": [
            { "name": "tenant_id", "type": "string", "required": true,
              "description": "The customer whose rows are shown." },
            { "name": "regions", "type": "string", "list": true, "allowed_values": ["eu", "us", "apac"] },
            { "name": "plan", "type": "string", "allowed_values": ["free", "pro"] },
            { "name": "internal", "type": "boolean" },
            { "name": "level", "type": "integer" },
            { "name": "store_ids", "type": "integer", "list": true },
            { "name": "license", "type": "string", "sensitive": true },
        ],
        "row_rules": [
            { "name": "orders-of-tenant", "table": "orders", "roles": ["viewer", "editor"],
              "where": { "all": [
                  { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" },
                  { "column": "region", "operator": "in", "attribute": "regions" } ] } },
            { "name": "budgets", "table": "budgets", "roles": ["editor"],
              "where": { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" } },
        ],
    })
}

impl App {
    /// Puts the policy of these tests in force.
    pub(super) async fn declares_fields(&self) {
        let document: PolicyDocument = serde_json::from_value(policy()).unwrap();
        assert_eq!(document.attributes.len(), 7);
        let answer = self.call(Method::PUT, "/v1/policy", Some(policy())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// The public part of the unlimited key, as the field has it.
    pub(super) fn key_choice(&self) -> String {
        format!("key_{}", &self.key[4..16])
    }
}

fn text<'v>(seen: &'v Value, name: &str) -> &'v str {
    seen[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {seen:#}"))
}

#[tokio::test]
async fn a_decision_follows_what_is_typed_and_becomes_a_token() {
    on_both_engines(|app| async move {
        app.declares_fields().await;
        let seen = app
            .walks("playground", json!({ "chosen": app.key_choice() }))
            .await;
        assert!(text(&seen, "first").contains("Granted"), "{seen:#}");
        assert!(text(&seen, "refused").contains("Refused"), "{seen:#}");
        assert_eq!(text(&seen, "reason"), "Attribute `tenant_id` is required.");
        assert!(text(&seen, "granted").contains("15 minutes"), "{seen:#}");
        assert_eq!(text(&seen, "silent"), "");
        let claims: Value = serde_json::from_str(text(&seen, "claims")).unwrap();
        let attributes = json!({
            "tenant_id": "t-9", "regions": ["eu"], "internal": true, "license": "canary-license",
        });
        assert_eq!(claims["attributes"], attributes);
        assert_eq!(claims["client_id"], "key_000000000000");
        let orders = text(&seen, "orders");
        assert!(
            orders.contains(r#""orders"."tenant_id" = $1"#) && orders.contains("in ($2)"),
            "{orders}"
        );
        let preview = text(&seen, "preview");
        for part in [
            "budgets\nno rows",
            "$1 = t-9",
            "of the 4096 bytes",
            "allowed",
        ] {
            assert!(preview.contains(part), "{part} in {preview}");
        }
        assert_eq!(text(&seen, "kept"), "t-9");

        let token = text(&seen, "token");
        assert_eq!(text(&seen, "copied"), token);
        let (_, issued) = decode(token);
        assert_eq!(issued["attributes"], attributes);
        assert_eq!(issued["client_id"], app.key_choice());
        assert!(text(&seen, "countdown").ends_with("left"), "{seen:#}");
        assert!(text(&seen, "ends").ends_with('Z'), "{seen:#}");
        let verified = text(&seen, "verified");
        assert!(verified.starts_with("Verified."), "{verified}");
        for (language, code) in seen["snippets"].as_object().unwrap() {
            let code = code.as_str().unwrap();
            assert!(
                code.contains("YOUR_API_KEY") && code.contains("t-9"),
                "{language}: {code}"
            );
        }
        let session = text(&seen, "session");
        assert!(
            session.contains("session_token.issue") && session.contains("[hidden]"),
            "{session}"
        );
        assert!(!session.contains("canary-license"), "{session}");
        assert_eq!(app.count_sessions().await, 1);

        let everything = AuditFilter::default();
        let organization = app.organization.id;
        let database = &app.services.database;
        let events = audit::list(database, organization, &everything, None, 100).await;
        let events = serde_json::to_string(&events.unwrap()).unwrap();
        assert!(
            events.contains("session_token.issue") && !events.contains("canary"),
            "{events}"
        );
        assert!(!app.server.log().contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn without_javascript_a_request_is_previewed_and_issued() {
    on_both_engines(|app| async move {
        app.declares_fields().await;
        let seen = app
            .walks(
                "playground_without_script",
                json!({ "chosen": app.key_choice() }),
            )
            .await;
        assert_eq!(text(&seen, "reason"), "Attribute `tenant_id` is required.");
        assert!(text(&seen, "lifetime").contains("whole number"), "{seen:#}");
        let (_, claims) = decode(text(&seen, "token"));
        assert_eq!(claims["attributes"]["tenant_id"], "t-7");
        assert_eq!(
            claims["resources"][1],
            json!({ "type": "dashboard", "id": "costs" })
        );
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 60);
        assert!(
            text(&seen, "code").contains("\"ttl_seconds\": 60"),
            "{seen:#}"
        );
        assert!(text(&seen, "text").contains("after 1 minute"), "{seen:#}");
        assert_eq!(seen["buttons"], 0, "a button that needs JavaScript");
    })
    .await;
}
