//! Sessions in the console.

use serde_json::{Value, json};

use crate::support::{App, on_both_engines};

const SCRIPT: &str = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>";

impl App {
    async fn issues_for(&self, subject: &str, tenant: &str) -> Value {
        let body = json!({
            "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": tenant } },
        });
        self.issue(&body).await.issued()
    }
}

fn names(seen: &Value, name: &str) -> Vec<String> {
    serde_json::from_value(seen[name].clone()).unwrap()
}

#[tokio::test]
async fn sessions_are_found_read_and_revoked() {
    on_both_engines(|app| async move {
        for number in 0..24 {
            app.issues_for(&format!("old-{number}"), "t-1").await;
        }
        app.issues_for("user-2", "t-2").await;
        app.issues_for("user-2", "t-2").await;
        app.issues_for("user-3", "t-3").await;
        app.issues_for(SCRIPT, "t-4").await;
        let seen = app.walks("sessions", json!({ "script": SCRIPT })).await;
        let first = names(&seen, "first");
        assert_eq!(
            (first.len(), &first[..2]),
            (25, &[SCRIPT.to_owned(), "user-3".to_owned()][..])
        );
        assert_eq!(names(&seen, "second"), ["old-2", "old-1", "old-0"]);
        assert_eq!(names(&seen, "newest"), first);
        assert_eq!(names(&seen, "of_tenant"), ["user-2", "user-2"]);
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        assert!(text("none").contains("No session matches"), "{seen:#}");
        assert!(text("wrong").contains("key_"), "{seen:#}");
        assert_eq!(names(&seen, "script"), [SCRIPT]);
        assert_eq!(text("heading"), format!("{SCRIPT} active"));
        let revoked = text("revoked");
        assert!(
            revoked.contains("session.revoke") && revoked.contains("does not pass any more"),
            "{revoked}"
        );
        assert!(
            text("warning").contains("2 live sessions of user-2 stop working"),
            "{seen:#}"
        );
        assert!(text("refused").contains("Nothing was revoked"), "{seen:#}");
        assert_eq!(names(&seen, "left"), [""; 0]);
        let cut = text("cut");
        assert!(
            cut.contains("session.revoke_all by ada@acme.example")
                && cut.contains("for its subject"),
            "{cut}"
        );
        let answer = app
            .call(
                reqwest::Method::GET,
                "/v1/sessions?active=true&limit=100",
                None,
            )
            .await;
        assert_eq!(answer.json()["data"].as_array().unwrap().len(), 25);
    })
    .await;
}

#[tokio::test]
async fn who_may_only_read_is_offered_nothing_else_and_refused() {
    on_both_engines(|app| async move {
        app.key_of_a_viewer().await;
        app.issues_for("user-1", "t-1").await;
        let further = json!({ "viewer": "eve@acme.example", "chosen": app.key_choice() });
        let seen = app.walks("sessions_of_a_viewer", further).await;
        assert_eq!(
            json!([seen["issue"], seen["all"], seen["one"]]),
            json!([0, 0, 0])
        );
        assert!(
            seen["preview"].as_str().unwrap().contains("Granted"),
            "{seen:#}"
        );
        assert_eq!(seen["statuses"], json!([403, 403, 403]));
        assert_eq!(app.count_sessions().await, 1);
        let active = "/v1/sessions?active=true";
        let active = app.call(reqwest::Method::GET, active, None).await.json();
        assert_eq!(active["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn where_nothing_has_happened_the_pages_say_what_to_do_next() {
    on_both_engines(|app| async move {
        let nothing = json!({ "roles": [], "attributes": [] });
        let answer = app
            .call(reqwest::Method::PUT, "/v1/policy", Some(nothing))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let seen = app.walks("nothing_yet", json!({})).await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        assert!(
            text("sessions").contains("No token has been issued yet"),
            "{seen:#}"
        );
        assert!(
            text("playground").contains("Declare roles and attributes"),
            "{seen:#}"
        );
    })
    .await;
}
