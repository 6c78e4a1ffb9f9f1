//! What the middleware makes of handlers that misbehave.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http_body_util::BodyExt;
use key_admin::{KeyAdminSettings, MasterSecret};
use serde_json::Value;
use storage::SystemClock;
use storage::testing::on_both_engines;
use token_issuer::{PublicUrl, ServiceSettings, Services};
use tower::ServiceExt;

use super::*;
use crate::metrics::MetricsAccess;
use crate::router::surrounded;
use crate::state::ApiSettings;

async fn state(database: storage::Database) -> ApiState {
    let services = Services::start(ServiceSettings {
        database,
        clock: Arc::new(SystemClock),
        master: MasterSecret::parse(&"0123456789abcdef".repeat(4))
            .unwrap()
            .into(),
        public_url: PublicUrl::parse("http://localhost").unwrap(),
        staleness_bound: Duration::from_secs(2),
        issuance_log: token_issuer::IssuanceLog::Durable,
        key_admin: KeyAdminSettings::default(),
    });
    let settings = ApiSettings {
        request_timeout: Duration::from_millis(50),
        trusted_proxies: Vec::new(),
        metrics: MetricsAccess {
            token: None,
            allow: Vec::new(),
        },
        development: false,
        prefilled_key: None,
    };
    ApiState::new(Arc::new(services.await.unwrap()), settings, Arc::default())
}

async fn answer(router: Router<ApiState>, state: &ApiState) -> (StatusCode, Value) {
    let request = Request::builder().uri("/").body(Body::empty()).unwrap();
    let response = surrounded(router, state).oneshot(request).await.unwrap();
    let status = response.status();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    let id = response.headers()[REQUEST_ID_HEADER]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["request_id"], id);
    (status, body)
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing_of_it() {
    on_both_engines(|database| async move {
        async fn panics() {
            panic!("s3cret inner text");
        }
        let (status, body) = answer(
            Router::new().route("/", get(panics)),
            &state(database).await,
        )
        .await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::INTERNAL_SERVER_ERROR, &"internal".into())
        );
        assert!(!body.to_string().contains("s3cret"), "{body}");
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_never_ends_is_given_up() {
    on_both_engines(|database| async move {
        let router = Router::new().route("/", get(std::future::pending::<()>));
        let (status, body) = answer(router, &state(database).await).await;
        assert_eq!(
            (status, &body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &"timeout".into())
        );
    })
    .await;
}

#[tokio::test]
async fn an_error_that_a_library_answers_becomes_a_problem_too() {
    on_both_engines(|database| async move {
        for (status, code) in [
            (StatusCode::NOT_FOUND, "not_found"),
            (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            (StatusCode::IM_A_TEAPOT, "bad_request"),
            (StatusCode::BAD_GATEWAY, "internal"),
        ] {
            let router =
                Router::new().route("/", get(move || async move { (status, "inner text") }));
            let (_, body) = answer(router, &state(database.clone()).await).await;
            assert_eq!(body["code"], code);
            assert!(!body.to_string().contains("inner text"), "{body}");
        }
    })
    .await;
}
