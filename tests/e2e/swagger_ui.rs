//! Swagger UI in a real browser that can reach nothing but the server.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{App, chromium, decode, node, repository, screenshots};

#[tokio::test]
async fn swagger_ui_loads_without_a_network_takes_the_key_and_issues_a_token() {
    for engine in [storage::Engine::Sqlite, storage::Engine::Postgres] {
        let app = App::start(engine).await;
        let pictures = screenshots().join(format!("swagger-{engine:?}").to_lowercase());
        std::fs::create_dir_all(&pictures).unwrap();
        let mut browser = Command::new(node())
            .arg(repository().join("tests/browser/swagger.mjs"))
            .arg(app.server.url())
            .arg(&pictures)
            .env("JETON_TEST_CHROMIUM", chromium())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        browser
            .stdin
            .take()
            .unwrap()
            .write_all(app.key.as_bytes())
            .unwrap();
        let output = browser.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "the browser run failed: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen["status"], 201, "{seen}");
        let (_, claims) = decode(seen["token"].as_str().unwrap());
        assert_eq!(claims["sub"], "user-42");
        assert_eq!(app.count_sessions().await, 1);
        for picture in ["swagger.png", "swagger-executed.png"] {
            assert!(
                pictures.join(picture).metadata().unwrap().len() > 10_000,
                "{picture}"
            );
        }
    }
}
