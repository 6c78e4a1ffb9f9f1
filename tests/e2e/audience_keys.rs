//! Signing keys of audiences over HTTP: rotated, retired, imported, and seen by verifiers.

use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use storage::{AudienceId, Clock, SystemClock};

use crate::audiences::{actions, at, call, make};
use crate::support::{Answer, App, on_both_engines, python, repository};

const ORGANIZATION: &str = "/orgs/acme/.well-known/jwks.json";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn names(keys: &Value) -> Vec<String> {
    let keys = keys.as_array().unwrap();
    let name = |it: &Value| it["kid"].as_str().unwrap().to_owned();
    keys.iter().map(name).collect()
}

/// The names of the keys that verifiers of the audience see; those of the organization hold them, too.
async fn published(app: &App, audience: &Value) -> Vec<String> {
    let path = format!("/orgs/acme/audiences{}", at(audience, "/jwks.json"));
    let own = names(&app.get(&path).await.json()["keys"]);
    let all = names(&app.get(ORGANIZATION).await.json()["keys"]);
    assert!(own.iter().all(|kid| all.contains(kid)), "{own:?} {all:?}");
    own
}

/// The names of the keys in use with their states.
async fn ring(app: &App, audience: &Value) -> (Vec<String>, Vec<String>) {
    let listed = call(app, Method::GET, &at(audience, "/signing-keys"), None).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let keys = listed.json()["data"].clone();
    let states = keys.as_array().unwrap().iter();
    let states = states.map(|it| it["state"].as_str().unwrap().to_owned());
    (names(&keys), states.collect())
}

async fn import(app: &App, audience: &Value, key: Value) -> Answer {
    call(
        app,
        Method::POST,
        &at(audience, "/signing-keys/import"),
        Some(key),
    )
    .await
}

async fn rotate(app: &App, audience: &Value) -> Answer {
    call(
        app,
        Method::POST,
        &at(audience, "/signing-keys/rotate"),
        None,
    )
    .await
}

