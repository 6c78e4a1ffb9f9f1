//! Policies from the command line, on a running server.

use key_admin::Permission;
use serde_json::{Value, json};

use crate::cli_http::{Directory, ok, ok_json, refused, run_with};
use crate::support::{App, NewKey, on_both_engines};

const POLICY: &str = "roles:
  - name: viewer
    max_ttl_seconds: 600
    permissions:
      - {resource: dashboard, action: view}
attributes:
  - {name: tenant_id, type: string, required: true}
row_rules:
  - name: own
    table: orders
    roles: [viewer]
    where: {column: tenant_id, operator: \"=\", attribute: tenant_id}
";

fn file(directory: &Directory, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_is_compared_applied_exported_and_undone() {
    on_both_engines(|app| async move {
        let directory = Directory::new(&app);
        let before = ok(&app, &["policy", "export"]);
        let old = file(&directory, "old.yaml", &before);
        assert_eq!(ok(&app, &["policy", "diff", "-f", &old]), "");

        let new = file(&directory, "new.yaml", POLICY);
        let (code, lines, _) = run_with(&app, &app.key, &["policy", "diff", "-f", &new]);
        assert_eq!(code, 1, "a difference is told by the exit code");
        assert!(
            lines.contains("+ row_rules/own") && lines.contains("- roles/admin"),
            "{lines}"
        );

        ok(&app, &["policy", "apply", "-f", &new, "--dry-run"]);
        assert_eq!(ok(&app, &["policy", "export"]), before);
        let wrong_version = run_with(
            &app,
            &app.key,
            &["policy", "apply", "-f", &new, "--if-version", "0"],
        );
        refused(&wrong_version, 1, "version");
        let applied = ok_json(&app, &["policy", "apply", "-f", &new]);
        assert!(
            !applied["changes"].as_array().unwrap().is_empty(),
            "{applied}"
        );
        assert_eq!(ok(&app, &["policy", "diff", "-f", &new]), "");
        let roles = ok_json(&app, &["role", "list"]);
        assert_eq!(roles["data"][0]["name"], "viewer", "{roles}");
        assert_eq!(
            ok_json(&app, &["attribute", "get", "tenant_id"])["required"],
            true
        );
        refused(
            &run_with(&app, &app.key, &["role", "delete", "viewer"]),
            1,
            "",
        );

        let exported: Value =
            serde_json::from_str(&ok(&app, &["policy", "export", "--format", "json"])).unwrap();
        assert_eq!(exported["roles"][0]["max_ttl_seconds"], 600);
        ok(&app, &["policy", "apply", "-f", &old]);
        assert_eq!(ok(&app, &["policy", "export"]), before);
    })
    .await;
}

#[tokio::test]
async fn a_request_is_explained_a_policy_simulated_and_its_rows_written_as_sql() {
    on_both_engines(|app| async move {
        let directory = Directory::new(&app);
        let new = file(&directory, "policy.yaml", POLICY);
        ok(&app, &["policy", "apply", "-f", &new]);
        let asked = ["policy", "explain", "--user", "u", "--role", "viewer"];
        let explained = run_with(&app, &app.key, &[&asked[..], &["--output", "json"]].concat()).1;
        let explained: Value = serde_json::from_str(&explained).unwrap();
        assert_eq!(explained["reasons"][0]["code"], "missing_attribute", "{explained}");
        let granted = ok_json(&app, &[&asked[..], &["--attribute", "tenant_id=t-1"]].concat());
        assert_eq!(granted["effective"]["ttl_seconds"], 600);
        assert_eq!(granted["claims"]["attributes"], json!({ "tenant_id": "t-1" }));

        let request = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } });
        app.issue(&request).await.issued();
        let strict = file(&directory, "strict.yaml", &POLICY.replace("type: string", "type: string, pattern: \"x.*\""));
        let simulated = ok_json(&app, &["policy", "simulate", "-f", &strict]);
        assert_eq!((&simulated["replayed"], &simulated["newly_refused"][0]["count"]), (&json!(1), &json!(1)));
        let ddl = ok(&app, &["policy", "rls", "--engine", "postgres"]);
        assert!(ddl.contains("create policy") && ddl.contains("orders"), "{ddl}");
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_or_write_policies_is_told_so() {
    on_both_engines(|app: App| async move {
        let directory = Directory::new(&app);
        let new = file(&directory, "policy.yaml", POLICY);
        let (_, key) = app
            .create_key(NewKey {
                permissions: vec![Permission::TokensIssue],
                ..NewKey::default()
            })
            .await;
        for arguments in [
            &["policy", "export"][..],
            &["role", "list"],
            &["policy", "apply", "-f", &new],
        ] {
            refused(&run_with(&app, &key, arguments), 1, "permission");
        }
    })
    .await;
}
