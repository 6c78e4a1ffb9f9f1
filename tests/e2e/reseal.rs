//! The master secret changes while the server issues.

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jeton_verifier::Verifier;
use key_admin::Act;
use policy::{AudienceLimits, AudienceName};
use serde_json::{Value, json};
use sqlx::types::Json;
use storage::{Engine, fetch_one};
use token_issuer::audiences::{AudienceSettings, NewAudience};
use token_issuer::signing_keys::SigningAlgorithm;
use tokio::sync::Semaphore;

use crate::support::{App, MASTER_SECRET, decode, on_both_engines, run_to_end};

const NEW_SECRET: &str = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789";
const OTHER_SECRET: &str = "abcdabcd01234567abcdabcd01234567abcdabcd01234567abcdabcd01234567";
/// Audiences beside the default one, each with two keys.
const AUDIENCES: usize = 40;
const REQUESTS: usize = 400;

fn request(number: usize) -> Value {
    json!({ "user": {
        "id": format!("user-{number}"),
        "roles": ["viewer"],
        "attributes": { "tenant_id": "tenant-canary" },
    } })
}

/// An installation with several key rings and a sensitive attribute.
async fn grown(engine: Engine) -> App {
    let app = App::start(engine).await;
    let policy = serde_json::from_value(json!({
        "roles": [{ "name": "viewer" }],
        "attributes": [{ "name": "tenant_id", "type": "string", "sensitive": true }],
    }));
    let (services, act) = (&app.services, Act::on_command_line());
    let replaced = services
        .policy
        .replace(&act, app.organization.id, None, policy.unwrap())
        .await;
    replaced.unwrap();
    for number in 0..AUDIENCES {
        let new = NewAudience {
            name: AudienceName::parse(format!("audience-{number}")).unwrap(),
            aud: None,
            algorithm: [SigningAlgorithm::EdDsa, SigningAlgorithm::Hs256][number % 2],
            limits: AudienceLimits {
                default_ttl_seconds: 60,
                max_ttl_seconds: 900,
            },
            settings: AudienceSettings::default(),
            secret: None,
        };
        let made = services
            .issuer
            .create_audience(&act, app.organization.id, new)
            .await;
        made.unwrap();
    }
    app.server_sees_changes().await;
    app
}

fn reseal(app: &App) -> Output {
    run_to_end(&["reseal"], &app.environment())
}

/// The cells behind each table's name.
fn told(output: &Output) -> Vec<Vec<String>> {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let rows = printed.lines().skip(1);
    rows.map(|row| row.split_whitespace().map(ToOwned::to_owned).collect())
        .collect()
}

fn assert_told(output: &Output, table: &str, numbers: [usize; 3]) {
    let rows = told(output);
    let row = rows.iter().find(|row| row[0] == table).unwrap();
    assert_eq!(row[1..], numbers.map(|it| it.to_string()), "{output:?}");
}

/// Does something while tokens are being issued, and gives all answers: none may fail.
async fn under_load<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> (Vec<Value>, T) {
    let mut requests = tokio::task::JoinSet::new();
    let (places, done) = (Arc::new(Semaphore::new(8)), Arc::new(AtomicUsize::new(0)));
    for number in 0..REQUESTS {
        let request = app
            .http
            .post(app.server.url() + "/v1/session-tokens")
            .header("x-api-key", &app.key)
            .json(&request(number));
        let (places, done) = (places.clone(), done.clone());
        requests.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 201);
            done.fetch_add(1, Ordering::SeqCst);
            response.json::<Value>().await.unwrap()
        });
    }
    let (mut answers, mut working, mut work) = (Vec::new(), None, Some(work));
    while let Some(answer) = requests.join_next().await {
        answers.push(answer.unwrap());
        if answers.len() == 20 {
            assert!(done.load(Ordering::SeqCst) < REQUESTS, "the load goes on");
            working = work.take().map(tokio::task::spawn_blocking);
        }
    }
    (answers, working.unwrap().await.unwrap())
}

/// What the session's row holds in place of the sensitive attribute.
async fn stored_hash(app: &App, session: &Value) -> Value {
    let id: storage::SessionId = session.as_str().unwrap().parse().unwrap();
    let mut read = app.read_sessions().await;
    let sql = "select attributes from sessions where id = $1";
    let (Json(stored),) = fetch_one!(read.conn(), (Json<Value>,), sql, id).unwrap();
    stored["tenant_id"].clone()
}

