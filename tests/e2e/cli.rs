//! The command line on the configured database.

use serde_json::Value;

use crate::support::{App, NewKey, on_both_engines, run_to_end};

fn run(app: &App, arguments: &[&str]) -> (i32, String, String) {
    let output = run_to_end(arguments, &app.environment());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn a_created_key_is_shown_once_and_works_on_the_running_server() {
    on_both_engines(|app| async move {
        let create = [
            "apikey",
            "create",
            "--name",
            "backend",
            "--role",
            "viewer",
            "--fix",
            "tenant_id=t-7",
            "--max-ttl",
            "60",
            "--output",
            "secret",
        ];
        let (code, secret, talk) = run(&app, &create);
        assert_eq!((code, talk.as_str()), (0, ""));
        let key = secret.trim();
        assert_eq!(key.len(), 66);

        let request = serde_json::json!({ "user": { "id": "u", "roles": ["viewer"] } });
        let issued = app.issue_with(key, &request).await.issued();
        assert_eq!(
            (&issued["attributes"]["tenant_id"], &issued["expires_in"]),
            (&"t-7".into(), &60.into())
        );

        let (code, table, _) = run(&app, &["apikey", "get"]);
        assert_eq!(code, 0);
        let header: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
        let expected = [
            "TOKEN",
            "TYPE",
            "EXPIRATION",
            "NAME",
            "STATE",
            "LAST",
            "USED",
        ];
        assert_eq!(header, expected);
        let line = table.lines().find(|line| line.contains("backend")).unwrap();
        assert!(
            line.starts_with(&key[..16]) && line.contains("apikey"),
            "{line}"
        );
        assert!(!table.contains(&key[17..]), "the secret is not shown again");

        let (_, json, _) = run(&app, &["apikey", "get", "--output", "json"]);
        let listed: Value = serde_json::from_str(&json).unwrap();
        let backend = listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == "backend")
            .unwrap();
        assert_eq!(backend["ceiling"]["roles"], serde_json::json!(["viewer"]));
        assert!(!json.contains("argon2") && !json.contains(&key[17..]));
    })
    .await;
}

#[tokio::test]
async fn a_created_key_in_a_table_and_as_json() {
    on_both_engines(|app| async move {
        let (code, table, talk) = run(&app, &["apikey", "create", "-n", "one", "-d", "never"]);
        assert_eq!(code, 0, "{talk}");
        assert!(
            table.lines().nth(1).unwrap().starts_with("jtn_") && table.contains("never"),
            "{table}"
        );
        assert!(talk.contains("cannot be shown again"));
        let (_, json, _) = run(&app, &["apikey", "create", "-n", "two", "--output", "json"]);
        let created: Value = serde_json::from_str(&json).unwrap();
        assert!(
            created["secret"]
                .as_str()
                .unwrap()
                .starts_with(created["api_key"]["prefix"].as_str().unwrap())
        );
        assert!(
            created["api_key"]["expires_at"].is_string(),
            "90 days unless told otherwise"
        );
    })
    .await;
}

