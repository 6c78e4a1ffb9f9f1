//! The command line on the organization of a running server.

use serde_json::{Value, json};

use crate::cli_http::{ok, ok_json, refused, run_with};
use crate::support::{NewKey, on_both_engines};

#[tokio::test]
async fn settings_are_shown_and_changed() {
    on_both_engines(|app| async move {
        let shown = ok_json(&app, &["organization", "show"]);
        let settings = |shown: &Value| {
            let members = ["slug", "name", "max_key_lifetime_seconds"];
            members.map(|member| shown[member].clone())
        };
        assert_eq!(
            settings(&shown),
            [json!("acme"), json!("Acme"), Value::Null]
        );
        let table = ok(&app, &["organization", "show"]);
        assert!(
            table.starts_with("ORGANIZATION") && table.contains("none"),
            "{table}"
        );

        let both = [
            "organization",
            "update",
            "--name",
            "Acme Ltd",
            "--max-key-lifetime",
            "90d",
        ];
        let changed = ok_json(&app, &both);
        let expected = [json!("acme"), json!("Acme Ltd"), json!(7_776_000)];
        assert_eq!(settings(&changed), expected);
        assert_eq!(ok_json(&app, &["organization", "show"]), changed);
        let csv = ok(&app, &["organization", "show", "--output", "csv"]);
        assert!(
            csv.starts_with(
                "organization,name,max_key_lifetime_seconds,created,id\nacme,Acme Ltd,7776000,"
            ),
            "{csv}"
        );
        let endless = ["apikey", "create", "-n", "x", "-d", "never"];
        refused(&run_with(&app, &app.key, &endless), 1, "lifetime_too_long");
        let lifted = ok_json(
            &app,
            &["organization", "update", "--max-key-lifetime", "none"],
        );
        assert_eq!(
            settings(&lifted),
            [json!("acme"), json!("Acme Ltd"), Value::Null]
        );
        ok(&app, &endless);
    })
    .await;
}

#[tokio::test]
async fn wrong_settings_are_exit_code_1() {
    on_both_engines(|app| async move {
        let run = |arguments: &[&str]| {
            let update = ["organization", "update"];
            run_with(&app, &app.key, &[&update, arguments].concat())
        };
        refused(&run(&[]), 1, "nothing to change");
        refused(&run(&["--name", " "]), 1, "invalid_name");
        for text in ["0d", "never", "90", "2030-01-31T00:00:00Z"] {
            refused(&run(&["--max-key-lifetime", text]), 1, "--max-key-lifetime");
        }
        let long = ["--max-key-lifetime", "40000d"];
        refused(&run(&long), 1, "invalid_max_key_lifetime");
        let (_, weak) = app
            .create_key(NewKey {
                permissions: vec![key_admin::Permission::OrganizationRead],
                ..NewKey::default()
            })
            .await;
        let rename = ["organization", "update", "--name", "x"];
        refused(&run_with(&app, &weak, &rename), 1, "permission_denied");
        let (code, table, talk) = run_with(&app, &weak, &["organization", "show"]);
        assert_eq!(code, 0, "{talk}");
        assert!(table.contains("Acme"), "{table}");
    })
    .await;
}
