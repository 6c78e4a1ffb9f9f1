//! An issuer on a port of its own, which answers what a test tells it to, and counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::support::{AUDIENCE, NOW, Signer, claims, jwks};
use crate::{Algorithm, Clock, RemoteVerifier, RemoteVerifierBuilder, Rules, Sleep};

pub(super) const JWKS: &str = "/orgs/acme/.well-known/jwks.json";
pub(super) const REVOCATIONS: &str = "/orgs/acme/revocations";

/// Time that stands still until a test moves it.
pub(super) struct ManualClock(watch::Sender<Duration>);

impl ManualClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Duration::ZERO)))
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.0
            .send_modify(|now| *now += Duration::from_secs(seconds));
    }
}

impl Clock for ManualClock {
    fn unix_seconds(&self) -> u64 {
        NOW + self.monotonic().as_secs()
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (mut time, until) = (self.0.subscribe(), self.monotonic() + duration);
        Box::pin(async move {
            if time.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// What the server answers for one path.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

#[derive(Default)]
struct Shared {
    pages: HashMap<String, Page>,
    seen: Vec<(String, HeaderMap)>,
}

pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) clock: Arc<ManualClock>,
    shared: Arc<Mutex<Shared>>,
    requests: watch::Sender<usize>,
    serving: JoinHandle<()>,
}

type Served = (Arc<Mutex<Shared>>, watch::Sender<usize>);

impl Issuer {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let requests = watch::Sender::new(0);
        let state = (Arc::clone(&shared), requests.clone());
        let router = Router::new().fallback(answer).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: format!("http://{address}"),
            clock: ManualClock::new(),
            shared,
            requests,
            serving,
        }
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}/orgs/acme", self.url)
    }

    pub(super) fn builder(&self) -> RemoteVerifierBuilder {
        self.builder_for(Algorithm::Es256)
    }

    pub(super) fn builder_for(&self, algorithm: Algorithm) -> RemoteVerifierBuilder {
        let rules = Rules::new(self.issuer(), AUDIENCE);
        RemoteVerifier::builder(rules, algorithm).clock(Arc::clone(&self.clock) as _)
    }

    pub(super) fn answer(&self, path: &str, page: Page) {
        self.shared
            .lock()
            .unwrap()
            .pages
            .insert(path.to_owned(), page);
    }

    pub(super) fn answer_status(&self, path: &str, status: StatusCode) {
        let (headers, body) = (vec![], String::new());
        self.answer(
            path,
            Page {
                status,
                headers,
                body,
            },
        );
    }

    /// Publishes these keys for `max-age` 300, with an entity tag that is the text's own.
    pub(super) fn publish<'a>(&self, signers: impl IntoIterator<Item = &'a Signer>) {
        self.publish_with(signers, "public, max-age=300");
    }

    pub(super) fn publish_with<'a>(
        &self,
        signers: impl IntoIterator<Item = &'a Signer>,
        cache_control: &str,
    ) {
        let body = jwks(signers);
        let headers = vec![
            ("cache-control", cache_control.to_owned()),
            ("etag", tag_of(&body)),
        ];
        let status = StatusCode::OK;
        self.answer(
            JWKS,
            Page {
                status,
                headers,
                body,
            },
        );
    }

    /// Publishes a revocation snapshot, as of now.
    pub(super) fn revoke(&self, signer: &Signer, version: u64, sessions: &Value, cutoffs: &Value) {
        let now = self.clock.unix_seconds();
        self.answer_snapshot(signer.sign_snapshot(&json!({
            "iss": self.issuer(), "iat": now, "exp": now + 600, "version": version,
            "sessions": sessions, "cutoffs": cutoffs,
        })));
    }

    pub(super) fn answer_snapshot(&self, body: String) {
        let headers = vec![
            ("content-type", "application/jwt".to_owned()),
            ("cache-control", "max-age=2".to_owned()),
            ("etag", tag_of(&body)),
        ];
        let status = StatusCode::OK;
        self.answer(
            REVOCATIONS,
            Page {
                status,
                headers,
                body,
            },
        );
    }

    pub(super) fn count(&self, path: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared.seen.iter().filter(|(seen, _)| seen == path).count()
    }

    /// A header of the last request for a path.
    pub(super) fn last_header(&self, path: &str, name: &str) -> Option<String> {
        let shared = self.shared.lock().unwrap();
        let (_, headers) = shared.seen.iter().rev().find(|(seen, _)| seen == path)?;
        Some(headers.get(name)?.to_str().unwrap().to_owned())
    }

    /// Resolves once this many requests were answered in all.
    pub(super) async fn answered(&self, count: usize) {
        let mut requests = self.requests.subscribe();
        requests
            .wait_for(|answered| *answered >= count)
            .await
            .unwrap();
    }

    /// A token of this issuer, as of now.
    pub(super) fn token(&self, signer: &Signer) -> String {
        signer.sign(&self.claims())
    }

    pub(super) fn claims(&self) -> Value {
        let now = self.clock.unix_seconds();
        let mut claims = claims();
        claims["iss"] = json!(self.issuer());
        claims["iat"] = json!(now);
        claims["nbf"] = json!(now);
        claims["exp"] = json!(now + 100_000);
        claims
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn tag_of(body: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    format!("\"{}\"", super::super::support::encode(digest))
}

async fn answer(
    State((shared, requests)): State<Served>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let page = {
        let mut shared = shared.lock().unwrap();
        shared.seen.push((uri.path().to_owned(), headers.clone()));
        shared.pages.get(uri.path()).cloned()
    };
    requests.send_modify(|answered| *answered += 1);
    let Some(page) = page else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = page.headers.iter().find(|(name, _)| *name == "etag");
    let unchanged = tag.is_some_and(|(_, tag)| {
        headers
            .get("if-none-match")
            .is_some_and(|asked| asked.as_bytes() == tag.as_bytes())
    });
    let mut response = if unchanged && page.status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (page.status, page.body).into_response()
    };
    response.headers_mut().remove("content-type");
    for (name, value) in page.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