#[tokio::test]
async fn wrong_input_is_exit_code_1_and_says_why() {
    on_both_engines(|app| async move {
        for (arguments, told) in [
            (&["apikey", "create", "-n", " "][..], "1 to 100 characters"),
            (
                &["apikey", "create", "-n", "x", "-d", "soon"],
                "such as 72h",
            ),
            (
                &["apikey", "create", "-n", "x", "--role", "nobody"],
                "there is no role `nobody`",
            ),
            (
                &["apikey", "create", "-n", "x", "--fix", "planet=mars"],
                "not declared",
            ),
            (
                &["apikey", "create", "-n", "x", "--fix", "tenant_id:=7"],
                "refuses",
            ),
            (
                &[
                    "apikey",
                    "create",
                    "-n",
                    "x",
                    "--fix",
                    "tenant_id=a",
                    "--fix",
                    "tenant_id=b",
                ],
                "twice",
            ),
            (
                &["apikey", "create", "-n", "x", "--max-ttl", "0"],
                "0 is not in",
            ),
            (
                &["apikey", "create", "-n", "x", "--network", "10.0.0.0/33"],
                "--network",
            ),
            (
                &[
                    "apikey",
                    "create",
                    "-n",
                    "x",
                    "--owner",
                    "own_00000000000000000000000000000000",
                ],
                "no active owner",
            ),
            (
                &["apikey", "create", "-n", "x", "--organization", "nobody"],
                "there is no organization",
            ),
            (
                &["apikey", "create", "-n", "x", "--permissions", "everything"],
                "there is no such permission",
            ),
            (
                &[
                    "organization",
                    "create",
                    "acme",
                    "--owner-email",
                    "x",
                    "--owner-password-file",
                    "-",
                ],
                "e-mail",
            ),
            (
                &[
                    "organization",
                    "create",
                    "Acme",
                    "--owner-email",
                    "a@b.example",
                    "--owner-password-file",
                    "-",
                ],
                "slug",
            ),
            (&["apikey", "frobnicate"], "frobnicate"),
            (&["apikey", "get", "--data-dir", "nowhere"], "nowhere"),
        ] {
            let (code, data, talk) = run(&app, arguments);
            assert_eq!((code, data.as_str()), (1, ""), "{arguments:?}: {talk}");
            assert!(talk.contains(told), "{arguments:?}: {talk}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_owner_has_at_most_fifty_live_keys() {
    on_both_engines(|app| async move {
        for _ in 1..50 {
            app.create_key(NewKey::default()).await;
        }
        let (code, _, talk) = run(&app, &["apikey", "create", "-n", "one too many"]);
        assert_eq!(code, 1, "{talk}");
        assert!(talk.contains("50 live keys"), "{talk}");
    })
    .await;
}

#[tokio::test]
async fn an_organization_is_ready_to_issue() {
    on_both_engines(|app| async move {
        let directory = std::env::temp_dir().join(format!("jeton-cli-{}", app.server.address().replace(':', "-")));
        std::fs::create_dir_all(&directory).unwrap();
        let password = directory.join("password");
        std::fs::write(&password, "a long enough password\n").unwrap();
        let create = [
            "organization", "create", "second", "--name", "Second Ltd", "--owner-email", "bob@second.example",
            "--starter-policy", "--owner-password-file", password.to_str().unwrap(),
        ];
        let (code, _, talk) = run(&app, &create);
        assert_eq!(code, 1, "a password that others can read: {talk}");
        assert!(talk.contains("chmod 600"), "{talk}");
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let (code, table, talk) = run(&app, &create);
        assert_eq!(code, 0, "{talk}");
        assert!(table.contains("second") && table.contains("own_"), "{table}");
        let (code, _, talk) = run(&app, &create);
        assert_eq!(code, 1);
        assert!(talk.contains("exists already"), "{talk}");
        std::fs::remove_dir_all(&directory).unwrap();

        let key = ["apikey", "create", "-n", "first", "--organization", "second", "--output", "secret"];
        let (_, secret, _) = run(&app, &key);
        let request = serde_json::json!({ "user": { "id": "u", "roles": ["editor"], "attributes": { "tenant_id": "t" } } });
        let issued = app.issue_with(secret.trim(), &request).await.issued();
        let (_, claims) = crate::support::decode(issued["token"].as_str().unwrap());
        assert_eq!(claims["iss"], "https://tokens.test/orgs/second");
        assert_eq!(claims["scope"], "dashboard:edit dashboard:view");

        let (code, _, talk) = run(&app, &["apikey", "get"]);
        assert_eq!(code, 1, "two organizations: one must be named");
        assert!(talk.contains("--organization"), "{talk}");
    })
    .await;
}

#[tokio::test]
async fn migrating_twice_does_no_harm() {
    on_both_engines(|app| async move {
        let (code, _, talk) = run(&app, &["migrate"]);
        assert_eq!(
            (code, talk.trim()),
            (0, "the database schema is up to date")
        );
    })
    .await;
}
