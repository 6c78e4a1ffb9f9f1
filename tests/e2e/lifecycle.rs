//! Starting, stopping, and what a server refuses to start with.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use storage::Engine;
use storage::testing::ScratchDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, on_both_engines, run_to_end};

fn request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } })
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_finishes_what_it_has_begun() {
    on_both_engines(|mut app| async move {
        let body = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } }).to_string();
        let (first_half, second_half) = body.split_at(20);
        let head = format!(
            "POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{first_half}",
            app.key,
            body.len()
        );
        let mut in_flight = TcpStream::connect(app.server.address()).await.unwrap();
        in_flight.write_all(head.as_bytes()).await.unwrap();
        // An idle connection that is kept alive must not hold up the end.
        let mut idle = TcpStream::connect(app.server.address()).await.unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
        assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);

        app.server.terminate();
        while TcpStream::connect(app.server.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        in_flight.write_all(second_half.as_bytes()).await.unwrap();
        let mut answer = String::new();
        in_flight.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(app.server.wait().success());
        assert_eq!(app.count_sessions().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stuck_client_does_not_keep_the_server_from_stopping() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start_with(engine, &[("JETON_DRAIN_TIMEOUT_SECONDS", "1")]).await;
        let mut stuck = TcpStream::connect(app.server.address()).await.unwrap();
        let head = format!(
            "POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n",
            app.key
        );
        stuck.write_all(head.as_bytes()).await.unwrap();
        app.get("/healthz").await;
        app.server.terminate();
        let stopped = tokio::task::spawn_blocking(move || app.server.wait());
        assert!(
            tokio::time::timeout(Duration::from_secs(30), stopped)
                .await
                .unwrap()
                .unwrap()
                .success()
        );
    }
}

#[tokio::test]
async fn readiness_follows_the_database() {
    on_both_engines(|app| async move {
        assert_eq!(app.get("/readyz").await.json(), json!({ "status": "ok" }));
        let mut tx = app.services.database.write().await.unwrap();
        storage::execute!(tx.conn(), "alter table organizations rename to hidden").unwrap();
        tx.commit().await.unwrap();
        let answer = app.get("/readyz").await;
        assert!(answer.status >= 500, "{answer:?}");
        assert_eq!(
            app.get("/healthz").await.status,
            200,
            "the process itself is well"
        );
        // What is in memory is trusted for the staleness bound, and not a moment longer.
        let refused = loop {
            let answer = app.issue(&request()).await;
            if answer.status != 201 {
                break answer;
            }
        };
        assert!(refused.status >= 500, "{refused:?}");
        assert!(!refused.text.contains("organizations"), "{}", refused.text);
    })
    .await;
}

#[tokio::test]
async fn a_draining_server_says_so_while_it_still_takes_connections() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start_with(engine, &[("JETON_DRAIN_DELAY_SECONDS", "3")]).await;
        app.server.terminate();
        let answer = loop {
            let answer = app.get("/readyz").await;
            if answer.status != 200 {
                break answer;
            }
        };
        answer.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "draining");
        app.issue(&request()).await.issued();
        assert!(app.server.wait().success());
    }
}

#[tokio::test]
async fn a_database_that_hangs_does_not_keep_the_server_from_stopping() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start_with(engine, &[("JETON_DRAIN_TIMEOUT_SECONDS", "1")]).await;
        app.issue(&request()).await.issued();
        let mut lock = app.services.database.write().await.unwrap();
        if engine == Engine::Postgres {
            storage::execute!(lock.conn(), "lock table sessions in access exclusive mode").unwrap();
        }
        let hanging = tokio::spawn(
            app.http
                .post(app.server.url() + "/v1/session-tokens")
                .header("x-api-key", &app.key)
                .json(&request())
                .send(),
        );
        app.get("/healthz").await;
        app.server.terminate();
        let stopped = tokio::task::spawn_blocking(move || app.server.wait());
        let stopped = tokio::time::timeout(Duration::from_secs(30), stopped).await;
        assert!(stopped.unwrap().unwrap().success());
        drop((lock, hanging));
    }
}

