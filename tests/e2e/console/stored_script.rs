//! A stored script is text wherever it is shown.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, on_both_engines};

const SCRIPT: &str =
    r#"</textarea><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'{{7*7}}"#;

impl App {
    async fn makes(&self, path: &str, body: Value) -> Value {
        let made = self.call(Method::POST, path, Some(body)).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        made.json()
    }

    /// The script, in every text that somebody can store. Answers the pages that show one.
    async fn stores_scripts(&self) -> Vec<(String, bool)> {
        let key = json!({ "name": SCRIPT, "permissions": ["tokens:issue"] });
        let key = self.makes("/v1/api-keys", key).await;
        let id = key["api_key"]["id"].as_str().unwrap();
        let user = json!({
            "email": "eve@acme.example", "name": SCRIPT, "role": "viewer",
            "password": "a long enough secret sentence",
        });
        let user = self.makes("/v1/users", user).await;
        let account = self
            .makes("/v1/service-accounts", json!({ "name": SCRIPT }))
            .await;
        let role = json!({ "name": "scripted", "description": SCRIPT });
        self.makes("/v1/roles", role).await;
        let attribute = json!({ "name": "scripted", "type": "string", "description": SCRIPT });
        self.makes("/v1/attributes", attribute).await;
        let audience = json!({ "name": "scripted", "aud": SCRIPT });
        let audience = self.makes("/v1/audiences", audience).await;
        let token = json!({
            "user": {
                "id": SCRIPT,
                "roles": ["viewer"],
                "attributes": { "tenant_id": "t-1", "scripted": SCRIPT },
            },
            "resources": [{ "type": "dashboard", "id": SCRIPT }],
        });
        let token = self.issue(&token).await.issued();
        let revoked = json!({ "reason": SCRIPT });
        let path = format!("/v1/api-keys/{id}/revoke");
        let revoked = self.call(Method::POST, &path, Some(revoked)).await;
        assert_eq!(revoked.status, 200);

        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |noun: &str, id: &Value| format!("/console/{noun}/{}", text(id));
        let subject: String = url_encoded(SCRIPT);
        vec![
            ("/console".into(), false),
            ("/console/profile".into(), true),
            ("/console/profile/api-keys?whose=all".into(), true),
            (format!("/console/profile/api-keys?search={subject}"), true),
            (format!("/console/profile/api-keys/{id}"), true),
            ("/console/profile/api-keys/new".into(), true),
            ("/console/playground".into(), true),
            ("/console/tokens".into(), false),
            ("/console/sessions".into(), true),
            (format!("/console/sessions?subject={subject}"), true),
            (of("sessions", &token["session_id"]), true),
            ("/console/policy".into(), true),
            ("/console/audiences".into(), true),
            (of("audiences", &audience["id"]), true),
            ("/console/users".into(), true),
            (of("users", &user["id"]), true),
            ("/console/service-accounts".into(), true),
            (of("service-accounts", &account["id"]), true),
            ("/console/audit".into(), true),
        ]
    }
}

fn url_encoded(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://host", [("v", text)]).unwrap();
    url.query().unwrap()["v=".len()..].to_owned()
}

#[tokio::test]
async fn a_stored_script_is_text_wherever_it_is_shown() {
    on_both_engines(|app| async move {
        let pages = app.stores_scripts().await;
        let paths: Vec<&str> = pages.iter().map(|(path, _)| path.as_str()).collect();
        let task = json!({ "script": SCRIPT, "pages": paths });
        let shown = app.walks("stored_script", task).await;
        for (path, shows) in &pages {
            let times = shown[path]["times"].as_u64().unwrap();
            assert!(
                times > 0 || !shows,
                "{path} does not show it: the test tests nothing"
            );
        }
    })
    .await;
}
