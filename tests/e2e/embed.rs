//! The script for pages that embed: as served, against fake clocks and networks in Node, and in a real browser.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use storage::Engine;

use crate::support::{App, chromium, decode, node, on_both_engines, repository};

const PATH: &str = "/embed/session.js";

#[tokio::test]
async fn any_page_may_load_and_keep_the_script() {
    on_both_engines(|app| async move {
        let served = app.get(PATH).await;
        assert_eq!(served.status, 200);
        for (header, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("cache-control", "public, max-age=3600"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(served.header(header), value, "{header}");
        }
        let tag = served.header("etag").to_owned();
        for (known, status) in [(tag.as_str(), 304), ("\"other\"", 200)] {
            let request = app.http.get(app.server.url() + PATH);
            let again = app.send(request.header("if-none-match", known)).await;
            assert_eq!(again.status, status, "{known}");
            assert_eq!(again.header("etag"), tag);
            assert_eq!(again.header("access-control-allow-origin"), "*");
            assert_eq!(again.text.is_empty(), status == 304);
        }
        let posted = app.call(Method::POST, PATH, None).await;
        assert_eq!(posted.status, 405);
    })
    .await;
}

/// Runs one of `tests/js` on the served script; answers how many tests it has run.
fn run(script: &str, name: &str) -> usize {
    let mut child = Command::new(node())
        .arg("--test-reporter=tap")
        .arg(repository().join("tests/js").join(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}:\n{report}");
    let passed = report.lines().find_map(|line| line.strip_prefix("# pass "));
    passed.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_script_behaves_as_documented() {
    let app = App::start(Engine::Sqlite).await;
    let script = app.get(PATH).await.text;
    for (name, at_least) in [
        ("session.test.mjs", 70),
        ("handing.test.mjs", 15),
        ("chaos.test.mjs", 12),
    ] {
        let passed = run(&script, name);
        assert!(passed >= at_least, "{name}: {passed}");
    }
}

/// Runs the two pages until their session ends, once their origin may renew.
async fn embedded(app: &App) -> Value {
    let mut child = Command::new(node())
        .arg(repository().join("tests/browser/embed.mjs"))
        .arg(app.server.url())
        .env("JETON_TEST_CHROMIUM", chromium())
        .env("JETON_API_KEY", &app.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let host = lines.next().unwrap().unwrap();
    app.lets_pages_renew(&[&host], json!({ "session_seconds": SESSION }))
        .await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"authorized\n").unwrap();
    let seen = lines.next().unwrap();
    assert!(child.wait().unwrap().success());
    serde_json::from_str(&seen.unwrap()).unwrap()
}

/// The life of a token in `embed.mjs`, and of a session, in seconds.
const LIFE: i64 = 3;
const SESSION: i64 = 20;

#[tokio::test]
async fn in_a_browser_an_embedded_page_is_kept_supplied_until_its_session_ends() {
    on_both_engines(|app| async move {
        let seen = embedded(&app).await;
        let messages = seen["iframe"].as_array().unwrap();
        let tokens = messages.iter().filter(|it| it["type"] == "jeton:token");
        let mut received: Vec<_> = tokens
            .map(|it| it["token"].as_str().unwrap().to_owned())
            .collect();
        // The answer to a request may repeat a token.
        received.dedup();
        // On a machine that stands still for longer than a token lives, the page begins again.
        let issued = texts(&seen["issued"]);
        let begun = issued.last().unwrap();
        let begun = received.iter().position(|it| it == begun).unwrap_or(0);
        let chain: Vec<Value> = received[begun..].iter().map(|it| decode(it).1).collect();
        let renewed = chain.len() - 1;
        assert!(renewed >= 6, "{seen}");
        let (first, last) = (&chain[0], &chain[renewed]);
        let time = |claims: &Value, name: &str| claims[name].as_i64().unwrap();
        let ends = time(first, "iat") + SESSION;
        assert!(ends - time(first, "iat") >= 6 * LIFE);
        assert_eq!(
            time(last, "exp"),
            ends,
            "the last token ends with the session: {seen}"
        );
        for claims in &chain {
            assert!(time(claims, "exp") - time(claims, "iat") <= LIFE);
            for same in ["sub", "roles", "attributes", "aud"] {
                assert_eq!(claims[same], first[same]);
            }
        }
        let end = messages.last().unwrap();
        assert_eq!(
            (&end["type"], &end["reason"]),
            (&"jeton:end".into(), &"session_ended".into())
        );
        assert_eq!(seen["after"], 0, "nothing is asked after the end: {seen}");
        assert_eq!(seen["held"], Value::Null);
        // Null at the end, and before it the same tokens, the first ones perhaps missing: it was defined late.
        let component = seen["component"].as_array().unwrap();
        let (nothing, before) = component.split_last().unwrap();
        assert_eq!(*nothing, Value::Null, "{seen}");
        let before = texts(&before.to_vec().into());
        assert!(before.len() >= 6 && received.ends_with(&before), "{seen}");
        assert_eq!(seen["stranger"], Value::Array(Vec::new()));
        // The browser shows a page of another origin nothing, and the token is as good as before.
        assert_eq!(
            seen["unauthorized"],
            json!({ "tried": "TypeError", "renewed": 201 })
        );
        assert_eq!(seen["leaks"], 0, "{seen}");
        assert_eq!(seen["faults"], Value::Array(Vec::new()), "{seen}");
    })
    .await;
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|it| it.as_str().unwrap().to_owned()).collect()
}