#[tokio::test]
async fn a_server_does_not_start_without_what_production_needs() {
    let output = run_to_end(&["serve"], &[]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    for setting in ["database_url", "master_secret", "public_url"] {
        assert!(told.contains(setting), "all at once: {told}");
    }
}

#[tokio::test]
async fn a_server_refuses_development_and_careless_settings() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = ScratchDatabase::create(engine).await;
        let secret = "0f1e".repeat(16);
        let dev_secret = format!("jeton-dev:{secret}");
        let good = [
            ("JETON_DATABASE_URL", database.url()),
            ("JETON_MASTER_SECRET", secret.as_str()),
            ("JETON_PUBLIC_URL", "https://tokens.test"),
            ("JETON_LISTEN", "127.0.0.1:0"),
        ];
        for (name, value, told) in [
            (
                "JETON_MASTER_SECRET",
                dev_secret.as_str(),
                "made by `jeton dev`",
            ),
            (
                "JETON_MASTER_SECRET",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "placeholder",
            ),
            ("JETON_MASTER_SECRET", "secret", "64 hex digits"),
            ("JETON_PUBLIC_URL", "http://tokens.test", "must be https"),
            ("JETON_PUBLIC_URL", "tokens.test", "public_url"),
            (
                "JETON_DATABASE_URL",
                "mysql://nowhere",
                "neither sqlite: nor postgres://",
            ),
            (
                "JETON_LISTNE",
                "127.0.0.1:0",
                "there is no setting `listne`",
            ),
            ("JETON_LISTEN", "everywhere", "listen"),
            (
                "JETON_REQUEST_TIMEOUT_SECONDS",
                "0",
                "`request_timeout_seconds` is from 1 to 300",
            ),
            ("JETON_KEYS__API_KEY_HASH__MEMORY_KIB", "1", "argon2"),
            ("JETON_HARMLESS", "x", "there is no setting"),
            // The database is empty: nobody migrated it.
            ("JETON_LISTEN", "127.0.0.1:0", "jeton migrate"),
        ] {
            let mut environment: Vec<_> =
                good.iter().copied().filter(|(it, _)| *it != name).collect();
            environment.push((name, value));
            let output = run_to_end(&["serve"], &environment);
            let printed = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}={value}: {printed}");
            assert!(printed.contains(told), "{name}={value}: {printed}");
            assert!(
                !printed.contains(&secret),
                "the secret is not printed: {printed}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_with_another_master_secret_does_not_start() {
    on_both_engines(|mut app| async move {
        app.server.terminate();
        app.server.wait();
        let other = "abcd".repeat(16);
        let mut environment = app.environment();
        environment.push(("JETON_MASTER_SECRET", &other));
        let output = run_to_end(&["serve"], &environment);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(
            printed.contains("does not open: the master secret is not the one it was sealed with"),
            "{printed}"
        );
    })
    .await;
}

#[tokio::test]
async fn flags_win_over_the_environment_which_wins_over_the_file() {
    let database = ScratchDatabase::create(Engine::Sqlite).await;
    let file = database
        .url()
        .trim_start_matches("sqlite:")
        .replace("jeton.db", "jeton.toml");
    std::fs::write(
        &file,
        "listen = \"127.0.0.1:1\"\npublic_url = \"https://file.test\"\ndrain_timeout_seconds = 3\n",
    )
    .unwrap();
    let show = [
        "config",
        "show",
        "--config",
        &file,
        "--listen",
        "127.0.0.1:3",
    ];
    let environment = [
        ("JETON_LISTEN", "127.0.0.1:2"),
        ("JETON_PUBLIC_URL", "https://env.test"),
        ("JETON_MASTER_SECRET", "s3cret"),
    ];
    let output = run_to_end(&show, &environment);
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in [
        "listen = \"127.0.0.1:3\"",
        "public_url = \"https://env.test\"",
        "drain_timeout_seconds = 3",
        "master_secret = \"***\"",
        "request_timeout_seconds = 10",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    assert!(!shown.contains("s3cret"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_so() {
    on_both_engines(|app| async move {
        let mut environment = app.environment();
        environment.push(("JETON_LISTEN", app.server.address()));
        let output = run_to_end(&["serve"], &environment);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("cannot listen on"), "{printed}");
    })
    .await;
}

#[tokio::test]
async fn a_typing_mistake_makes_no_database() {
    let directory = ScratchDatabase::create(Engine::Sqlite).await;
    let url = directory.url().replace("jeton.db", "typo.db");
    let environment = [
        ("JETON_DATABASE_URL", url.as_str()),
        (
            "JETON_MASTER_SECRET",
            "0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e0f1e",
        ),
    ];
    let output = run_to_end(&["apikey", "get"], &environment);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("there is no file"), "{printed}");
    assert!(!std::path::Path::new(url.trim_start_matches("sqlite:")).exists());
}
