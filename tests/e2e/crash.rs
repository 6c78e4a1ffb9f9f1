//! `kill -9` in the middle of issuing: every token that was answered has its row and still verifies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jeton_verifier::Verifier;
use serde_json::{Value, json};
use storage::Engine;

use crate::support::{App, decode};

#[tokio::test]
async fn every_answered_token_survives_kill_9_with_its_session() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for round in 0..5 {
            let mut app = App::start(engine).await;
            let kill_after = 20 + round * 35;
            let answered = issue_two_hundred_and_kill(&mut app, kill_after).await;
            assert!(
                answered.len() >= kill_after && answered.len() < 200,
                "{} of 200",
                answered.len()
            );

            app.restart();
            let jwks = app.get("/orgs/acme/.well-known/jwks.json").await.text;
            let verifier = Verifier::new(&app.issuer(), "default", &jwks).unwrap();
            for answer in &answered {
                assert!(
                    app.has_session(answer).await,
                    "no row for {}",
                    answer["session_id"]
                );
                let token = answer["token"].as_str().unwrap();
                verifier
                    .verify(token, decode(token).1["iat"].as_u64().unwrap())
                    .unwrap();
            }
        }
    }
}

/// Kills the server as soon as `kill_after` of 200 concurrent requests are answered; gives what was answered.
async fn issue_two_hundred_and_kill(app: &mut App, kill_after: usize) -> Vec<Value> {
    let done = Arc::new(AtomicUsize::new(0));
    let mut requests = tokio::task::JoinSet::new();
    let places = Arc::new(tokio::sync::Semaphore::new(8));
    for number in 0..200 {
        let request = app
            .http
            .post(app.server.url() + "/v1/session-tokens")
            .header("x-api-key", &app.key)
            .json(&json!({
                "user": { "id": format!("user-{number}"), "roles": ["viewer"], "attributes": { "tenant_id": "t" } },
            }));
        let (done, places) = (done.clone(), places.clone());
        requests.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let response = request.send().await.ok()?;
            assert_eq!(response.status(), 201);
            let answer: Value = response.json().await.ok()?;
            done.fetch_add(1, Ordering::SeqCst);
            Some(answer)
        });
    }
    let mut answered = Vec::new();
    let mut killed = false;
    while let Some(answer) = requests.join_next().await {
        answered.extend(answer.unwrap());
        if !killed && done.load(Ordering::SeqCst) >= kill_after {
            app.server.kill();
            killed = true;
        }
    }
    assert!(killed);
    answered
}
