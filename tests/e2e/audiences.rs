//! Audiences over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, on_both_engines};

pub(crate) const AUDIENCES: &str = "/v1/audiences";

pub(crate) async fn call(app: &App, method: Method, path: &str, body: Option<Value>) -> Answer {
    app.call(method, &format!("{AUDIENCES}{path}"), body).await
}

/// Makes an audience; the answer is what is shown of it.
pub(crate) async fn make(app: &App, body: Value) -> Value {
    let made = call(app, Method::POST, "", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

pub(crate) fn at(audience: &Value, below: &str) -> String {
    format!("/{}{below}", audience["id"].as_str().unwrap())
}

/// The actions of the audience's events, newest first.
pub(crate) async fn actions(app: &App, audience: &Value) -> Vec<String> {
    let id = audience["id"].as_str().unwrap();
    let path = format!("/v1/audit-events?target_id={id}");
    let events = app.call(Method::GET, &path, None).await.json();
    let events = events["data"].as_array().unwrap().clone();
    let action = |it: &Value| it["action"].as_str().unwrap().to_owned();
    events.iter().map(action).collect()
}

#[tokio::test]
async fn an_audience_is_made_shown_changed_and_removed() {
    on_both_engines(|app| async move {
        let body = json!({
            "name": "analytics", "aud": "https://bi.example.com", "algorithm": "EdDSA",
            "default_ttl_seconds": 60, "max_ttl_seconds": 120, "max_token_bytes": 2048,
            "authorized_origins": ["https://b.example.com", "https://a.example.com"],
            "renewal": { "session_seconds": 3600, "idle_seconds": 600 },
            "claims": { "template": { "role": "{{ role }}" }, "registered": { "client_id": false },
                        "typ": "JWT", "key_id": "k-1", "issuer_in_header": true },
        });
        let mut expected = json!({
            "name": "analytics", "aud": "https://bi.example.com", "algorithm": "EdDSA",
            "default_ttl_seconds": 60, "max_ttl_seconds": 120, "max_token_bytes": 2048,
            "authorized_origins": ["https://a.example.com", "https://b.example.com"],
            "renewal": { "session_seconds": 3600, "grace_seconds": 0, "idle_seconds": 600 },
            "claims": {
                "template": { "role": "{{ role }}" },
                "registered": { "issuer": "organization", "subject": "user", "client_id": false, "not_before": true },
                "typ": "JWT", "key_id": "k-1", "issuer_in_header": true, "superset_datasets": {},
            },
            "format": { "kind": "signed" },
        });
        let made = make(&app, body.clone()).await;
        for member in ["id", "created_at"] {
            expected[member] = made[member].clone();
        }
        let id = made["id"].as_str().unwrap().to_owned();
        expected["jwks_uri"] = format!("{}/audiences/{id}/jwks.json", app.issuer()).into();
        assert_eq!(made, expected);
        let again = call(&app, Method::POST, "", Some(body)).await;
        again.assert_problem(StatusCode::CONFLICT, "already_exists");
        assert_eq!(call(&app, Method::GET, &at(&made, ""), None).await.json(), made);

        let patch = json!({
            "max_ttl_seconds": 300, "renewal": null,
            "claims": { "template": null, "registered": { "subject": "user_uuid" }, "key_id": null },
        });
        expected["max_ttl_seconds"] = 300.into();
        expected["renewal"] = Value::Null;
        expected["claims"]["template"] = Value::Null;
        expected["claims"]["key_id"] = Value::Null;
        expected["claims"]["registered"]["subject"] = "user_uuid".into();
        for body in [patch, json!({})] {
            let changed = call(&app, Method::PATCH, &at(&made, ""), Some(body)).await;
            assert_eq!((changed.status, changed.json()), (200, expected.clone()));
        }
        assert_eq!(call(&app, Method::GET, &at(&made, ""), None).await.json(), expected);

        let removed = call(&app, Method::DELETE, &at(&made, ""), None).await;
        assert_eq!((removed.status, removed.text.as_str()), (204, ""));
        for (method, body) in [(Method::GET, None), (Method::PATCH, Some(json!({}))), (Method::DELETE, None)] {
            let gone = call(&app, method, &at(&made, ""), body).await;
            gone.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        let gone = app.get(&format!("/orgs/acme/audiences/{id}/jwks.json")).await;
        gone.assert_problem(StatusCode::NOT_FOUND, "not_found");
        let done = ["audience.delete", "audience.update", "audience.create"];
        assert_eq!(actions(&app, &made).await, done, "no event where nothing changed");
    })
    .await;
}

#[tokio::test]
async fn nothing_said_is_the_ordinary_and_default_stays() {
    on_both_engines(|app| async move {
        let made = make(&app, json!({ "name": "plain" })).await;
        let listed = call(&app, Method::GET, "", None).await.json();
        let default = &listed["data"][0];
        assert_eq!(default["name"], "default");
        for member in made.as_object().unwrap().keys() {
            if !["id", "name", "aud", "jwks_uri", "created_at"].contains(&member.as_str()) {
                assert_eq!(made[member], default[member], "{member}");
            }
        }
        assert_eq!(
            (&made["aud"], &made["default_ttl_seconds"]),
            (&json!("plain"), &json!(900))
        );
        let short = make(&app, json!({ "name": "short", "max_ttl_seconds": 60 })).await;
        assert_eq!(short["default_ttl_seconds"], 60);
        let refused = call(&app, Method::DELETE, &at(default, ""), None).await;
        refused.assert_problem(StatusCode::CONFLICT, "default_audience");

        let page = call(&app, Method::GET, "?limit=2", None).await.json();
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = call(&app, Method::GET, &format!("?cursor={cursor}"), None)
            .await
            .json();
        let names = |page: &Value| -> Vec<Value> {
            let data = page["data"].as_array().unwrap();
            data.iter().map(|it| it["name"].clone()).collect()
        };
        assert_eq!(
            (names(&page), names(&rest)),
            (vec![json!("default"), json!("plain")], vec![json!("short")])
        );
        assert!(rest.get("next_cursor").is_none());
        for wrong in ["?limit=0", "?cursor=x", "?unknown=1"] {
            assert_eq!(
                call(&app, Method::GET, wrong, None).await.status,
                422,
                "{wrong}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_with_its_place() {
    on_both_engines(|app| async move {
        let wrong = json!({
            "name": "wrong", "aud": " ", "default_ttl_seconds": 90_001, "max_ttl_seconds": 90_000, "max_token_bytes": 511,
            "renewal": { "session_seconds": 0, "grace_seconds": 301, "idle_seconds": 0 },
            "authorized_origins": (0..101).map(|it| format!("https://a{it}.example.com")).collect::<Vec<_>>(),
            "claims": { "template": { "iss": "x", "a": "{{ user.name }}" }, "key_id": "a b",
                        "registered": { "issuer": { "given": "" } } },
            "secret": "AAAA",
        });
        let expected = json!([
            ["/aud", "invalid_aud"], ["/default_ttl_seconds", "out_of_range"], ["/max_ttl_seconds", "out_of_range"],
            ["/max_token_bytes", "out_of_range"], ["/authorized_origins", "too_many"],
            ["/renewal/session_seconds", "out_of_range"], ["/renewal/grace_seconds", "out_of_range"],
            ["/renewal/idle_seconds", "out_of_range"], ["/claims/registered", "invalid_claim"],
            ["/claims/key_id", "invalid_key_id"], ["/claims/template/iss", "invalid_template"],
            ["/claims/template/a", "invalid_template"], ["/secret", "unusable_key"],
        ]);
        let refused = call(&app, Method::POST, "", Some(wrong.clone())).await;
        let told = |answer: &Answer| -> Value {
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_audience");
            let errors = problem["errors"].as_array().unwrap().clone();
            errors.iter().map(|it| json!([it["pointer"], it["code"]])).collect()
        };
        assert_eq!(told(&refused), expected);
        assert!(!refused.text.contains("AAAA"));
        let default = call(&app, Method::GET, "", None).await.json()["data"][0].clone();
        let mut patch = wrong;
        for member in ["name", "secret"] {
            patch.as_object_mut().unwrap().remove(member);
        }
        let refused = call(&app, Method::PATCH, &at(&default, ""), Some(patch)).await;
        let all = expected.as_array().unwrap();
        assert_eq!(told(&refused), json!(all[..all.len() - 1]));
        let id = json!({ "name": "aud_00000000000000000000000000000000" });
        let refused = call(&app, Method::POST, "", Some(id)).await;
        assert_eq!(told(&refused), json!([["/name", "invalid_name"]]));

        for (body, code, pointer) in [
            (json!({}), "missing_field", ""),
            (json!({ "name": "No" }), "invalid_field", "/name"),
            (json!({ "name": "a", "algorithm": "none" }), "invalid_field", "/algorithm"),
            (json!({ "name": "a", "preset": "nobody" }), "unknown_preset", "/preset"),
            (json!({ "name": "a", "authorized_origins": ["https://a.example.com", "*"] }), "invalid_field", "/authorized_origins/1"),
            (json!({ "name": "a", "renewal": {} }), "missing_field", "/renewal"),
            (json!({ "name": "a", "max_ttl_seconds": null }), "invalid_field", "/max_ttl_seconds"),
            (json!({ "name": "a", "claims": { "typ": "jwt" } }), "invalid_field", "/claims/typ"),
            (json!({ "name": "a", "claims": { "registered": { "exp": false } } }), "unknown_field", "/claims/registered/exp"),
            (json!({ "name": "a", "algorithm": "HS256", "secret": "a+b" }), "unusable_key", "/secret"),
        ] {
            let refused = call(&app, Method::POST, "", Some(body.clone())).await;
            let problem = refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        for fixed in [json!({ "name": "b" }), json!({ "algorithm": "EdDSA" })] {
            let refused = call(&app, Method::PATCH, &at(&default, ""), Some(fixed)).await;
            refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_field");
        }
        let after = call(&app, Method::GET, "", None).await.json();
        assert_eq!(after["data"], json!([default]), "nothing of it remains");
    })
    .await;
}

#[tokio::test]
async fn a_preset_fills_in_what_is_left_out_and_asks_for_what_only_the_consumer_knows() {
    on_both_engines(|app| async move {
        let presets = app.call(Method::GET, "/v1/audience-presets", None).await.json();
        let presets = presets["data"].as_array().unwrap().clone();
        let preset = |name: &str| presets.iter().find(|it| it["name"] == name).unwrap();
        for member in ["consumer", "documentation", "algorithms", "given", "notes", "template"] {
            assert!(presets.iter().all(|it| it.get(member).is_some()), "{member}");
        }
        let hasura = make(&app, json!({ "name": "hasura", "preset": "hasura", "max_ttl_seconds": 600 })).await;
        assert_eq!(hasura["claims"]["template"], preset("hasura")["template"]);
        assert_eq!((&hasura["algorithm"], &hasura["max_ttl_seconds"]), (&json!("ES256"), &json!(600)));
        let own = json!({ "a": "{{ role }}" });
        let body = json!({ "name": "supabase", "preset": "supabase", "algorithm": "RS256",
                           "claims": { "template": own, "typ": "at+jwt" } });
        let supabase = make(&app, body).await;
        assert_eq!((&supabase["aud"], &supabase["algorithm"]), (&json!("authenticated"), &json!("RS256")));
        let claims = &supabase["claims"];
        assert_eq!((&claims["template"], &claims["typ"], &claims["registered"]["subject"]), (&own, &json!("at+jwt"), &json!("user_uuid")));

        for (name, places) in [
            ("superset-guest", json!(["/aud", "/secret"])),
            ("tableau", json!(["/claims/registered/issuer", "/claims/key_id", "/secret"])),
            ("toucan-embed", json!(["/aud", "/claims/registered/issuer"])),
        ] {
            let refused = call(&app, Method::POST, "", Some(json!({ "name": "a", "preset": name }))).await;
            let problem = refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_audience");
            let errors = problem["errors"].as_array().unwrap();
            let found: Value = errors.iter().map(|it| it["pointer"].clone()).collect();
            assert_eq!(found, places, "{name}");
            let given = preset(name)["given"].as_array().unwrap();
            assert!(given.iter().all(|it| places.as_array().unwrap().contains(it)), "{name}");
        }
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
        let body = json!({ "name": "tableau", "preset": "tableau", "secret": secret,
            "claims": { "key_id": "secret-1", "registered": { "issuer": { "given": "client-1" } } } });
        let made = call(&app, Method::POST, "", Some(body)).await;
        assert!(made.status == 201 && !made.text.contains(&secret[..20]), "{}", made.text);
        let tableau = made.json();
        assert_eq!((&tableau["algorithm"], &tableau["aud"], &tableau["max_ttl_seconds"]), (&json!("HS256"), &json!("tableau"), &json!(600)));
        assert_eq!(tableau["claims"]["issuer_in_header"], true);
        assert!(!app.server.everything_printed().contains(&secret[..20]));
    })
    .await;
}

#[tokio::test]
async fn another_organizations_audience_is_none() {
    on_both_engines(|app| async move {
        let ours = make(&app, json!({ "name": "ours" })).await;
        let stranger = app.key_of_another_organization().await;
        let kid = call(&app, Method::GET, &at(&ours, "/signing-keys"), None)
            .await
            .json();
        let kid = kid["data"][0]["kid"].as_str().unwrap();
        let secret = json!({ "secret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" });
        for (method, below, body) in [
            (Method::GET, String::new(), None),
            (
                Method::PATCH,
                String::new(),
                Some(json!({ "aud": "theirs" })),
            ),
            (Method::DELETE, String::new(), None),
            (Method::GET, "/signing-keys".into(), None),
            (Method::POST, "/signing-keys/rotate".into(), None),
            (Method::POST, "/signing-keys/import".into(), Some(secret)),
            (Method::POST, format!("/signing-keys/{kid}/retire"), None),
        ] {
            let path = format!("{AUDIENCES}{}", at(&ours, &below));
            let answer = app.call_with(&stranger, method, &path, body).await;
            answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        let jwks = format!("/audiences{}", at(&ours, "/jwks.json"));
        assert_eq!(app.get(&format!("/orgs/acme{jwks}")).await.status, 200);
        for elsewhere in ["other", "nobody"] {
            let answer = app.get(&format!("/orgs/{elsewhere}{jwks}")).await;
            answer.assert_problem(StatusCode::NOT_FOUND, "not_found");
        }
        assert_eq!(
            call(&app, Method::GET, &at(&ours, ""), None).await.json(),
            ours
        );
        let listed = app.call_with(&stranger, Method::GET, AUDIENCES, None).await;
        assert!(!listed.text.contains("ours"), "{}", listed.text);
    })
    .await;
}
