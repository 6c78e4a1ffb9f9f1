//! The policy in the console: by forms, as YAML, without JavaScript, and for those who may only look.

use serde_json::{Value, json};

use crate::support::{App, on_both_engines};

const SCRIPT: &str = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>";

impl App {
    async fn policy_now(&self) -> Value {
        let (document, _) = self
            .services
            .policy
            .document(self.organization.id)
            .await
            .unwrap();
        json!(document)
    }

    /// Where the console shows the default audience.
    async fn default_audience(&self) -> String {
        let audiences = self.services.issuer.audiences(self.organization.id).await;
        let audiences = audiences.unwrap();
        let default = audiences.iter().find(|it| it.name.as_str() == "default");
        format!("/console/audiences/{}", default.unwrap().id)
    }

    async fn issues_sessions(&self) {
        for (role, tenant) in [
            ("viewer", "t-1"),
            ("viewer", "t-1"),
            ("editor", "t-2"),
            ("viewer", "t-9"),
        ] {
            let body = json!({
                "user": { "id": "u", "roles": [role], "attributes": { "tenant_id": tenant } },
            });
            self.issue(&body).await.issued();
        }
    }
}

#[track_caller]
fn has(seen: &Value, name: &str, words: &[&str]) {
    let text = seen[name].as_str().unwrap_or_default();
    for word in words {
        assert!(text.contains(word), "{name} has no {word}: {seen:#}");
    }
}

fn named<'v>(policy: &'v Value, section: &str, name: &str) -> Option<&'v Value> {
    let mut things = policy[section].as_array()?.iter();
    things.find(|it| it["name"] == name)
}

#[tokio::test]
async fn roles_attributes_and_row_rules_are_declared_by_forms() {
    on_both_engines(|app| async move {
        let seen = app.walks("policy", json!({ "script": SCRIPT })).await;
        has(&seen, "badName", &["A role name must be 1 to 64 characters"]);
        has(&seen, "badPermission", &["`reports`", "resource:action"]);
        assert_eq!(seen["kept"], SCRIPT);
        has(&seen, "badValue", &["allowed_values"]);
        has(&seen, "badCondition", &["`in` needs a list"]);
        let said = "tenant is the token's tenant_id and region is one of the token's regions and state is one of open, paid";
        has(&seen, "words", &[said, "viewer"]);
        let sql = &seen["sql"];
        has(sql, "PostgreSQL policy", &["create policy jeton_rows on \"orders\""]);
        has(sql, "PostgreSQL, SQLite query", &["where (\"orders\".\"tenant\" = $1 and"]);
        has(sql, "MySQL, ClickHouse query", &["`orders`.`tenant` = ?"]);
        has(&seen, "stays", &["It stays", "`editor` inherits `viewer`"]);
        has(&seen, "meanwhile", &["Somebody has changed the policy"]);
        assert_eq!(seen["typed"], "Sees the reports of a region.");
        assert_eq!(seen["source"], ":regions");
        has(&seen, "searched", &["cost_center", "No role matches."]);
        let policy = app.policy_now().await;
        assert_eq!(
            named(&policy, "roles", "regional"),
            Some(&json!({
                "name": "regional", "description": "Sees the reports of a region.", "inherits": ["viewer"],
                "permissions": [
                    { "resource": "report/eu-*", "action": "view" },
                    { "resource": "report/eu-salaries", "action": "view", "effect": "deny" },
                ],
                "required_attributes": ["regions"], "max_ttl_seconds": 300,
            }))
        );
        assert_eq!(
            named(&policy, "attributes", "cost_center"),
            Some(&json!({
                "name": "cost_center", "type": "integer", "allowed_values": [100, 200],
                "from_role": { "regional": 100 },
            }))
        );
        assert_eq!(policy["row_rules"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_policy_is_checked_compared_tried_out_and_applied_as_text() {
    on_both_engines(|app| async move {
        app.issues_sessions().await;
        let seen = app.walks("policy_yaml", json!({})).await;
        let line = |text: &str| {
            let first = seen["first"].as_str().unwrap();
            let at = first.lines().position(|line| line.contains(text));
            format!("Line {}, column", at.unwrap() + 1)
        };
        has(
            &seen,
            "unreadable",
            &[&line("    type: string"), "unknown field `typ`"],
        );
        has(
            &seen,
            "wrong",
            &[
                &line("    inherits: [viewer]"),
                "`ghost`, which is not declared",
            ],
        );
        has(
            &seen,
            "diff",
            &[
                "+",
                "roles/auditor-eu",
                "−",
                "roles/guest",
                "attributes/tenant_id/allowed_values",
                "<b>bold</b>",
            ],
        );
        has(
            &seen,
            "whatIf",
            &[
                "4 recent sessions were decided again: for 1 nothing would change",
                "attribute_value_not_allowed",
                "viewer",
                "editor",
            ],
        );
        assert_eq!(seen["kept"], true, "{seen:#}");
        has(
            &seen,
            "undone",
            &["attributes/level/description", "How far one may see"],
        );
        let policy = app.policy_now().await;
        let tenant = named(&policy, "attributes", "tenant_id").unwrap();
        assert_eq!(tenant["allowed_values"], json!(["t-9"]));
        let level = named(&policy, "attributes", "level").unwrap();
        assert_eq!(level["description"], "How far one may see");
        assert!(named(&policy, "roles", "guest").is_none(), "{policy:#}");
    })
    .await;
}

#[tokio::test]
async fn without_javascript_a_policy_is_edited_tried_out_and_applied() {
    on_both_engines(|app| async move {
        app.issues_sessions().await;
        let audience = app.default_audience().await + "/claims";
        let seen = app
            .walks("policy_without_script", json!({ "audience": audience }))
            .await;
        has(&seen, "diff", &["roles/by-hand", "roles/by-yaml"]);
        has(
            &seen,
            "whatIf",
            &["4 recent sessions", "No session would be refused"],
        );
        has(&seen, "sample", &["\"who\": \"user-42\""]);
        let policy = app.policy_now().await;
        assert!(named(&policy, "roles", "by-yaml").is_some(), "{policy:#}");
        assert!(named(&policy, "roles", "by-hand").is_none(), "{policy:#}");
    })
    .await;
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    on_both_engines(|app| async move {
        app.key_of_a_viewer().await;
        let before = app.policy_now().await;
        let audience = app.default_audience().await;
        let task = json!({ "viewer": "eve@acme.example", "audience": audience });
        let seen = app.walks("policy_viewer", task).await;
        assert_eq!(seen["links"], json!(["Show as YAML"]), "{seen:#}");
        assert_eq!(seen["disabled"], true);
        assert_eq!((&seen["buttons"], &seen["checks"]), (&json!(0), &json!(0)));
        assert_eq!(seen["readonly"], "");
        assert_eq!(seen["statuses"], json!([403, 403, 403, 403, 403, 403]));
        assert_eq!(seen["audience"], 0);
        has(&seen, "refused", &["policy:write"]);
        assert_eq!(app.policy_now().await, before);
    })
    .await;
}