/// As if the next key had been made long ago.
pub(crate) async fn next_key_is_old(app: &App, audience: &Value) {
    let id: AudienceId = audience["id"].as_str().unwrap().parse().unwrap();
    let then = SystemClock.now().plus_seconds(-301);
    let mut tx = app.services.database.write().await.unwrap();
    let sql = "update signing_keys set created_at = $2 where audience_id = $1 and state = 'next'";
    storage::execute!(tx.conn(), sql, id, then).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_ring_is_rotated_and_a_leaked_key_retired() {
    on_both_engines(|app| async move {
        let audience = make(&app, json!({ "name": "ring" })).await;
        let (before, states) = ring(&app, &audience).await;
        assert_eq!(states, ["active", "next"]);
        assert_eq!(published(&app, &audience).await, before);
        let early = rotate(&app, &audience).await;
        early.assert_problem(StatusCode::CONFLICT, "next_key_too_new");
        let wait: u32 = early.header("retry-after").parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
        assert_eq!(ring(&app, &audience).await.0, before);

        next_key_is_old(&app, &audience).await;
        let rotated = rotate(&app, &audience).await;
        assert_eq!(rotated.status, 200, "{}", rotated.text);
        let (after, states) = ring(&app, &audience).await;
        assert_eq!(states, ["active", "next", "previous"]);
        assert_eq!((&after[0], &after[2]), (&before[1], &before[0]));
        assert_eq!(names(&rotated.json()["data"]), after);
        let mut seen = published(&app, &audience).await;
        assert_eq!(seen[0], after[0], "the key that signs comes first");
        let mut sorted = after.clone();
        sorted.sort();
        seen.sort();
        assert_eq!(seen, sorted);

        for leaked in [&after[0], &after[2]] {
            let path = at(&audience, &format!("/signing-keys/{leaked}/retire"));
            let retired = call(&app, Method::POST, &path, None).await;
            assert_eq!(retired.status, 200, "{}", retired.text);
            assert!(!published(&app, &audience).await.contains(leaked));
            let again = call(&app, Method::POST, &path, None).await;
            again.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        let (left, states) = ring(&app, &audience).await;
        assert_eq!(
            (&left[0], states),
            (&after[1], vec!["active".to_owned(), "next".into()])
        );
        let done = [
            "signing_key.retire",
            "signing_key.retire",
            "signing_key.rotate",
            "audience.create",
        ];
        assert_eq!(actions(&app, &audience).await, done);
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_an_audience_are_cached_like_those_of_the_organization() {
    on_both_engines(|app| async move {
        let audience = make(&app, json!({ "name": "cached", "algorithm": "PS256" })).await;
        let path = format!("/orgs/acme/audiences{}", at(&audience, "/jwks.json"));
        let (own, all) = (app.get(&path).await, app.get(ORGANIZATION).await);
        for header in [
            "content-type",
            "cache-control",
            "access-control-allow-origin",
            "cross-origin-resource-policy",
        ] {
            assert_eq!(own.header(header), all.header(header), "{header}");
        }
        let keys = own.json()["keys"].as_array().unwrap().clone();
        assert!(
            keys.len() == 2
                && keys
                    .iter()
                    .all(|it| it["alg"] == "PS256" && it.get("d").is_none())
        );
        let request = app.http.get(app.server.url() + path.as_str());
        let known = app
            .send(request.header("if-none-match", own.header("etag")))
            .await;
        assert_eq!((known.status, known.text.as_str()), (304, ""));
        let algorithms = async || {
            let document = app.get("/orgs/acme/.well-known/openid-configuration").await;
            document.json()["id_token_signing_alg_values_supported"].clone()
        };
        assert_eq!(algorithms().await, json!(["ES256", "PS256"]));
        make(&app, json!({ "name": "shared", "algorithm": "HS256" })).await;
        make(&app, json!({ "name": "ed", "algorithm": "EdDSA" })).await;
        assert_eq!(algorithms().await, json!(["ES256", "EdDSA", "PS256"]));
        call(&app, Method::DELETE, &at(&audience, ""), None).await;
        assert_eq!(algorithms().await, json!(["ES256", "EdDSA"]));
    })
    .await;
}

#[tokio::test]
async fn a_shared_secret_signs_at_once_and_is_shown_nowhere() {
    on_both_engines(|app| async move {
        let body = json!({ "name": "shared", "algorithm": "HS256", "secret": SECRET });
        let audience = make(&app, body).await;
        let (before, states) = ring(&app, &audience).await;
        assert_eq!(states, ["active", "next"]);
        let other = BASE64_URL_SAFE_NO_PAD.encode([7; 40]);
        let added = import(&app, &audience, json!({ "secret": other })).await;
        assert_eq!(
            (added.status, &added.json()["state"]),
            (201, &json!("active")),
            "{}",
            added.text
        );
        let jwk = json!({ "kty": "oct", "k": SECRET, "alg": "HS256" });
        let added = import(&app, &audience, json!({ "jwk": jwk })).await;
        assert_eq!(
            (added.status, &added.json()["state"]),
            (201, &json!("active")),
            "{}",
            added.text
        );
        let (after, states) = ring(&app, &audience).await;
        assert_eq!(states, ["active", "next"]);
        assert!(
            after.iter().all(|kid| !before.contains(kid)),
            "secrets are replaced at once"
        );
        assert!(published(&app, &audience).await.is_empty());
        let all = names(&app.get(ORGANIZATION).await.json()["keys"]);
        assert!(before.iter().chain(&after).all(|kid| !all.contains(kid)));
        let events = app.call(Method::GET, "/v1/audit-events", None).await.text;
        let printed = app.server.everything_printed();
        for text in [&added.text, &events, &printed] {
            assert!(!text.contains(&SECRET[..20]) && !text.contains(&other[..20]));
        }
    })
    .await;
}

/// Keys that joserfc and cryptography made, as PEM and as JWK.
fn foreign_keys() -> Value {
    let script = repository().join("tests/verifiers/private_keys.py");
    let output = Command::new(python()).arg(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn keys_made_elsewhere_are_taken_in_under_their_thumbprints() {
    on_both_engines(|app| async move {
        let (pems, jwks) = (foreign_keys(), foreign_keys());
        for algorithm in ["ES256", "EdDSA", "RS256", "PS256"] {
            let body = json!({ "name": algorithm.to_lowercase(), "algorithm": algorithm });
            let audience = make(&app, body).await;
            let (pem, jwk) = (&pems[algorithm], &jwks[algorithm]);
            for (key, made) in [
                (json!({ "pem": pem["pem"] }), pem),
                (json!({ "jwk": jwk["jwk"] }), jwk),
            ] {
                let added = import(&app, &audience, key.clone()).await;
                assert_eq!(added.status, 201, "{algorithm}: {}", added.text);
                let expected = json!([made["thumbprint"], "next", null]);
                let added = added.json();
                assert_eq!(
                    json!([added["kid"], added["state"], added["activated_at"]]),
                    expected
                );
                let seen = published(&app, &audience).await;
                assert!(seen.len() == 2 && made["thumbprint"] == seen[1], "{seen:?}");
                let again = import(&app, &audience, key).await;
                again.assert_problem(StatusCode::CONFLICT, "already_exists");
            }
            next_key_is_old(&app, &audience).await;
            assert_eq!(rotate(&app, &audience).await.status, 200);
            let signs = ring(&app, &audience).await.0[0].clone();
            assert_eq!(jwk["thumbprint"], signs.as_str());
            let path = format!("/orgs/acme/audiences{}", at(&audience, "/jwks.json"));
            let shown = app.get(&path).await.json()["keys"][0].clone();
            for member in ["n", "e", "crv", "x", "y"] {
                assert_eq!(
                    shown.get(member),
                    jwk["jwk"].get(member),
                    "{algorithm} {member}"
                );
            }
        }
        let served = app.server.log();
        for made in [&pems, &jwks] {
            for key in made.as_object().unwrap().values() {
                let private = key["jwk"]["d"].as_str().unwrap();
                assert!(!served.contains(&private[..20]));
            }
        }
    })
    .await;
}

/// What openssl prints.
fn openssl(arguments: &str) -> String {
    let arguments = arguments.split(' ');
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn openssls_keys_are_taken_in_whatever_they_are_wrapped_in() {
    on_both_engines(|app| async move {
        let ec = make(&app, json!({ "name": "ec" })).await;
        let rsa = make(&app, json!({ "name": "rsa", "algorithm": "RS256" })).await;
        for (audience, command, fence) in [
            (
                &ec,
                "ecparam -name prime256v1 -genkey",
                "BEGIN EC PRIVATE KEY",
            ),
            (
                &ec,
                "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
                "BEGIN PRIVATE KEY",
            ),
            (&rsa, "genrsa -traditional 2048", "BEGIN RSA PRIVATE KEY"),
        ] {
            let pem = openssl(command);
            assert!(pem.contains(fence), "{command}");
            let added = import(&app, audience, json!({ "pem": pem })).await;
            assert_eq!(added.status, 201, "{command}: {}", added.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_kind_is_refused_and_not_repeated() {
    on_both_engines(|app| async move {
        let keys = foreign_keys();
        let ec = make(&app, json!({ "name": "ec" })).await;
        let rsa = make(&app, json!({ "name": "rsa", "algorithm": "RS256" })).await;
        let shared = make(&app, json!({ "name": "shared", "algorithm": "HS256" })).await;
        let short = openssl("genrsa 1024");
        let sealed = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:correct-horse");
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        let two = format!("{}{}", keys["ES256"]["pem"].as_str().unwrap(), keys["EdDSA"]["pem"].as_str().unwrap());
        let mut without_d = keys["RS256"]["jwk"].clone();
        without_d.as_object_mut().unwrap().remove("dp");
        let mut other_use = keys["ES256"]["jwk"].clone();
        other_use["use"] = "enc".into();
        let mut mixed = keys["ES256"]["jwk"].clone();
        mixed["x"] = mixed["y"].clone();
        for (audience, body, pointer) in [
            (&ec, json!({ "pem": keys["EdDSA"]["pem"] }), "/pem"),
            (&ec, json!({ "pem": keys["ES384"]["pem"] }), "/pem"),
            (&ec, json!({ "jwk": keys["ES384"]["jwk"] }), "/jwk"),
            (&ec, json!({ "jwk": other_use }), "/jwk"),
            (&ec, json!({ "jwk": mixed }), "/jwk"),
            (&ec, json!({ "pem": sealed }), "/pem"),
            (&ec, json!({ "pem": public }), "/pem"),
            (&ec, json!({ "pem": two }), "/pem"),
            (&ec, json!({ "pem": "" }), "/pem"),
            (&ec, json!({ "secret": SECRET }), "/secret"),
            (&rsa, json!({ "pem": short }), "/pem"),
            (&rsa, json!({ "jwk": without_d }), "/jwk"),
            (&rsa, json!({ "jwk": keys["ES256"]["jwk"] }), "/jwk"),
            (&shared, json!({ "pem": keys["ES256"]["pem"] }), "/pem"),
            (&shared, json!({ "secret": &SECRET[..40] }), "/secret"),
            (&shared, json!({ "secret": "not base64url" }), "/secret"),
        ] {
            let before = ring(&app, audience).await;
            let refused = import(&app, audience, body.clone()).await;
            let problem = refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unusable_key");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
            assert_eq!(ring(&app, audience).await, before);
            for key in keys.as_object().unwrap().values() {
                let private = key["jwk"]["d"].as_str().unwrap();
                assert!(!refused.text.contains(&private[..12]), "{}", refused.text);
            }
        }
        for (body, code) in [
            (json!({}), "conflicting_fields"),
            (json!({ "pem": "", "secret": SECRET }), "conflicting_fields"),
            (json!({ "pem": null }), "invalid_field"),
            (json!({ "jwk": "text" }), "invalid_field"),
            (json!({ "jwk": {} }), "missing_field"),
            (json!({ "key": "x" }), "unknown_field"),
        ] {
            let refused = import(&app, &ec, body.clone()).await;
            refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
        }
        let done = actions(&app, &ec).await;
        assert_eq!(done, ["audience.create"], "refusals leave no event");
    })
    .await;
}

#[tokio::test]
async fn imported_keys_open_after_a_restart() {
    on_both_engines(|mut app| async move {
        let audience = make(&app, json!({ "name": "ec" })).await;
        let key = foreign_keys()["ES256"].clone();
        assert_eq!(
            import(&app, &audience, json!({ "jwk": key["jwk"] }))
                .await
                .status,
            201
        );
        app.server.kill();
        app.restart();
        let seen = published(&app, &audience).await;
        assert_eq!(key["thumbprint"], seen[1].as_str());
    })
    .await;
}
