//! The command line changes API keys of a running server, and makes them with every limit there is.

use serde_json::{Value, json};

use crate::cli_http::{ok, ok_json, refused, run_with, said};
use crate::support::{App, NewKey, on_both_engines, run_to_end};

/// A key with every limit.
const LIMITED: &[&str] = &[
    "apikey",
    "create",
    "-n",
    "ci",
    "--expires",
    "2100-01-01T00:00:00Z",
    "--permissions",
    "tokens:issue,keys:read",
    "--role",
    "viewer",
    "--role",
    "editor",
    "--audience",
    "default",
    "--fix",
    "tenant_id=t-1",
    "--fix",
    "score:=0.1",
    "--max-ttl",
    "60",
    "--network",
    "127.0.0.0/8",
    "--rate-limit",
    "600:20",
];

/// What can be said about a key, as the API shows it.
fn limits(key: &Value) -> Value {
    let members = [
        "name",
        "permissions",
        "expires_at",
        "ceiling",
        "allowed_networks",
        "rate_limit",
    ];
    members
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), key.get(member)?.clone())))
        .collect()
}

fn all_limits() -> Value {
    json!({
        "name": "ci", "permissions": ["tokens:issue", "keys:read"], "expires_at": "2100-01-01T00:00:00Z",
        "ceiling": {
            "roles": ["editor", "viewer"], "audiences": ["default"],
            "fixed_attributes": { "score": 0.1, "tenant_id": "t-1" }, "max_ttl_seconds": 60,
        },
        "allowed_networks": ["127.0.0.0/8"], "rate_limit": { "per_minute": 600, "burst": 20 },
    })
}

fn update(app: &App, id: &str, arguments: &[&str]) -> Value {
    let key = ok_json(app, &[&["apikey", "update", id], arguments].concat());
    assert_eq!(ok_json(app, &["apikey", "get", id]), key, "as answered");
    limits(&key)
}

#[tokio::test]
async fn a_new_key_takes_every_limit_on_a_server_and_on_a_database() {
    on_both_engines(|app| async move {
        let created = ok_json(&app, LIMITED);
        assert_eq!(limits(&created["api_key"]), all_limits());
        let on_database = [LIMITED, &["--output", "json"]].concat();
        let (code, data, talk) = said(run_to_end(&on_database, &app.environment()));
        assert_eq!(code, 0, "{talk}");
        let created: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(limits(&created["api_key"]), all_limits());

        let plain = ["apikey", "create", "-n", "x", "-d", "none", "--permissions", "none"];
        let unlimited = json!({
            "name": "x", "permissions": [], "ceiling": { "fixed_attributes": {} }, "allowed_networks": [],
        });
        let created = ok_json(&app, &plain);
        assert_eq!(limits(&created["api_key"]), unlimited);
        let rate = ok_json(&app, &[&plain[..], &["--rate-limit", "7"]].concat());
        let expected = json!({ "per_minute": 7, "burst": 7 });
        assert_eq!(rate["api_key"]["rate_limit"], expected);
    })
    .await;
}

#[tokio::test]
async fn each_field_changes_alone_and_can_be_taken_back() {
    on_both_engines(|app| async move {
        let created = ok_json(&app, LIMITED);
        let id = created["api_key"]["id"].as_str().unwrap();
        let mut expected = all_limits();
        for (arguments, at, value) in [
            (&["--name", "two"][..], "/name", json!("two")),
            (
                &["-d", "2090-01-01T00:00:00Z"],
                "/expires_at",
                json!("2090-01-01T00:00:00Z"),
            ),
            (
                &["--permissions", "audit:read"],
                "/permissions",
                json!(["audit:read"]),
            ),
            (&["--permissions", "none"], "/permissions", json!([])),
            (&["--role", "guest"], "/ceiling/roles", json!(["guest"])),
            (&["--max-ttl", "30"], "/ceiling/max_ttl_seconds", json!(30)),
            (
                &["--fixed-attribute", "tenant_id=t-2"],
                "/ceiling/fixed_attributes",
                json!({ "tenant_id": "t-2" }),
            ),
            (
                &["--allow-network", "10.0.0.0/8"],
                "/allowed_networks",
                json!(["10.0.0.0/8"]),
            ),
            (
                &["--rate-limit", "60"],
                "/rate_limit",
                json!({ "per_minute": 60, "burst": 60 }),
            ),
            (&["--lift", "fix"], "/ceiling/fixed_attributes", json!({})),
            (&["--lift", "network"], "/allowed_networks", json!([])),
        ] {
            *expected.pointer_mut(at).unwrap() = value;
            assert_eq!(update(&app, id, arguments), expected, "{arguments:?}");
        }
        for (lifted, of, member) in [
            ("role", "/ceiling", "roles"),
            ("audience", "/ceiling", "audiences"),
            ("max-ttl", "/ceiling", "max_ttl_seconds"),
            ("rate-limit", "", "rate_limit"),
        ] {
            let object = expected.pointer_mut(of).unwrap().as_object_mut().unwrap();
            object.remove(member).unwrap();
            assert_eq!(update(&app, id, &["--lift", lifted]), expected, "{lifted}");
        }
        expected.as_object_mut().unwrap().remove("expires_at");
        assert_eq!(update(&app, id, &["-d", "none"]), expected);
        let csv = ok(
            &app,
            &["apikey", "update", id, "-d", "72h", "--output", "csv"],
        );
        let cells: Vec<_> = csv.lines().nth(1).unwrap().split(',').collect();
        assert!(
            cells[2].ends_with('Z') && cells[2].starts_with("20"),
            "{csv}"
        );
    })
    .await;
}

