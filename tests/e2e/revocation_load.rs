//! Revocation counts from its answer on: every time, also under load.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, Form as _, on_both_engines};

/// On each engine.
const TRIES: u32 = 5_000;
/// Who tries, side by side.
const WORKERS: u32 = 56;
/// Connections that only issue.
const LOAD: u32 = 8;

fn request(subject: &str) -> Value {
    json!({ "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": subject } } })
}

impl App {
    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let url = self.server.url() + "/oauth2/introspect";
        let request = self.http.post(url).header("x-api-key", &self.key);
        let answer = self.send(request.form(&[("token", token)])).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["active"].as_bool().unwrap()
    }

    /// One of the ways to revoke in turn.
    async fn revokes_somehow(&self, issued: &Value, subject: &str, way: u32) {
        let id = issued["session_id"].as_str().unwrap();
        let many = "/v1/sessions/revoke";
        let answer = match way % 4 {
            0 | 1 => {
                self.call(Method::DELETE, &format!("/v1/sessions/{id}"), None)
                    .await
            }
            2 => {
                self.call(Method::POST, many, Some(json!({ "subject": subject })))
                    .await
            }
            _ => {
                let attribute = json!({ "name": "tenant_id", "value": subject });
                self.call(Method::POST, many, Some(json!({ "attribute": attribute })))
                    .await
            }
        };
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_revocation_was_answered_no_introspection_says_active() {
    on_both_engines(|app| async move {
        let (next, wrong, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        let tries = join_all((0..WORKERS).map(|worker| {
            let (app, next, wrong) = (&app, &next, &wrong);
            async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= TRIES {
                        return;
                    }
                    let subject = format!("worker-{worker}");
                    let issued = app.issue(&request(&subject)).await.issued();
                    app.revokes_somehow(&issued, &subject, number).await;
                    if app.is_active(issued["token"].as_str().unwrap()).await {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }));
        let load = join_all((0..LOAD).map(|connection| {
            let (app, done) = (&app, &done);
            async move {
                let mut issued = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    app.issue(&request(&format!("load-{connection}")))
                        .await
                        .issued();
                    issued += 1;
                }
                issued
            }
        }));
        let tries = async {
            tries.await;
            done.store(true, Ordering::Relaxed);
        };
        let ((), load) = futures::join!(tries, load);
        eprintln!(
            "{TRIES} tries beside {} tokens",
            load.into_iter().sum::<u32>()
        );
        assert_eq!(wrong.into_inner(), 0);
        assert!(
            app.is_active(&app.issue(&request("after")).await.token())
                .await
        );
    })
    .await;
}
