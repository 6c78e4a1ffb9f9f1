//! Everything that leaves the server and is no success is a problem document.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use storage::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, on_both_engines};

#[tokio::test]
async fn unknown_paths_are_not_found() {
    on_both_engines(|app| async move {
        for path in [
            "/nothing",
            "/consolation",
            "/v1",
            "/v2/session-tokens",
            "/v1/session-tokens/",
            "/docs/nothing.js",
            "/orgs/nobody/.well-known/jwks.json",
            "/orgs/ACME/.well-known/jwks.json",
            "/orgs/%00/.well-known/jwks.json",
            "/orgs/acme/nothing",
        ] {
            app.get(path)
                .await
                .assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn below_the_console_errors_are_pages() {
    on_both_engines(|app| async move {
        for (path, status) in [
            ("/console/nothing", 404),
            ("/console/sign-in?unknown=1", 422),
            ("/console/assets/0/nothing.js", 404),
        ] {
            let answer = app.get(path).await;
            assert_eq!(answer.status, status, "{path}");
            let html = answer.header("content-type") == "text/html; charset=utf-8";
            assert_eq!(html, !path.contains("assets"), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    on_both_engines(|app| async move {
        for (method, path, allowed) in [
            (Method::GET, "/v1/session-tokens", "POST"),
            (Method::DELETE, "/v1/session-tokens", "POST"),
            (Method::POST, "/v1/account", "GET,HEAD"),
            (Method::POST, "/orgs/acme/.well-known/jwks.json", "GET,HEAD"),
        ] {
            let request = app
                .http
                .request(method, app.server.url() + path)
                .header("x-http-method-override", "POST");
            let answer = app.send(request).await;
            answer.assert_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            assert_eq!(answer.header("allow"), allowed);
        }
    })
    .await;
}

#[tokio::test]
async fn only_plain_json_bodies_are_read() {
    on_both_engines(|app| async move {
        let request = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } });
        let post = || {
            app.http.post(app.server.url() + "/v1/session-tokens").header("x-api-key", &app.key).body(request.to_string())
        };
        for content_type in ["text/plain", "application/json+evil", "multipart/form-data", "application/json; charset=utf-16", ""] {
            let answer = app.send(post().header("content-type", content_type)).await;
            answer.assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        }
        app.send(post()).await.assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        let compressed = post().header("content-type", "application/json").header("content-encoding", "gzip");
        app.send(compressed).await.assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        for content_type in ["application/json", "Application/JSON; charset=UTF-8"] {
            app.send(post().header("content-type", content_type)).await.issued();
        }
    })
    .await;
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_safe_headers() {
    on_both_engines(|app| async move {
        let own = app
            .send(
                app.http
                    .get(app.server.url() + "/healthz")
                    .header("x-request-id", "trace-1.a_B"),
            )
            .await;
        assert_eq!(own.header("x-request-id"), "trace-1.a_B");
        for path in [
            "/healthz",
            "/nothing",
            "/v1/account",
            "/docs/",
            "/openapi.json",
        ] {
            let request = app
                .http
                .get(app.server.url() + path)
                .header("x-request-id", "not \" plain");
            let answer = app.send(request).await;
            assert!(answer.header("x-request-id").starts_with("req_"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
            assert!(
                answer
                    .header("content-security-policy")
                    .contains("frame-ancestors 'none'"),
                "{path}"
            );
            assert!(
                answer
                    .header("strict-transport-security")
                    .contains("max-age=63072000"),
                "{path}"
            );
            assert!(!answer.headers.contains_key("server"), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[("JETON_REQUEST_TIMEOUT_SECONDS", "1")]).await;
        let mut connection = TcpStream::connect(app.server.address()).await.unwrap();
        let head = format!(
            "POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{\"user\":",
            app.key
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(
            answer.contains("application/problem+json")
                && answer.contains("\"code\":\"request_timeout\""),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_head_that_does_not_arrive_closes_the_connection() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[("JETON_HEADER_TIMEOUT_SECONDS", "1")]).await;
        for half in ["", "POST /v1/session-tokens HTTP/1.1\r\nhost: t\r\nx-api-"] {
            let mut connection = TcpStream::connect(app.server.address()).await.unwrap();
            connection.write_all(half.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let closed =
                tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut answer))
                    .await;
            assert!(closed.is_ok(), "{half:?} is still open");
        }
    }
}

#[tokio::test]
async fn a_database_that_does_not_take_the_row_means_no_token_and_a_timeout() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[("JETON_REQUEST_TIMEOUT_SECONDS", "1")]).await;
        app.issue(&a_request()).await.issued();
        match engine {
            Engine::Sqlite => {
                // Rows are committed to the intake.
                let intake = SqliteConnectOptions::new().filename(app.database_file() + ".intake");
                let mut lock = intake.connect().await.unwrap();
                let begin = sqlx::query("begin immediate");
                begin.execute(&mut lock).await.unwrap();
                times_out(&app).await;
            }
            Engine::Postgres => {
                let mut lock = app.services.database.write().await.unwrap();
                let sql = "lock table sessions in access exclusive mode";
                storage::execute!(lock.conn(), sql).unwrap();
                times_out(&app).await;
            }
        }
    }
}

fn a_request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } })
}

async fn times_out(app: &App) {
    let answer = app.issue(&a_request()).await;
    answer.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "timeout");
    assert_eq!(answer.header("retry-after"), "1");
}

/// Rows wait in the intake meanwhile.
#[tokio::test]
async fn whoever_writes_to_an_embedded_database_for_long_holds_up_no_token() {
    let app = App::start_with(Engine::Sqlite, &[("JETON_REQUEST_TIMEOUT_SECONDS", "1")]).await;
    let lock = app.services.database.write().await.unwrap();
    let answers = [1, 2, 3].map(|_| async { app.issue(&a_request()).await.issued() });
    let answers = futures::future::join_all(answers).await;
    drop(lock);
    for answer in &answers {
        assert!(app.is_active(answer["token"].as_str().unwrap()).await);
        assert!(app.has_session(answer).await);
    }
    assert_eq!(app.count_sessions().await, 3);
}
