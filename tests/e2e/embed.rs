//! The script for pages that embed: as served, against fake clocks and networks in Node, and in a real browser.

use std::io::Write;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::Value;
use storage::Engine;

use crate::support::{App, chromium, node, on_both_engines, repository};

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

#[tokio::test]
async fn in_a_browser_an_embedded_page_is_kept_supplied() {
    let app = App::start(Engine::Sqlite).await;
    let output = Command::new(node())
        .arg(repository().join("tests/browser/embed.mjs"))
        .arg(app.server.url())
        .env("JETON_TEST_CHROMIUM", chromium())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "the browser run failed: {output:?}"
    );
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let issued = texts(&seen["issued"]);
    let messages = seen["iframe"].as_array().unwrap();
    let tokens = messages.iter().filter(|it| it["type"] == "jeton:token");
    let mut received: Vec<_> = tokens
        .map(|it| it["token"].as_str().unwrap().to_owned())
        .collect();
    // The answer to a request may repeat a token.
    received.dedup();
    assert!(seen["renewed"].as_u64().unwrap() >= 3, "{seen}");
    assert!(received.len() > 3 && issued.ends_with(&received), "{seen}");
    let end = messages.last().unwrap();
    assert_eq!(
        (&end["type"], &end["reason"]),
        (&"jeton:end".into(), &"session_ended".into())
    );
    assert_eq!(seen["held"], Value::Null);
    // Null at the end, and before it tokens that were issued, the first ones perhaps missing: it was defined late.
    let component = seen["component"].as_array().unwrap();
    let (last, before) = component.split_last().unwrap();
    assert_eq!(*last, Value::Null, "{seen}");
    assert!(
        before.len() >= 3 && issued.ends_with(&texts(&before.to_vec().into())),
        "{seen}"
    );
    assert_eq!(seen["stranger"], Value::Array(Vec::new()));
    assert_eq!(seen["leaks"], 0, "{seen}");
    assert_eq!(seen["faults"], Value::Array(Vec::new()), "{seen}");
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|it| it.as_str().unwrap().to_owned()).collect()
}
