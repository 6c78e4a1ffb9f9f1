//! Tokens fetched over HTTP and verified with the published JWKS by libraries that are not ours: PyJWT and joserfc
//! (Python), `jose` (Node).

use std::path::PathBuf;

use key_admin::Act;
use policy::{AudienceLimits, AudienceName};
use serde_json::{Value, json};
use token_issuer::audiences::{AudienceSettings, NewAudience};
use token_issuer::signing_keys::SigningAlgorithm;

use crate::support::{App, ask, node, on_both_engines, python};

struct Library {
    name: &'static str,
    program: PathBuf,
    script: &'static str,
}

fn libraries() -> [Library; 3] {
    [
        Library {
            name: "PyJWT",
            program: python(),
            script: "tests/verifiers/pyjwt.py",
        },
        Library {
            name: "joserfc",
            program: python(),
            script: "tests/verifiers/joserfc_.py",
        },
        Library {
            name: "jose",
            program: node(),
            script: "tests/verifiers/jose.mjs",
        },
    ]
}

impl Library {
    fn verify(&self, app: &App, claims: (&str, &str), tokens: &[String]) -> Vec<Value> {
        self.verify_with(app, SigningAlgorithm::Es256, claims, tokens)
    }

    fn verify_with(
        &self,
        app: &App,
        algorithm: SigningAlgorithm,
        (issuer, audience): (&str, &str),
        tokens: &[String],
    ) -> Vec<Value> {
        let task = json!({ "jwks_url": app.jwks_url(), "issuer": issuer, "audience": audience,
                           "algorithm": algorithm, "tokens": tokens });
        let results = ask(&self.program, self.script, &task);
        let results = results.as_array().unwrap().clone();
        assert_eq!(results.len(), tokens.len(), "{}", self.name);
        results
    }
}

async fn issue(app: &App) -> String {
    let request = json!({
        "user": { "id": "user-42", "roles": ["viewer"],
                  "attributes": { "tenant_id": "Ünïcode 🦀", "regions": ["eu", "us"], "score": 0.5 } },
        "resources": [{ "type": "dashboard", "id": "sales" }],
    });
    app.issue(&request).await.token()
}

#[tokio::test]
async fn independent_libraries_accept_our_tokens() {
    on_both_engines(|app| async move {
        let token = issue(&app).await;
        for library in libraries() {
            let results = library.verify(
                &app,
                (&app.issuer(), "default"),
                std::slice::from_ref(&token),
            );
            assert_eq!(results[0]["ok"], true, "{}: {}", library.name, results[0]);
            assert_eq!(results[0]["header"]["typ"], "at+jwt");
            let claims = &results[0]["claims"];
            for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
                assert!(
                    claims.get(claim).is_some(),
                    "RFC 9068 requires {claim}: {claims}"
                );
            }
            assert_eq!(
                claims["attributes"]["tenant_id"], "Ünïcode 🦀",
                "{}",
                library.name
            );
            assert_eq!(claims["roles"], json!(["viewer"]));
        }
    })
    .await;
}

#[tokio::test]
async fn independent_libraries_accept_tokens_of_every_published_algorithm() {
    on_both_engines(|app| async move {
        let published = SigningAlgorithm::ALL.iter().copied();
        for algorithm in published.filter(|it| !it.is_symmetric()) {
            let name = algorithm.as_str().to_lowercase();
            let new = NewAudience {
                name: AudienceName::parse(&name).unwrap(),
                aud: None,
                algorithm,
                limits: AudienceLimits {
                    default_ttl_seconds: 300,
                    max_ttl_seconds: 300,
                },
                settings: AudienceSettings::default(),
                secret: None,
            };
            let (issuer, act) = (&app.services.issuer, Act::on_command_line());
            let made = issuer.create_audience(&act, app.organization.id, new);
            made.await.unwrap();
            app.server_sees_changes().await;
            let request = json!({
                "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
                "audience": name,
            });
            let token = app.issue(&request).await.token();
            for library in libraries() {
                let claims = (&*app.issuer(), &*name);
                let results = library.verify_with(&app, algorithm, claims, std::slice::from_ref(&token));
                let (library, result) = (library.name, &results[0]);
                assert_eq!(result["ok"], true, "{library} {algorithm}: {result}");
                assert_eq!(result["header"]["alg"], algorithm.as_str());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn independent_libraries_refuse_other_issuers_and_audiences() {
    on_both_engines(|app| async move {
        let token = issue(&app).await;
        let issuer = app.issuer();
        for library in libraries() {
            for expected in [
                ("https://tokens.test/orgs/other", "default"),
                (issuer.as_str(), "other"),
            ] {
                let results = library.verify(&app, expected, std::slice::from_ref(&token));
                assert_eq!(results[0]["ok"], false, "{} {expected:?}", library.name);
            }
        }
    })
    .await;
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The token with each character replaced in three ways. The last one carries two bits of the signature and four that
/// decoders may leave unread (RFC 4648 section 3.5): there the replacements change the two, for otherwise a lenient
/// decoder would see the same token, spelled differently.
fn altered(token: &str) -> Vec<String> {
    let replaced = token.char_indices().flat_map(|(at, character)| {
        let value = ALPHABET.iter().position(|it| char::from(*it) == character);
        [0b01_0000, 0b10_0000, 0b11_0101].map(|bits| {
            let replacement = value.map_or('A', |value| char::from(ALPHABET[value ^ bits]));
            let mut altered = token.to_owned();
            altered.replace_range(at..=at, replacement.encode_utf8(&mut [0; 4]));
            altered
        })
    });
    replaced.collect()
}

#[tokio::test]
async fn a_token_altered_in_any_one_byte_is_refused_by_all() {
    on_both_engines(|app| async move {
        let token = issue(&app).await;
        let mut tokens = altered(&token);
        let count = tokens.len();
        assert!(count > 1500 && tokens.iter().all(|it| *it != token));
        tokens.push(token.clone());
        for library in libraries() {
            let results = library.verify(&app, (&app.issuer(), "default"), &tokens);
            for (at, result) in results[..count].iter().enumerate() {
                assert_eq!(
                    result["ok"], false,
                    "{} accepted a change at {at}",
                    library.name
                );
            }
            assert_eq!(
                results[count]["ok"], true,
                "{} is not refusing everything",
                library.name
            );
        }
    })
    .await;
}

#[tokio::test]
async fn our_verifier_also_refuses_other_spellings_of_the_same_signature() {
    on_both_engines(|app| async move {
        let token = issue(&app).await;
        let jwks = app.get("/orgs/acme/.well-known/jwks.json").await.text;
        let now = crate::support::decode(&token).1["iat"].as_u64().unwrap();
        let verifier = jeton_verifier::Verifier::new(&app.issuer(), "default", &jwks).unwrap();
        assert!(verifier.verify(&token, now).is_ok());
        let (but_last, last) = token.split_at(token.len() - 1);
        for other in ALPHABET.iter().copied().map(char::from) {
            let altered = format!("{but_last}{other}");
            assert!(
                last == other.to_string() || verifier.verify(&altered, now).is_err(),
                "{other}"
            );
        }
    })
    .await;
}
