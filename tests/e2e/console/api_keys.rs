//! Profile → API keys, step by step, with and without JavaScript; and the code that people paste.

use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{decode, jeton_binary, node, on_both_engines, python};

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

#[tokio::test]
async fn the_code_beside_a_new_key_runs_as_it_is_shown() {
    on_both_engines(|app| async move {
        let snippets = app.walks("snippets", json!({})).await;
        // What is behind the address in production is here behind another.
        let code = |language: &str| {
            let shown = snippets[language].as_str().unwrap();
            shown.replace("https://tokens.test", &app.server.url())
        };
        let prints = |command: &mut Command| {
            let output = command.env("NO_PROXY", "127.0.0.1").output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let answer = prints(Command::new("sh").args(["-c", &code("curl")]));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let mut tokens = vec![answer["token"].as_str().unwrap().to_owned()];
        let module = ["--input-type=module", "-e", &code("Node")];
        tokens.push(prints(Command::new(node()).args(module)));
        tokens.push(prints(Command::new(python()).args(["-c", &code("Python")])));
        let jeton = jeton_binary().parent().unwrap().display();
        let line = format!("PATH={jeton}:$PATH; {}", code("CLI"));
        tokens.push(prints(Command::new("sh").args(["-c", &line])));
        for token in &tokens {
            let (_, claims) = decode(token.trim());
            assert_eq!(claims["roles"], json!(["viewer"]));
            assert_eq!(claims["attributes"]["regions"], json!(["eu"]));
        }
        assert_eq!(app.count_sessions().await, 4);
        for language in ["Rust", "Go"] {
            assert!(code(language).contains("/v1/session-tokens"), "{language}");
        }
    })
    .await;
}
