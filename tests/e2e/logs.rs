//! Logs and output hold no secret and no token, whatever happens.

use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::Engine;

use crate::support::{App, MASTER_SECRET, PASSWORD};

#[tokio::test]
async fn no_secret_reaches_the_log_even_at_trace_level() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start_with(engine, &[("JETON_LOG__FILTER", "trace")]).await;
        let request = json!({
            "user": { "id": "subject-canary", "roles": ["viewer"], "attributes": { "tenant_id": "tenant-canary" } },
        });
        let token = app.issue(&request).await.token();
        let guessed = app.key.replace("jtn_", "jtn_x");
        app.issue_with(&guessed, &request).await;
        app.issue(&json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": ["tenant-canary"] } } })).await;
        app.issue(&json!({ "key-canary": app.key })).await;
        let misplaced = app
            .get(&format!("/v1/account/{}?api_key={}", app.key, app.key))
            .await;
        misplaced.assert_problem(StatusCode::NOT_FOUND, "not_found");
        let basic = app
            .http
            .get(app.server.url() + "/v1/account")
            .basic_auth("key", Some(&app.key));
        app.send(basic).await;

        app.server.terminate();
        app.server.wait();
        let printed = app.server.everything_printed();
        assert!(printed.contains("answered"), "there is a log");
        let secret = &app.key["jtn_".len() + 13..];
        let signature = token.rsplit('.').next().unwrap();
        for canary in [
            secret,
            &secret[..20],
            signature,
            &token[..60],
            PASSWORD,
            "tenant-canary",
            "subject-canary",
            MASTER_SECRET,
        ] {
            assert!(!printed.contains(canary), "the log holds {canary}");
        }
    }
}

#[tokio::test]
async fn each_request_is_one_line_of_json_with_its_id_and_route() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start(engine).await;
        let hostile = app
            .http
            .get(app.server.url() + "/v1/account")
            .header("x-request-id", "line-1");
        app.send(hostile.header("user-agent", "evil\"}{ \\n")).await;
        app.server.terminate();
        app.server.wait();
        let log = app.server.log();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let line = lines
            .iter()
            .find(|line| line["span"]["request_id"] == "line-1")
            .unwrap();
        assert_eq!(
            (&line["span"]["route"], &line["status"]),
            (&json!("/v1/account"), &json!(401))
        );
        assert!(line["micros"].is_u64());
    }
}

#[tokio::test]
async fn a_postgresql_that_does_not_wait_for_its_disk_is_warned_of() {
    let warning = "PostgreSQL does not wait for its disk";
    let mut app = App::start(Engine::Postgres).await;
    let off = "do $$ begin
        execute format('alter database %I set synchronous_commit = off', current_database()); end $$";
    let mut read = app.services.database.read().await.unwrap();
    storage::execute!(read.conn(), off).unwrap();
    drop(read);
    app.server.kill();
    app.restart();
    let log = app.server.log();
    let mut warnings = log.lines().filter(|line| line.contains(warning));
    let line: Value = serde_json::from_str(warnings.next().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    let off = line["off"].as_str().unwrap();
    assert!(off.contains("synchronous_commit"), "{line}");

    let app = App::start(Engine::Sqlite).await;
    assert!(!app.server.log().contains(warning));
}