async fn assert_verifies(app: &App, answers: &[Value]) {
    let jwks = app.get("/orgs/acme/.well-known/jwks.json").await.text;
    let verifier = Verifier::new(&app.issuer(), "default", &jwks).unwrap();
    for answer in answers {
        let token = answer["token"].as_str().unwrap();
        let issued_at = decode(token).1["iat"].as_u64().unwrap();
        verifier.verify(token, issued_at).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_secret_changes_under_load() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("engine: {engine:?}");
        let mut app = grown(engine).await;
        let before = app.issue(&request(0)).await.issued();

        app.set("JETON_MASTER_SECRET", NEW_SECRET);
        app.set("JETON_PREVIOUS_MASTER_SECRET", MASTER_SECRET);
        app.server.kill();
        app.restart();
        assert!(app.server.log().contains("two master secrets"));
        let environment: Vec<_> = app
            .environment()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (mut tokens, resealed) = under_load(&app, move || {
            let environment: Vec<_> = environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            run_to_end(&["reseal"], &environment)
        })
        .await;
        assert_eq!(tokens.len(), REQUESTS);
        assert!(resealed.status.success(), "{resealed:?}");
        let keys = 2 * (AUDIENCES + 1);
        assert_told(&resealed, "installation_keys", [2, 0, 0]);
        assert_told(&resealed, "signing_keys", [keys, 0, 0]);
        let again = reseal(&app);
        assert!(again.status.success(), "{again:?}");
        assert_told(&again, "installation_keys", [0, 2, 0]);
        assert_told(&again, "signing_keys", [0, keys, 0]);
        for output in [&resealed, &again] {
            let printed = format!("{output:?}");
            assert!(!printed.contains(NEW_SECRET) && !printed.contains(MASTER_SECRET));
        }

        app.unset("JETON_PREVIOUS_MASTER_SECRET");
        app.server.kill();
        app.restart();
        let after = app.issue(&request(0)).await.issued();
        let hash = stored_hash(&app, &before["session_id"]).await;
        assert!(hash["hmac"].is_string(), "{hash}");
        assert_eq!(hash, stored_hash(&app, &after["session_id"]).await);
        tokens.extend([before, after]);
        assert_verifies(&app, &tokens).await;

        app.server.kill();
        app.set("JETON_MASTER_SECRET", MASTER_SECRET);
        let refused = run_to_end(&["serve"], &app.environment());
        let printed = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{printed}");
        assert!(
            printed.contains("does not open: the master secret is not the one it was sealed with"),
            "{printed}"
        );
    }
}

/// Nodes that restart one after the other: the first opens what the others seal, and they what it seals.
#[tokio::test]
async fn nodes_change_over_one_by_one() {
    let app = App::start(Engine::Postgres).await;
    let another = |current: &str, previous: &str| {
        let mut environment = app.environment();
        environment.push(("JETON_MASTER_SECRET", current));
        environment.push(("JETON_PREVIOUS_MASTER_SECRET", previous));
        crate::support::Jeton::start(&["serve"], &environment)
    };
    let issues = async |node: &crate::support::Jeton| {
        let request = app
            .http
            .post(node.url() + "/v1/session-tokens")
            .header("x-api-key", &app.key)
            .json(&request(1));
        app.send(request).await.issued()
    };
    // First all nodes learn to open what the new secret seals, then each begins to seal under it.
    let prepared = another(MASTER_SECRET, NEW_SECRET);
    let changed = another(NEW_SECRET, MASTER_SECRET);
    let mut environment = app.environment();
    environment.push(("JETON_MASTER_SECRET", NEW_SECRET));
    environment.push(("JETON_PREVIOUS_MASTER_SECRET", MASTER_SECRET));
    let resealed = run_to_end(&["reseal"], &environment);
    assert!(resealed.status.success(), "{resealed:?}");
    assert_told(&resealed, "signing_keys", [2, 0, 0]);
    // A change of the organization makes every node read its keys again.
    let renamed = json!({ "name": "Renamed" });
    let request = app
        .http
        .patch(prepared.url() + "/v1/organization")
        .header("x-api-key", &app.key)
        .json(&renamed);
    assert_eq!(app.send(request).await.status, 200);
    for node in [&prepared, &changed] {
        let ready = app.send(app.http.get(node.url() + "/readyz")).await;
        assert_eq!(ready.status, 200);
        let token = issues(node).await["token"].as_str().unwrap().to_owned();
        let keys = node.url() + "/orgs/acme/.well-known/jwks.json";
        let jwks = app.send(app.http.get(keys)).await.text;
        let verifier = Verifier::new(&app.issuer(), "default", &jwks).unwrap();
        let issued_at = decode(&token).1["iat"].as_u64().unwrap();
        verifier.verify(&token, issued_at).unwrap();
    }
}

#[tokio::test]
async fn reseal_says_what_is_missing_or_wrong() {
    on_both_engines(|mut app| async move {
        let fails = |app: &App, code: i32, text: &str| {
            let output = reseal(app);
            let printed = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{printed}");
            assert!(printed.contains(text), "{text} in {printed}");
        };
        fails(&app, 1, "set previous_master_secret_file");
        app.set("JETON_PREVIOUS_MASTER_SECRET", MASTER_SECRET);
        fails(
            &app,
            1,
            "the previous master secret is the master secret itself",
        );
        app.set("JETON_PREVIOUS_MASTER_SECRET", "short");
        fails(&app, 1, "previous_master_secret: ");
        app.set("JETON_MASTER_SECRET", NEW_SECRET);
        app.set("JETON_PREVIOUS_MASTER_SECRET", OTHER_SECRET);
        fails(
            &app,
            1,
            "does not open: the master secret is not the one it was sealed with",
        );

        app.set("JETON_PREVIOUS_MASTER_SECRET", MASTER_SECRET);
        let mut tx = app.services.database.write().await.unwrap();
        let sql = "select kid, sealed_private_key from signing_keys where state = 'next'";
        let (kid, mut altered) = fetch_one!(tx.conn(), (String, Vec<u8>), sql).unwrap();
        *altered.last_mut().unwrap() ^= 1;
        let sql = "update signing_keys set sealed_private_key = $2 where kid = $1";
        storage::execute!(tx.conn(), sql, &kid, &altered).unwrap();
        tx.commit().await.unwrap();
        fails(
            &app,
            1,
            &format!("opens under neither master secret, and stays as it is: signing_keys {kid}"),
        );
        let again = reseal(&app);
        assert_told(&again, "signing_keys", [0, 1, 1]);
    })
    .await;
}
