//! The command line on users, service accounts and the audit trail of a running server.

use serde_json::Value;

use crate::cli_http::{ok, ok_json, refused, run_with, run_with_input, said};
use crate::support::on_both_engines;

#[tokio::test]
async fn a_list_of_many_pages_is_complete() {
    on_both_engines(|app| async move {
        for number in 0..101 {
            let keys = &app.services.keys;
            let act = key_admin::Act::on_command_line();
            let name = format!("account {number}");
            keys.create_service_account(&act, app.organization.id, &name)
                .await
                .unwrap();
        }
        app.server_sees_changes().await;
        let all = ok_json(&app, &["service-account", "list"]);
        assert_eq!(all["data"].as_array().unwrap().len(), 101);
        let newest = ok_json(&app, &["audit", "list", "--limit", "3"]);
        assert_eq!(newest["data"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn people_programs_and_the_audit_trail() {
    on_both_engines(|app| async move {
        let url = app.server.url();
        let environment = [
            ("JETON_URL", url.as_str()),
            ("JETON_API_KEY", app.key.as_str()),
        ];
        let create = [
            "user",
            "create",
            "grace@example.com",
            "--role",
            "member",
            "--password-file",
            "-",
            "--output",
            "json",
        ];
        let (code, data, talk) = said(run_with_input(
            &create,
            &environment,
            "a quite unusual phrase\n",
        ));
        assert_eq!(code, 0, "{talk}");
        let user: Value = serde_json::from_str(&data).unwrap();
        let id = user["id"].as_str().unwrap();
        assert_eq!(
            ok_json(&app, &["user", "suspend", id])["state"],
            "suspended"
        );
        assert_eq!(ok_json(&app, &["user", "activate", id])["state"], "active");
        assert_eq!(
            ok_json(&app, &["user", "role", id, "viewer"])["role"],
            "viewer"
        );
        let table = ok(&app, &["user", "list"]);
        assert!(
            table.starts_with("ID") && table.contains("grace@example.com"),
            "{table}"
        );

        let account = ok_json(&app, &["service-account", "create", "ci"]);
        let program = account["id"].as_str().unwrap();
        let key = ok(
            &app,
            &[
                "apikey", "create", "-n", "k", "-i", program, "--output", "secret",
            ],
        );
        let suspended = ok_json(&app, &["service-account", "suspend", program]);
        assert_eq!(suspended["state"], "suspended");
        refused(
            &run_with(&app, key.trim_end(), &["account"]),
            1,
            "suspended",
        );
        ok(&app, &["service-account", "activate", program]);
        assert!(ok(&app, &["service-account", "list"]).contains(program));
        let delete = ["service-account", "delete", program];
        refused(&run_with(&app, &app.key, &delete), 1, "409");
        ok(&app, &[&delete[..], &["--revoke-keys"]].concat());

        let key = ok(
            &app,
            &[
                "apikey", "create", "-n", "k", "-i", id, "--output", "secret",
            ],
        );
        let delete = ["user", "delete", id];
        refused(&run_with(&app, &app.key, &delete), 1, "live_keys");
        let (code, data, talk) =
            run_with(&app, &app.key, &[&delete[..], &["--revoke-keys"]].concat());
        assert_eq!((code, data.as_str()), (0, ""), "{talk}");
        assert!(talk.contains(&format!("{id} is deleted")), "{talk}");
        refused(&run_with(&app, key.trim_end(), &["account"]), 1, "401");
        refused(&run_with(&app, &app.key, &delete), 1, "404");
        assert!(!ok(&app, &["user", "list"]).contains("grace@example.com"));
        let last = ["user", "delete", &app.owner.to_string(), "--revoke-keys"];
        refused(&run_with(&app, &app.key, &last), 1, "last_owner");
        refused(
            &run_with(&app, &app.key, &["user", "delete", "ada"]),
            1,
            "own_…",
        );

        let events = ok_json(&app, &["audit", "list", "--target", id]);
        assert!(events["data"].as_array().unwrap().len() >= 4, "{events}");
        assert_eq!(events["data"][0]["action"], "user.delete");
        let csv = ok(&app, &["audit", "list", "--output", "csv"]);
        assert!(csv.starts_with("at,action,by,target,from,"), "{csv}");
        let me = ok_json(&app, &["account"]);
        assert_eq!(me["organization"]["slug"], "acme");
    })
    .await;
}
