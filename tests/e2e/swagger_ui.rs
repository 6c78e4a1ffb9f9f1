//! Swagger UI and the reference in a real browser that can reach nothing but the server.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use storage::Engine;

use crate::dev::Home;
use crate::support::{App, chromium, decode, node, python, repository, screenshots};

/// Has the browser use the documentation of a server; without a key it must know one.
fn browse(url: &str, pictures: &str, key: &str) -> Value {
    let pictures = screenshots().join(pictures);
    std::fs::create_dir_all(&pictures).unwrap();
    let mut browser = Command::new(node())
        .arg(repository().join("tests/browser/swagger.mjs"))
        .arg(url)
        .arg(&pictures)
        .env("JETON_TEST_CHROMIUM", chromium())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = browser.stdin.take().unwrap();
    stdin.write_all(key.as_bytes()).unwrap();
    drop(stdin);
    let output = browser.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the browser run failed: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    for picture in ["swagger.png", "swagger-executed.png", "reference.png"] {
        let size = pictures.join(picture).metadata().unwrap().len();
        assert!(size > 10_000, "{picture}");
    }
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The tags of the document, each once.
fn tags() -> Vec<String> {
    let document = std::fs::read(repository().join("openapi/openapi.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let tags = document["tags"].as_array().unwrap().iter();
    let mut tags: Vec<_> = tags
        .map(|tag| tag["name"].as_str().unwrap().to_owned())
        .collect();
    tags.sort_unstable();
    tags
}

#[tokio::test]
async fn swagger_ui_executes_an_operation_of_each_tag_without_a_network() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start(engine).await;
        let pictures = format!("swagger-{engine:?}").to_lowercase();
        let seen = browse(&app.server.url(), &pictures, &app.key);
        let (_, claims) = decode(seen["token"].as_str().unwrap());
        assert_eq!(claims["sub"], "user-42");
        assert_eq!(app.count_sessions().await, 1);
        let mut executed: Vec<String> = serde_json::from_value(seen["tags"].clone()).unwrap();
        executed.sort_unstable();
        assert_eq!(executed, tags());
    }
}

#[tokio::test]
async fn the_requests_that_swagger_ui_shows_can_be_pasted_and_run() {
    let app = App::start(Engine::Sqlite).await;
    let seen = browse(&app.server.url(), "swagger-snippets", &app.key);
    let source = |language: &str| seen["snippets"][language].as_str().unwrap().to_owned();
    let scratch = screenshots().join("swagger-snippets");
    let run = |program: &Path, file: &str, source: &str| {
        std::fs::write(scratch.join(file), source).unwrap();
        let output = Command::new(program)
            .arg(scratch.join(file))
            .output()
            .unwrap();
        assert!(output.status.success(), "{source}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (program, file, language) in [
        (node(), "request.mjs", "Node.js"),
        (python(), "request.py", "Python"),
    ] {
        let printed = run(program.as_ref(), file, &source(language));
        let (status, body) = printed.trim().split_once(' ').unwrap();
        assert_eq!(status, "201", "{language}: {printed}");
        let answer: Value = serde_json::from_str(body).unwrap();
        assert!(app.has_session(&answer).await, "{language}");
    }
    let printed = run("bash".as_ref(), "request.sh", &source("curl"));
    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert!(app.has_session(&answer).await);
    assert_eq!(app.count_sessions().await, 4);
}

#[tokio::test]
async fn in_development_and_only_there_swagger_ui_has_a_key() {
    let home = Home::new(Engine::Sqlite).await;
    let server = home.dev("127.0.0.1:0");
    server.wait_for_output("dev-credentials.json");
    let seen = browse(&server.url(), "swagger-dev", "");
    let (_, claims) = decode(seen["token"].as_str().unwrap());
    assert_eq!(claims["sub"], "user-42");

    let http = reqwest::Client::new();
    let settings = async |host: Option<&str>, url: String| -> Value {
        let mut request = http.get(url + "/docs/settings.json");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        answer.json().await.unwrap()
    };
    let key = home.credentials()["api_key"].clone();
    assert_eq!(settings(None, server.url()).await["api_key"], key);
    // A page whose name has been made to lead to this machine is told nothing.
    for host in ["attacker.example", "127.0.0.1.attacker.example:80", ""] {
        let told = settings(Some(host), server.url()).await;
        assert_eq!(told.get("api_key"), None, "{host}");
    }
    let app = App::start(Engine::Sqlite).await;
    let told = settings(None, app.server.url()).await;
    assert_eq!(told.to_string(), r#"{"persist_authorization":false}"#);
}
