//! A ring that rotates under load: verifiers that keep a JWKS for as long as they may refuse nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jeton_verifier::{Algorithm, Rules, Verifier};
use reqwest::Method;
use serde_json::{Value, json};
use storage::{Clock, SystemClock};

use crate::audience_keys::next_key_is_old;
use crate::audiences::{at, call, make};
use crate::support::{App, on_both_engines};

const CONNECTIONS: usize = 64;
const ROTATIONS: usize = 20;

type Tokens = Arc<Mutex<Vec<String>>>;

/// Issues on one connection until told to stop. Every answer must be a token.
fn issues(app: &App, tokens: &Tokens, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    let (tokens, stop) = (tokens.clone(), stop.clone());
    let request = app
        .http
        .post(format!("{}/v1/session-tokens", app.server.url()))
        .header("x-api-key", &app.key)
        .json(&json!({
            "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
            "audience": "ring",
        }));
    tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            let answer = request.try_clone().unwrap().send().await.unwrap();
            assert_eq!(answer.status(), 201);
            let answer: Value = answer.json().await.unwrap();
            let token = answer["token"].as_str().unwrap().to_owned();
            tokens.lock().unwrap().push(token);
        }
    })
}

/// Waits until so many more tokens were issued.
async fn more(tokens: &Tokens, further: usize) {
    let wanted = tokens.lock().unwrap().len() + further;
    while tokens.lock().unwrap().len() < wanted {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn jwks(app: &App, audience: &Value) -> String {
    let uri = audience["jwks_uri"].as_str().unwrap();
    app.get(&uri[uri.find("/orgs/").unwrap()..]).await.text
}

/// Verifies all of them with the same copy of the JWKS; the names of the keys that signed.
fn all_verify(app: &App, jwks: &str, tokens: &[String]) -> BTreeSet<String> {
    let rules = Rules::new(app.issuer(), "ring");
    let verifier = Verifier::from_jwks(rules, Algorithm::EdDsa, jwks).unwrap();
    let now = SystemClock.now().unix_seconds().unsigned_abs();
    let signed_by = tokens.iter().map(|token| {
        let verified = verifier.verify(token, now);
        assert!(verified.is_ok(), "{:?}", verified.err());
        crate::support::decode(token).0["kid"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    signed_by.collect()
}

/// A rotation takes place as soon as the next key has been published for the JWKS's max-age. The copy that a verifier
/// may still hold then is from just after the rotation before: the worst case, and the one tried here. The time between
/// is spared by making the next key older in the database.
#[tokio::test]
async fn a_verifier_with_the_oldest_jwks_allowed_refuses_nothing() {
    on_both_engines(|app| async move {
        let audience = make(&app, json!({ "name": "ring", "algorithm": "EdDSA" })).await;
        let (tokens, stop) = (Tokens::default(), Arc::new(AtomicBool::new(false)));
        let load: Vec<_> = (0..CONNECTIONS)
            .map(|_| issues(&app, &tokens, &stop))
            .collect();
        let mut signed_by = BTreeSet::new();
        for _ in 0..ROTATIONS {
            let held = jwks(&app, &audience).await;
            more(&tokens, CONNECTIONS).await;
            next_key_is_old(&app, &audience).await;
            let path = at(&audience, "/signing-keys/rotate");
            let rotated = call(&app, Method::POST, &path, None).await;
            assert!((200..300).contains(&rotated.status), "{}", rotated.text);
            // Each connection has then issued at least one token that it asked for after the rotation.
            more(&tokens, 2 * CONNECTIONS).await;
            let issued = std::mem::take(&mut *tokens.lock().unwrap());
            let keys = all_verify(&app, &held, &issued);
            assert_eq!(keys.len(), 2, "what was signed before and after");
            signed_by.extend(keys);
        }
        stop.store(true, Ordering::Relaxed);
        for connection in load {
            connection.await.unwrap();
        }
        assert_eq!(signed_by.len(), ROTATIONS + 1);
    })
    .await;
}
