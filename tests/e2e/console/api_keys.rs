//! Profile → API keys, step by step, with and without JavaScript; and the code that people paste.

use key_admin::KeyFilter;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{App, on_both_engines};

impl App {
    async fn key_names(&self) -> Vec<String> {
        let keys = &self.services.keys;
        let all = KeyFilter::default();
        let found = keys.list_keys(self.organization.id, &all, None, 100).await;
        let found = found.unwrap().into_iter();
        found.map(|listed| listed.key.name).collect()
    }
}

#[tokio::test]
async fn a_key_is_generated_copied_listed_changed_rotated_revoked_and_deleted() {
    on_both_engines(|app| async move {
        let seen = app.walks("api_keys", json!({})).await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        let (secret, rotated) = (text("secret"), text("rotated"));
        assert!(secret.starts_with("jtn_") && seen["kept"] == true, "{seen}");
        assert_eq!(text("copied"), secret);
        assert!(rotated.starts_with(&secret[..16]) && rotated != secret);
        let listed = text("listed");
        assert!(
            listed.contains(&secret[..16]) && !listed.contains(&secret),
            "{listed}"
        );
        for word in ["active", "tokens:issue", "never", "in 29 days"] {
            assert!(listed.contains(word), "{word} in {listed}");
        }
        assert!(
            !app.key_names()
                .await
                .contains(&"Dashboards (EU)".to_owned())
        );
        let answer = app
            .call_with(&rotated, Method::GET, "/v1/account", None)
            .await;
        assert_eq!(answer.status, 401);
    })
    .await;
}

#[tokio::test]
async fn without_javascript_a_key_is_made_seen_once_and_revoked() {
    on_both_engines(|app| async move {
        let seen = app.walks("without_script", json!({})).await;
        let secret = seen["secret"].as_str().unwrap();
        assert!(secret.starts_with("jtn_"), "{seen}");
        assert!(seen["code"].as_str().unwrap().contains(secret), "{seen}");
        assert_eq!(seen["buttons"], 0, "a button that needs JavaScript");
        assert_eq!(seen["again"], false, "the list shows the secret");
        assert_eq!(seen["details"], false, "the key's page shows the secret");
        let refused = app
            .call_with(secret, Method::GET, "/v1/account", None)
            .await;
        refused.assert_problem(StatusCode::UNAUTHORIZED, "key_revoked");
    })
    .await;
}
