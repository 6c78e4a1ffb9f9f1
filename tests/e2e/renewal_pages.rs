//! Which pages may read the answers of `POST /v1/session-tokens/renew`.

use reqwest::{Method, StatusCode};
use storage::Engine;

use super::renewal::{PAGE, RENEW, asked, rule};
use crate::support::{Answer, App, on_both_engines};

const STRANGERS: [&str; 4] = [
    "https://evil.example.com",
    "null",
    "https://app.example.com.evil.example",
    "http://app.example.com",
];

/// Is the answer for this page, and for it alone?
fn assert_readable(answer: &Answer) {
    assert_eq!(
        answer.header("access-control-allow-origin"),
        PAGE,
        "{answer:?}"
    );
    assert_eq!(answer.header("vary"), "Origin", "{answer:?}");
    assert!(
        !answer
            .headers
            .contains_key("access-control-allow-credentials")
    );
    assert!(!answer.header("x-request-id").is_empty());
}

fn assert_unreadable(answer: &Answer) {
    let shared = |name: &&reqwest::header::HeaderName| name.as_str().starts_with("access-control-");
    assert_eq!(answer.headers.keys().find(shared), None, "{answer:?}");
    assert_eq!(answer.header("vary"), "Origin", "{answer:?}");
}

impl App {
    async fn preflights(&self, page: &str) -> Answer {
        let request = self
            .http
            .request(Method::OPTIONS, self.server.url() + RENEW);
        let request = request
            .header("origin", page)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        self.send(request).await
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_authorized_pages_alone() {
    on_both_engines(|app| async move {
        let before = app.preflights(PAGE).await;
        before.assert_problem(StatusCode::FORBIDDEN, "origin_not_authorized");
        assert_unreadable(&before);
        app.lets_pages_renew(&[PAGE], rule()).await;
        let answer = app.preflights(PAGE).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert_readable(&answer);
        for (name, value) in [
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "authorization"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(answer.header(name), value);
        }
        for stranger in STRANGERS {
            assert_unreadable(&app.preflights(stranger).await);
        }
        // Without a page's question, it is a method like any other.
        let request = app.http.request(Method::OPTIONS, app.server.url() + RENEW);
        let answer = app.send(request).await;
        answer.assert_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        app.lets_pages_renew(&["https://b.example.com"], rule())
            .await;
        assert_unreadable(&app.preflights(PAGE).await);
    })
    .await;
}

#[tokio::test]
async fn authorized_pages_read_every_answer_and_others_none() {
    on_both_engines(|app| async move {
        app.lets_pages_renew(&[PAGE], rule()).await;
        let token = app.issue(&asked()).await.token();
        for stranger in STRANGERS {
            let answer = app
                .send(app.renewal(&token).header("origin", stranger))
                .await;
            assert_eq!(answer.status, 403);
            assert_unreadable(&answer);
        }
        assert_unreadable(&app.send(app.renewal(&token)).await);
        for status in [201, 409] {
            let answer = app.renews(&token).await;
            assert_eq!(answer.status, status);
            assert_readable(&answer);
            assert_eq!(
                answer.header("access-control-expose-headers"),
                "Retry-After"
            );
        }
        let filled = app.renewal(&token).header("origin", PAGE).body("{}");
        for (request, status) in [
            (app.renewal("x").header("origin", PAGE), 401),
            (filled, 400),
            (
                app.http
                    .get(app.server.url() + RENEW)
                    .header("origin", PAGE),
                405,
            ),
        ] {
            let answer = app.send(request).await;
            assert_eq!(answer.status, status);
            assert_readable(&answer);
        }
        // No other path is for pages.
        for path in [
            "/v1/session-tokens",
            "/v1/account",
            "/v1/session-tokens/renew/",
        ] {
            let request = app
                .http
                .post(app.server.url() + path)
                .header("origin", PAGE);
            let answer = app.send(request).await;
            assert!(
                !answer.headers.contains_key("access-control-allow-origin"),
                "{path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_can_read_that_the_server_is_not_able_to_answer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[("JETON_REQUEST_TIMEOUT_SECONDS", "1")]).await;
        app.lets_pages_renew(&[PAGE], rule()).await;
        let token = app.issue(&asked()).await.token();
        let mut lock = app.services.database.write().await.unwrap();
        if engine == Engine::Postgres {
            storage::execute!(lock.conn(), "lock table sessions in access exclusive mode").unwrap();
        }
        let answer = app.renews(&token).await;
        answer.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "timeout");
        assert_readable(&answer);
        assert_eq!(answer.header("retry-after"), "1");
        drop(lock);
    }
}
