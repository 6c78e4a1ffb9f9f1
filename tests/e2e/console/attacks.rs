//! What other sites and other people try.

use serde_json::json;

use crate::support::on_both_engines;

#[tokio::test]
async fn forged_forms_fixed_sessions_frames_and_redirects_come_to_nothing() {
    on_both_engines(|app| async move {
        let before = app.key_names().await.len();
        let seen = app.walks("attacks", json!({})).await;
        for (how, status) in seen["forgeries"].as_object().unwrap() {
            let expected = match how.as_str() {
                "our own form" => 201,
                "JSON" => 400,
                // Without a session there is nobody: the answer leads to the sign-in.
                "another site's form" | "two cookies" => 303,
                _ => 403,
            };
            assert_eq!(*status, expected, "{how}");
        }
        let names = app.key_names().await;
        assert_eq!(names.len(), before + 1, "{names:?}");
        assert!(names.contains(&"ours".to_owned()), "{names:?}");

        let fixation = &seen["fixation"];
        assert_eq!(fixation["renewed"], true, "{fixation}");
        let opens = json!({ "planted": 303, "ended": 303, "current": 200 });
        assert_eq!(fixation["opens"], opens);
        let cookie = json!({
            "httpOnly": true, "secure": true, "sameSite": "Lax", "domain": "tokens.test", "path": "/",
        });
        assert_eq!(fixation["cookie"], cookie);

        let framed = &seen["framed"];
        assert_eq!(framed["inside"], 0, "{framed}");
        let message = framed["message"].as_str().unwrap();
        assert!(message.contains("frame-ancestors 'none'"), "{message}");
        for (next, place) in seen["redirects"].as_object().unwrap() {
            assert_eq!(place, "https://tokens.test/console", "{next}");
        }
        let refused = seen["refused"].as_array().unwrap();
        assert_eq!(refused[0], refused[1], "one answer, whatever was wrong");
    })
    .await;
}
