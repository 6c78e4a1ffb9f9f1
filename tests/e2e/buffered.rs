//! `issuance_log = "buffered"`: tokens leave before their rows are committed, and nothing but a crash tells.

use reqwest::Method;
use serde_json::{Value, json};
use storage::{Engine, fetch_one};

use crate::renewal::{PAGE, asked, rule};
use crate::support::App;

const BUFFERED: [(&str, &str); 1] = [("JETON_ISSUANCE_LOG", "buffered")];

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap()
}

#[tokio::test]
async fn whoever_looks_for_a_token_finds_it_at_once() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &BUFFERED).await;
        app.lets_pages_renew(&[PAGE], rule()).await;
        for _ in 0..20 {
            let first = app.issue(&asked()).await.issued();
            let token = text(&first, "token");
            assert!(app.is_active(token).await);

            let second = app.issue(&asked()).await.issued();
            let path = format!("/v1/sessions/{}", text(&second, "session_id"));
            assert_eq!(app.call(Method::GET, &path, None).await.status, 200);

            let third = app.issue(&asked()).await.issued();
            let renewed = app.renews(text(&third, "token")).await.issued();
            assert!(app.is_active(text(&renewed, "token")).await);

            let fourth = app.issue(&asked()).await.issued();
            let path = format!("/v1/sessions/{}", text(&fourth, "session_id"));
            let revoked = app.call(Method::DELETE, &path, None).await;
            assert!((200..300).contains(&revoked.status), "{}", revoked.text);
            assert!(!app.is_active(text(&fourth, "token")).await);
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_leaves_every_row_and_the_right_count() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut app = App::start_with(engine, &BUFFERED).await;
        let subject = |number: usize| json!({ "user": { "id": format!("user-{number}"), "roles": ["viewer"], "attributes": { "tenant_id": "t" } } });
        let requests: Vec<Value> = (0..300).map(subject).collect();
        let answers = requests.iter().map(|request| app.issue(request));
        for answer in futures::future::join_all(answers).await {
            answer.issued();
        }
        app.server.terminate();
        assert!(app.server.wait().success());
        assert_eq!(app.count_sessions().await, 300);
        let mut read = app.services.database.read().await.unwrap();
        let sql = "select sum(tokens_issued) * 1.0 from api_key_usage";
        let (counted,) = match engine {
            Engine::Sqlite => fetch_one!(read.conn(), (f64,), sql).unwrap(),
            Engine::Postgres => {
                let sql = "select sum(tokens_issued)::float8 from api_key_usage";
                fetch_one!(read.conn(), (f64,), sql).unwrap()
            }
        };
        assert!((counted - 300.0).abs() < 0.5, "{counted} were counted");
    }
}
