//! Audiences and signing keys from the command line, on a running server.

use std::os::unix::fs::PermissionsExt;

use key_admin::Permission;
use serde_json::{Value, json};

use crate::cli_http::{Directory, ok, ok_json, refused, run_with, run_with_input, said};
use crate::support::{App, NewKey, on_both_engines};

fn file(directory: &Directory, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn openssl(arguments: &[&str]) -> String {
    let output = std::process::Command::new("openssl")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const CREATE: &str = "audience create --name analytics --aud https://bi.example.com --algorithm EdDSA
    --default-ttl 1m --max-ttl 15m --max-token-bytes 2048
    --origin https://a.example.com --origin https://b.example.com --renew-for 8h --grace 30s --idle 1h";

#[tokio::test]
async fn an_audience_is_made_and_shown() {
    on_both_engines(|app| async move {
        let directory = Directory::new(&app);
        let template = file(&directory, "template.json", r#"{ "role": "{{ role }}" }"#);
        let mut create: Vec<&str> = CREATE.split_whitespace().collect();
        create.extend(["--template-file", &template]);
        let made = ok_json(&app, &create);
        assert_eq!(
            made["renewal"],
            json!({ "session_seconds": 28_800, "grace_seconds": 30, "idle_seconds": 3600 })
        );
        assert_eq!(made["claims"]["template"], json!({ "role": "{{ role }}" }));
        assert_eq!(
            (&made["default_ttl_seconds"], &made["max_ttl_seconds"]),
            (&json!(60), &json!(900))
        );
        assert_eq!(
            (&made["algorithm"], &made["max_token_bytes"]),
            (&json!("EdDSA"), &json!(2048))
        );
        assert_eq!(
            made["authorized_origins"],
            json!(["https://a.example.com", "https://b.example.com"])
        );
        let id = made["id"].as_str().unwrap();
        for name in ["analytics", id] {
            assert_eq!(ok_json(&app, &["audience", "get", name]), made);
        }
        let table = ok(&app, &["audience", "list"]);
        assert!(
            table.starts_with("NAME") && table.contains("analytics") && table.contains("default"),
            "{table}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_audience_is_changed_and_removed() {
    on_both_engines(|app| async move {
        let create: Vec<&str> = CREATE.split_whitespace().collect();
        let made = ok_json(&app, &create);
        let id = made["id"].as_str().unwrap();
        let changed = ok_json(
            &app,
            &[
                "audience",
                "update",
                "analytics",
                "--idle",
                "10m",
                "--aud",
                "bi",
            ],
        );
        assert_eq!(
            changed["renewal"],
            json!({ "session_seconds": 28_800, "grace_seconds": 30, "idle_seconds": 600 })
        );
        assert_eq!(
            (&changed["aud"], &changed["claims"]),
            (&json!("bi"), &made["claims"])
        );
        let changed = ok_json(&app, &["audience", "update", id, "--renew-for", "none"]);
        assert_eq!(changed["renewal"], Value::Null);
        for wrong in [
            &["audience", "update", id][..],
            &["audience", "update", id, "--grace", "1m"],
            &[
                "audience",
                "update",
                id,
                "--renew-for",
                "none",
                "--idle",
                "1m",
            ],
        ] {
            let (code, data, _) = run_with(&app, &app.key, wrong);
            assert_eq!((code, data.as_str()), (1, ""), "{wrong:?}");
        }
        let refusal = run_with(
            &app,
            &app.key,
            &["audience", "update", id, "--max-ttl", "2d"],
        );
        refused(&refusal, 1, "/max_ttl_seconds");
        let (code, data, talk) = run_with(&app, &app.key, &["audience", "delete", "analytics"]);
        assert_eq!((code, data.as_str()), (0, ""), "{talk}");
        refused(
            &run_with(&app, &app.key, &["audience", "get", "analytics"]),
            1,
            "no audience",
        );
        refused(
            &run_with(&app, &app.key, &["audience", "get", id]),
            1,
            "404",
        );
    })
    .await;
}

#[tokio::test]
async fn registered_claims_and_the_header_are_set_one_by_one() {
    on_both_engines(|app| async move {
        let said = |command: &str| {
            let arguments: Vec<&str> = command.split_whitespace().collect();
            ok_json(&app, &arguments)["claims"].clone()
        };
        let claims = said(
            "audience create -n plain --subject user_uuid --client-id false --not-before false
             --typ JWT --issuer-in-header true",
        );
        let registered = json!({ "issuer": "organization", "subject": "user_uuid", "client_id": false, "not_before": false });
        assert_eq!(claims["registered"], registered);
        assert_eq!((&claims["typ"], &claims["issuer_in_header"]), (&json!("JWT"), &json!(true)));
        for (flag, subject) in [
            ("given=service", json!({ "given": "service" })),
            ("omitted", json!("omitted")),
            ("user", json!("user")),
        ] {
            let claims = said(&format!("audience update plain --subject {flag}"));
            assert_eq!(claims["registered"]["subject"], subject);
            assert_eq!(claims["registered"]["client_id"], json!(false), "what is not named stays");
        }
        let claims = said("audience update plain --client-id true --not-before true --typ at+jwt --issuer-in-header false");
        assert_eq!(
            (&claims["registered"]["client_id"], &claims["registered"]["not_before"]),
            (&json!(true), &json!(true))
        );
        assert_eq!((&claims["typ"], &claims["issuer_in_header"]), (&json!("at+jwt"), &json!(false)));
        for wrong in [["--subject", "nobody"], ["--client-id", "maybe"], ["--typ", "at"]] {
            let (code, data, _) = run_with(&app, &app.key, &[&["audience", "update", "plain"], &wrong[..]].concat());
            assert_eq!((code, data.as_str()), (1, ""), "{wrong:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn presets_are_listed_and_used() {
    on_both_engines(|app| async move {
        let table = ok(&app, &["audience", "presets"]);
        assert!(
            table.contains("superset-guest") && table.contains("/secret"),
            "{table}"
        );
        let hasura = ok_json(
            &app,
            &["audience", "create", "-n", "hasura", "--preset", "hasura"],
        );
        assert!(hasura["claims"]["template"]["https://hasura.io/jwt/claims"].is_object());
        let superset = [
            "audience",
            "create",
            "-n",
            "guests",
            "--preset",
            "superset-guest",
        ];
        refused(&run_with(&app, &app.key, &superset), 1, "/secret");
        let url = app.server.url();
        let environment = [
            ("JETON_URL", url.as_str()),
            ("JETON_API_KEY", app.key.as_str()),
        ];
        let given = ["--aud", "https://bi.example.com", "--secret-file", "-"];
        let secret = "a guest secret that is long enough";
        let (code, made, talk) = said(run_with_input(
            &[&superset[..], &given].concat(),
            &environment,
            secret,
        ));
        assert!(code == 0 && made.contains("HS256"), "{talk}");
        let tableau = ok_json(
            &app,
            &[
                "audience",
                "create",
                "-n",
                "tableau",
                "--preset",
                "tableau",
                "--issuer",
                "client-1",
                "--key-id",
                "secret-1",
                "--secret-file",
                &file(&Directory::new(&app), "secret", secret),
            ],
        );
        assert_eq!(
            tableau["claims"]["registered"]["issuer"],
            json!({ "given": "client-1" })
        );
        assert_eq!(tableau["claims"]["key_id"], "secret-1");
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_imported_rotated_and_retired() {
    on_both_engines(|app| async move {
        let directory = Directory::new(&app);
        let listed = ok_json(&app, &["signing-key", "list", "default"]);
        let first = listed["data"][0]["kid"].as_str().unwrap();
        let early = run_with(&app, &app.key, &["signing-key", "rotate", "default"]);
        refused(&early, 1, "next_key_too_new");
        let curve = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let pem = file(&directory, "key.pem", &openssl(&curve));
        let added = ok_json(&app, &["signing-key", "import", "default", "--pem-file", &pem]);
        assert_eq!(added["state"], "next");
        let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
        let jwk = file(&directory, "key.jwk", jwk);
        let added = ok_json(&app, &["signing-key", "import", "default", "--jwk-file", &jwk]);
        let retired = ok_json(&app, &["signing-key", "retire", "default", first]);
        assert_eq!(retired["data"][0]["kid"], added["kid"], "the imported key signs");
        assert_eq!(retired["data"][0]["state"], "active");
        let table = ok(&app, &["signing-key", "list", "default"]);
        assert!(table.starts_with("KID") && table.contains("not yet") && !table.contains(first), "{table}");

        std::fs::set_permissions(&pem, std::fs::Permissions::from_mode(0o644)).unwrap();
        let open = run_with(&app, &app.key, &["signing-key", "import", "default", "--pem-file", &pem]);
        refused(&open, 1, "can be read by others");
        let wrong = run_with(&app, &app.key, &["signing-key", "import", "default", "--secret-file", &jwk]);
        refused(&wrong, 1, "/secret");
        let none = run_with(&app, &app.key, &["signing-key", "import", "default"]);
        assert_eq!(none.0, 1);
    })
    .await;
}

#[tokio::test]
async fn who_may_not_touch_audiences_is_told_so() {
    on_both_engines(|app: App| async move {
        let new = |permissions| NewKey {
            permissions,
            ..NewKey::default()
        };
        let (_, none) = app.create_key(new(vec![Permission::PolicyWrite])).await;
        let (_, reads) = app.create_key(new(vec![Permission::AudiencesRead])).await;
        for arguments in [
            &["audience", "list"][..],
            &["audience", "presets"],
            &["signing-key", "list", "default"],
        ] {
            refused(&run_with(&app, &none, arguments), 1, "audiences:read");
            assert_eq!(run_with(&app, &reads, arguments).0, 0, "{arguments:?}");
        }
        for arguments in [
            &["audience", "create", "-n", "a"][..],
            &["signing-key", "rotate", "default"],
        ] {
            refused(&run_with(&app, &reads, arguments), 1, "audiences:write");
        }
    })
    .await;
}
