//! A person's own page.

use serde_json::json;

use crate::support::on_both_engines;

#[tokio::test]
async fn a_password_a_second_factor_and_sessions_are_ones_own() {
    on_both_engines(|app| async move {
        let seen = app.walks("profile", json!({})).await;
        assert_eq!(seen["codes"].as_array().unwrap().len(), 10);
        for ended in ["otherEnded", "endedOne", "endedAll"] {
            assert_eq!(seen[ended], "/console/sign-in", "{ended}");
        }
    })
    .await;
}