#[tokio::test]
async fn many_fields_change_at_once_and_the_key_acts_on_it() {
    on_both_engines(|app| async move {
        let secret = ok(&app, &[LIMITED, &["--output", "secret"]].concat());
        let secret = secret.trim_end();
        let id = &secret[..16];
        let many = [
            "-n", "three", "--lift", "fix,audience,role", "--max-ttl", "45", "--rate-limit", "900:30", "-d", "never",
        ];
        let changed = update(&app, id, &many);
        assert_eq!(
            changed,
            json!({
                "name": "three", "permissions": ["tokens:issue", "keys:read"],
                "ceiling": { "fixed_attributes": {}, "max_ttl_seconds": 45 },
                "allowed_networks": ["127.0.0.0/8"], "rate_limit": { "per_minute": 900, "burst": 30 },
            })
        );
        let request = json!({ "user": { "id": "u", "roles": ["admin"], "attributes": { "tenant_id": "t-9" } } });
        let issued = app.issue_with(secret, &request).await.issued();
        assert_eq!(
            (&issued["expires_in"], &issued["attributes"]),
            (&json!(45), &json!({ "tenant_id": "t-9" }))
        );
        update(&app, id, &["--network", "192.0.2.0/24"]);
        assert_eq!(app.issue_with(secret, &request).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn wrong_changes_are_exit_code_1_and_change_nothing() {
    on_both_engines(|app| async move {
        let created = ok_json(&app, LIMITED);
        let id = created["api_key"]["id"].as_str().unwrap();
        let update = |key: &str, arguments: &[&str]| {
            run_with(&app, key, &[&["apikey", "update", id], arguments].concat())
        };
        for (arguments, told) in [
            (&[][..], "nothing to change"),
            (&["--name", " "], "invalid_name"),
            (&["-d", "0h"], "between 1s"),
            (&["-d", "2020-01-01T00:00:00Z"], "expiry_in_the_past"),
            (&["--permissions", "everything"], "unknown_permission"),
            (&["--permissions", "none,read"], "unknown_permission"),
            (&["--role", "nobody"], "no role `nobody`"),
            (&["--fix", "planet=mars"], "not declared"),
            (&["--max-ttl", "0"], "0 is not in"),
            (&["--network", "10.0.0.0/33"], "--network"),
            (&["--rate-limit", "0"], "--rate-limit"),
            (&["--rate-limit", "1:0"], "--rate-limit"),
            (&["--lift", "name"], "possible values"),
            (
                &["--role", "viewer", "--lift", "role"],
                "--role sets what --lift role takes away",
            ),
        ] {
            refused(&update(&app.key, arguments), 1, told);
        }
        let unknown = ["apikey", "update", "key_000000000000", "--role", "viewer"];
        refused(&run_with(&app, &app.key, &unknown), 1, "404");
        let whole = ["apikey", "update", &app.key, "-n", "x"];
        let (code, data, talk) = run_with(&app, &app.key, &whole);
        assert_eq!((code, data.as_str()), (1, ""));
        assert!(
            talk.contains("whole API key") && !talk.contains(&app.key[17..]),
            "{talk}"
        );

        let weak = NewKey {
            permissions: vec![
                key_admin::Permission::KeysRead,
                key_admin::Permission::KeysWrite,
            ],
            ..NewKey::default()
        };
        let (_, weak) = app.create_key(weak).await;
        refused(&update(&weak, &["-n", "mine"]), 1, "stronger_than_caller");
        let key = ok_json(&app, &["apikey", "get", id]);
        assert_eq!(limits(&key), all_limits());
    })
    .await;
}
