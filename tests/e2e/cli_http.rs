//! The command line on a running server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{App, NewKey, jeton_binary, on_both_engines, run_to_end};

/// A directory for the files of one test, gone with its value.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(app: &App) -> Self {
        Self::named(&app.server.address().replace(':', "-"))
    }

    pub(crate) fn named(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jeton-cli-http-{name}"));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that reads this from its standard input.
pub(crate) fn run_with_input(
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &str,
) -> Output {
    let mut child = Command::new(jeton_binary())
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// What a command answered: exit code, standard output, standard error.
pub(crate) type Said = (i32, String, String);

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Runs with the server and key of the environment, and nothing else.
pub(crate) fn run_with(app: &App, key: &str, arguments: &[&str]) -> Said {
    let url = app.server.url();
    let environment = [("JETON_URL", url.as_str()), ("JETON_API_KEY", key)];
    said(run_to_end(arguments, &environment))
}

/// The standard output of a command that succeeds.
#[track_caller]
pub(crate) fn ok(app: &App, arguments: &[&str]) -> String {
    let (code, data, talk) = run_with(app, &app.key, arguments);
    assert_eq!(code, 0, "{arguments:?}: {talk}");
    assert!(!data.contains(&app.key[17..]), "the caller's own secret");
    data
}

#[track_caller]
pub(crate) fn ok_json(app: &App, arguments: &[&str]) -> Value {
    let json = ok(app, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&json).unwrap()
}

/// A command that must fail, and what it must say.
#[track_caller]
pub(crate) fn refused(said: &Said, code: i32, told: &str) {
    let (actual, data, talk) = said;
    assert_eq!((*actual, data.as_str()), (code, ""), "{talk}");
    assert!(talk.contains(told), "{talk}");
}

#[tokio::test]
async fn the_whole_life_of_a_key() {
    on_both_engines(|app| async move {
        let create = [
            "apikey",
            "create",
            "-n",
            "ci",
            "-d",
            "72h",
            "--role",
            "viewer",
            "--fix",
            "tenant_id=7",
            "--allow",
            "regions=eu",
            "--max-ttl",
            "60",
            "--network",
            "127.0.0.0/8",
        ];
        let secret = ok(&app, &[&create[..], &["--output", "secret"]].concat());
        let secret = secret.trim_end();
        assert_eq!((secret.len(), secret.lines().count()), (66, 1));
        let request = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "regions": ["eu"] } } });
        let issued = app.issue_with(secret, &request).await.issued();
        assert_eq!(
            issued["attributes"],
            json!({ "regions": ["eu"], "tenant_id": "7" })
        );

        let prefix = &secret[..16];
        let shown = ok_json(&app, &["apikey", "get", prefix]);
        let id = shown["id"].as_str().unwrap();
        assert_eq!(
            (&shown["name"], &shown["state"]),
            (&json!("ci"), &json!("active"))
        );
        assert_eq!(shown["ceiling"]["max_ttl_seconds"], 60);
        let usage = ok_json(&app, &["apikey", "usage", id]);
        assert_eq!(usage["tokens_issued"]["ever"], 1);
        assert!(ok(&app, &["apikey", "usage", id]).starts_with("TODAY"));

        let rotated = ok_json(&app, &["apikey", "rotate", id, "--grace", "1h"]);
        let fresh = rotated["secret"].as_str().unwrap();
        assert!(rotated["api_key"]["previous_secret_until"].is_string());
        for works in [secret, fresh] {
            app.issue_with(works, &request).await.issued();
        }
        assert_eq!(
            ok_json(&app, &["apikey", "disable", id])["state"],
            "disabled"
        );
        assert_eq!(ok_json(&app, &["apikey", "enable", id])["state"], "active");
        let revoked = ok_json(&app, &["apikey", "revoke", id, "--reason", "leaked"]);
        assert_eq!(
            (&revoked["state"], &revoked["revoked_reason"]),
            (&json!("revoked"), &json!("leaked"))
        );
        assert_eq!(app.issue_with(fresh, &request).await.status, 401);
        let (code, data, talk) = run_with(&app, &app.key, &["apikey", "delete", id]);
        assert_eq!((code, data.as_str()), (0, ""));
        assert!(talk.contains("is deleted"));
        refused(&run_with(&app, &app.key, &["apikey", "get", id]), 1, "404");
    })
    .await;
}

#[tokio::test]
async fn lists_for_people_and_for_programs() {
    on_both_engines(|app| async move {
        for _ in 0..3 {
            app.create_key(NewKey::default()).await;
        }
        let (code, table, talk) = run_with(&app, &app.key, &["apikey", "create", "-n", "a, \"b\""]);
        assert_eq!(code, 0, "{talk}");
        assert!(table.starts_with("TOKEN") && talk.contains("cannot be shown again"));

        let table = ok(&app, &["apikey", "get"]);
        let header: Vec<_> = table
            .lines()
            .next()
            .unwrap()
            .split("  ")
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .collect();
        assert_eq!(
            header,
            ["TOKEN", "TYPE", "EXPIRATION", "NAME", "STATE", "LAST USED"]
        );
        assert_eq!(table.lines().count(), 6);
        let listed = ok_json(&app, &["apikey", "get"]);
        assert_eq!(listed["data"].as_array().unwrap().len(), 5);
        let found = ok_json(
            &app,
            &["apikey", "get", "--search", "a, ", "--state", "active"],
        );
        let found = found["data"].as_array().unwrap();
        assert!(
            found.len() == 1 && found[0]["expires_at"].is_string(),
            "90 days: {found:?}"
        );
        let csv = ok(&app, &["apikey", "get", "--output", "csv"]);
        assert!(
            csv.starts_with("token,type,expiration,name,state,last_used,id,"),
            "{csv}"
        );
        assert!(csv.contains(",\"a, \"\"b\"\"\",active,never,key_"), "{csv}");
        let yaml = ok(&app, &["apikey", "get", "--output", "yaml"]);
        assert!(
            yaml.starts_with("data:") && yaml.contains("state: active"),
            "{yaml}"
        );
        for text in [csv, yaml, table] {
            assert!(!text.contains("argon2"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_named_wins_over_a_profile() {
    on_both_engines(|app| async move {
        let mut environment = app.environment();
        environment.push(("JETON_URL", "http://127.0.0.1:1"));
        environment.push(("JETON_API_KEY", &app.key));
        let run = |arguments: &[&str]| said(run_to_end(arguments, &environment));
        refused(&run(&["apikey", "get"]), 2, "cannot be reached");
        let database = environment[0].1;
        let named = ["apikey", "get", "--database-url", database];
        let (code, table, talk) = run(&named);
        assert_eq!(code, 0, "{talk}");
        assert!(table.contains(&app.key[..16]), "{table}");
        let (code, json, talk) = run(&[&named[..], &[&app.key[..16], "--output", "json"]].concat());
        assert_eq!(code, 0, "{talk}");
        let on_database: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            on_database,
            ok_json(&app, &["apikey", "get", &app.key[..16]])
        );
    })
    .await;
}

#[test]
fn completions_are_scripts() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef jeton"),
        ("fish", "complete -c jeton"),
    ] {
        let (code, script, _) = said(run_to_end(&["completions", shell], &[]));
        assert!(
            code == 0 && script.contains(sign) && script.contains("service-account"),
            "{shell}"
        );
    }
}
