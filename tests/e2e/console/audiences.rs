//! Audiences in the console.

use serde_json::{Value, json};

use crate::support::on_both_engines;

const SCRIPT: &str = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>";
const SECRET: &str = "canary-0123456789abcdef0123456789abcdef";

#[track_caller]
fn has(seen: &Value, name: &str, words: &[&str]) {
    let text = seen[name].as_str().unwrap_or_default();
    for word in words {
        assert!(text.contains(word), "{name} has no {word}: {seen:#}");
    }
}

#[tokio::test]
async fn an_audience_is_made_shaped_and_deleted() {
    on_both_engines(|app| async move {
        let task = json!({ "secret": SECRET, "script": SCRIPT });
        let seen = app.walks("audiences", task).await;
        has(&seen, "badName", &["1 to 64 characters"]);
        has(
            &seen,
            "first",
            &["x-hasura-default-role", "bytes that the audience allows"],
        );
        has(
            &seen,
            "fault",
            &["Line 3, column 10 (/who)", "no `user.name`"],
        );
        has(
            &seen,
            "sample",
            &["known-as", "user-7", "\"tenant\": \"t-1\"", "<script>"],
        );
        assert_eq!(seen["silent"], "");
        has(&seen, "badOrigin", &["https://app.example.com/path"]);
        has(&seen, "badGrace", &["between 0 and 300"]);
        let kids = |name: &str| seen[name].as_array().unwrap().clone();
        assert_eq!(kids("before").len(), 2);
        assert_eq!(kids("before")[0], kids("after")[0], "{seen:#}");
        assert_ne!(kids("before")[1], kids("after")[1], "{seen:#}");
        has(&seen, "tooNew", &["next key can sign in"]);
        has(&seen, "badKey", &["PEM"]);
        assert_eq!(seen["copied"], app.issuer());
        has(&seen, "noSecret", &["metabase"]);
        assert_eq!(
            (&seen["shown"], &seen["leaked"]),
            (&json!(false), &json!(false))
        );
        has(&seen, "kept", &["Nothing was deleted"]);
        assert_eq!(seen["left"], json!(["default", "metabase"]));
        let events = app
            .call(reqwest::Method::GET, "/v1/audit-events?limit=100", None)
            .await;
        assert!(!events.text.contains(SECRET) && events.text.contains("signing_key.import"));
    })
    .await;
}
