//! Floods of wrong secrets and of wrong passwords. Hashing them may come to a stand; exchanges do not, and neither of the
//! two holds up the other.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use storage::Engine;
use tokio::task::JoinSet;

use crate::credentials::with_checksum;
use crate::support::{Answer, App, Form, NewKey, PASSWORD};

/// More than wait for a hash at any time.
const FLOOD: usize = 400;

/// No limit of failures is in the way.
const UNLIMITED: [(&str, &str); 6] = [
    ("JETON_KEYS__FAILED_CREDENTIALS__PER_MINUTE", "1000000"),
    ("JETON_KEYS__FAILED_CREDENTIALS__BURST", "1000000"),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_CLIENT__PER_MINUTE",
        "1000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_CLIENT__BURST",
        "1000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_ACCOUNT__PER_MINUTE",
        "1000000",
    ),
    (
        "JETON_KEYS__SIGN_IN__FAILED_SIGN_INS_PER_ACCOUNT__BURST",
        "1000000",
    ),
];

/// API keys are hashed so slowly that whoever waits for one waits for the length of the test.
const SLOW_KEYS: [(&str, &str); 2] = [
    ("JETON_KEYS__API_KEY_HASH__MEMORY_KIB", "65536"),
    ("JETON_KEYS__API_KEY_HASH__ITERATIONS", "12"),
];

fn request() -> Value {
    json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } })
}

/// The key with so many other secrets.
fn with_wrong_secrets(key: &str) -> impl Iterator<Item = String> {
    let prefix = key[..key.len() - 6 - 4].to_owned();
    (0..FLOOD).map(move |number| with_checksum(&format!("{prefix}{number:04}")))
}

/// Sends all of them at once and returns when the first has come back, which is one that there was no room for.
async fn flood(requests: impl Iterator<Item = RequestBuilder>) -> (Answer, JoinSet<Answer>) {
    let mut flood = JoinSet::new();
    for request in requests {
        flood.spawn(async move { Answer::of(request.send().await.unwrap()).await });
    }
    let mut others = Vec::new();
    while let Some(answer) = flood.join_next().await {
        match answer.unwrap() {
            refused if refused.status == 503 => return (refused, flood),
            other => others.push(other),
        }
    }
    panic!("there was room for all {}: {:?}", others.len(), others[0]);
}

/// The page to sign in on, filled in.
struct SignIn {
    url: String,
    cookie: String,
    token: String,
}

impl SignIn {
    async fn load(app: &App) -> Self {
        let page = app.get("/console/sign-in").await;
        let (_, after) = page.text.split_once("name=\"_csrf\" value=\"").unwrap();
        let cookie = page.header("set-cookie").split(';').next().unwrap();
        Self {
            url: app.server.url() + "/console/sign-in",
            cookie: cookie.to_owned(),
            token: after.split('"').next().unwrap().to_owned(),
        }
    }

    fn with(&self, http: &reqwest::Client, password: &str) -> RequestBuilder {
        let email = "ada%40acme.example";
        let password = password.replace(' ', "+");
        http.post(&self.url).header("cookie", &self.cookie).form(&[
            ("_csrf", &self.token),
            ("email", email),
            ("password", &password),
        ])
    }
}

#[tokio::test]
async fn a_flood_of_wrong_secrets_leaves_exchanges_and_logins_alone() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &[&UNLIMITED[..], &SLOW_KEYS].concat()).await;
        // The server itself makes this key, at its own cost; a first use, and from then on it is known.
        let new = json!({ "name": "flooded", "permissions": ["tokens:issue"] });
        let created = app.call(Method::POST, "/v1/api-keys", Some(new)).await;
        assert_eq!(created.status, 201, "{created:?}");
        let key = created.json()["secret"].as_str().unwrap().to_owned();
        app.issue_with(&key, &request()).await.issued();

        let wrong: Vec<_> = with_wrong_secrets(&key).collect();
        let requests = wrong.iter().map(|key| {
            let url = app.server.url() + "/v1/session-tokens";
            app.http.post(url).header("x-api-key", key).json(&request())
        });
        let (refused, flood) = flood(requests).await;
        refused.assert_problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded");
        assert_eq!(refused.header("retry-after"), "1");
        for _ in 0..50 {
            app.issue_with(&key, &request()).await.issued();
        }
        let sign_in = SignIn::load(&app).await;
        let signed_in = app.send(sign_in.with(&no_redirects(), PASSWORD)).await;
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        // All of that while hashing stood still, or nearly: what waited for it still waits.
        assert!(flood.len() > 100, "{} wait", flood.len());
    }
}

#[tokio::test]
async fn a_flood_of_logins_leaves_exchanges_alone_those_of_new_keys_too() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = App::start_with(engine, &UNLIMITED).await;
        app.issue(&request()).await.issued();
        let mut keys = Vec::new();
        for _ in 0..10 {
            keys.push(app.create_key(NewKey::default()).await.1);
        }
        let sign_in = SignIn::load(&app).await;
        let logins = (0..FLOOD).map(|number| sign_in.with(&app.http, &format!("wrong {number}")));
        let (refused, flood) = flood(logins).await;
        assert_eq!(refused.status, 503);
        for key in &keys {
            app.issue(&request()).await.issued();
            app.issue_with(key, &request()).await.issued();
        }
        drop(flood);
        assert_eq!(app.count_sessions().await, 21);
    }
}

fn no_redirects() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
