//! Sessions from the command line, on a running server.

use serde_json::{Value, json};

use crate::cli_http::{ok, ok_json};
use crate::support::{App, decode, on_both_engines};

async fn issues(app: &App, subject: &str, tenant: &str) -> String {
    let request = json!({ "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": tenant } } });
    let issued = app.issue(&request).await.issued();
    issued["session_id"].as_str().unwrap().to_owned()
}

fn states(app: &App, filter: &[&str]) -> Vec<(String, String)> {
    let listed = ok_json(app, &[&["session", "list"], filter].concat());
    let rows = listed.as_array().or_else(|| listed["data"].as_array());
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows.unwrap().iter();
    rows.map(|row| (text(row, "subject"), text(row, "state")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |&(subject, state): &(&str, &str)| (subject.to_owned(), state.to_owned());
    expected.iter().map(pair).collect()
}

#[tokio::test]
async fn sessions_are_found_shown_and_revoked() {
    on_both_engines(|app| async move {
        let ada = issues(&app, "ada", "t-1").await;
        issues(&app, "bob", "t-2").await;
        issues(&app, "eve", "t-2").await;
        assert_eq!(
            states(&app, &["--active"]),
            pairs(&[("eve", "active"), ("bob", "active"), ("ada", "active")])
        );
        assert_eq!(
            states(&app, &["--attribute", "tenant_id=t-1"]),
            pairs(&[("ada", "active")])
        );
        let shown = ok_json(&app, &["session", "get", &ada]);
        assert_eq!(shown["subject"], "ada");

        ok(&app, &["session", "revoke", &ada]);
        ok(&app, &["session", "revoke", "--subject", "bob"]);
        ok(&app, &["session", "revoke", "--attribute", "tenant_id=t-2"]);
        assert_eq!(
            states(&app, &[]),
            pairs(&[("eve", "revoked"), ("bob", "revoked"), ("ada", "revoked")])
        );
        assert_eq!(states(&app, &["--active"]), pairs(&[]));
    })
    .await;
}

#[tokio::test]
async fn a_token_is_issued_and_printed_alone() {
    on_both_engines(|app| async move {
        let request = [
            "token",
            "issue",
            "--user",
            "ada",
            "--role",
            "viewer",
            "--attribute",
            "tenant_id=t-1",
        ];
        let token = ok(&app, &request);
        let (_, claims) = decode(token.trim());
        assert_eq!(claims["sub"], "ada");
        assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));
        let answer = ok_json(&app, &[&request[..], &["--ttl", "60"]].concat());
        assert_eq!(answer["expires_in"], 60);
        assert_eq!(app.count_sessions().await, 2);
    })
    .await;
}
