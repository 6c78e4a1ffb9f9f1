//! Token exchange: RFC 8693, with authorization details of RFC 9396.

use key_admin::{KeyCeiling, Permission};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, App, NewKey, ask, decode, node, on_both_engines};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER: &str = "urn:jeton:params:oauth:token-type:user";
const TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

type Parameters = Vec<(&'static str, String)>;

fn user(details: &Value) -> Parameters {
    vec![
        ("grant_type", GRANT.into()),
        ("subject_token", "user-42".into()),
        ("subject_token_type", USER.into()),
        ("authorization_details", json!([details]).to_string()),
    ]
}

fn viewer() -> Value {
    json!({ "type": "jeton_session", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } })
}

/// One parameter set, or left out.
fn with(mut parameters: Parameters, name: &'static str, value: Option<&str>) -> Parameters {
    parameters.retain(|(known, _)| *known != name);
    parameters.extend(value.map(|value| (name, value.to_owned())));
    parameters
}

fn part(token: &str, details: &Value) -> Parameters {
    let mut details = details.clone();
    details["type"] = json!("jeton_session");
    let parameters = with(user(&details), "subject_token", Some(token));
    with(parameters, "subject_token_type", Some(TOKEN))
}

fn form(request: RequestBuilder, parameters: &Parameters) -> RequestBuilder {
    let encoded = reqwest::Url::parse_with_params("http://form", parameters).unwrap();
    let body = encoded.query().unwrap_or_default().to_owned();
    let content_type = "application/x-www-form-urlencoded";
    request.header("content-type", content_type).body(body)
}

async fn exchange(app: &App, key: &str, parameters: &Parameters) -> Answer {
    let request = app.http.post(app.server.url() + "/oauth2/token");
    let request = form(request, parameters).basic_auth("any", Some(key));
    app.send(request).await
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, error: &str) -> Value {
    let body = answer.json();
    assert_eq!(
        (answer.status, &body["error"]),
        (status, &json!(error)),
        "{}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let description = body["error_description"].as_str().unwrap();
    assert!(!description.is_empty() && description.bytes().all(|it| matches!(it, b' '..=b'~')));
    body
}

#[tokio::test]
async fn a_user_is_exchanged_for_a_token() {
    on_both_engines(|app| async move {
        let mut details = viewer();
        details["resources"] = json!([{ "type": "dashboard", "id": "sales" }]);
        details["ttl_seconds"] = json!(120);
        let answer = exchange(&app, &app.key, &user(&details)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        let token = body["access_token"].as_str().unwrap();
        assert_eq!(
            body,
            json!({
                "access_token": token, "issued_token_type": TOKEN, "token_type": "Bearer", "expires_in": 120,
                "scope": "dashboard:view", "authorization_details": [details],
            })
        );
        let (_, claims) = decode(token);
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("user-42"), &json!("default")));
        assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));
        assert_eq!(app.count_sessions().await, 1);

        let jwt = "urn:ietf:params:oauth:token-type:jwt";
        let parameters = with(user(&viewer()), "requested_token_type", Some(jwt));
        let body = exchange(&app, &app.key, &parameters).await.json();
        assert_eq!(body["issued_token_type"], jwt);
    })
    .await;
}

#[tokio::test]
async fn clients_authenticate_with_their_key_in_any_of_its_forms() {
    on_both_engines(|app| async move {
        let post = || {
            form(
                app.http.post(app.server.url() + "/oauth2/token"),
                &user(&viewer()),
            )
        };
        for value in [format!("Bearer {}", app.key), format!("ApiKey {}", app.key)] {
            assert_eq!(
                app.send(post().header("authorization", value)).await.status,
                200
            );
        }
        let refused = app.send(post()).await;
        assert_refused(&refused, 401, "invalid_client");
        let challenges = refused.headers.get_all("www-authenticate");
        assert!(
            challenges
                .iter()
                .any(|it| it.to_str().unwrap().starts_with("Basic "))
        );
        let wrong = format!("{}0", &app.key[..app.key.len() - 1]);
        assert_refused(
            &exchange(&app, &wrong, &user(&viewer())).await,
            401,
            "invalid_client",
        );
        let permissions = vec![Permission::KeysRead];
        let new = NewKey {
            permissions,
            ..NewKey::default()
        };
        let (_, reader) = app.create_key(new).await;
        let answer = exchange(&app, &reader, &user(&viewer())).await;
        assert_refused(&answer, 403, "unauthorized_client");
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_not_as_the_rfc_has_them_are_refused() {
    on_both_engines(|app| async move {
        let good = || user(&viewer());
        let details = |text: &str| with(good(), "authorization_details", Some(text));
        let mut twice = good();
        twice.push(("audience", "default".into()));
        twice.push(("audience", "default".into()));
        for (parameters, error) in [
            (with(good(), "grant_type", None), "invalid_request"),
            (
                with(good(), "grant_type", Some("client_credentials")),
                "unsupported_grant_type",
            ),
            (with(good(), "subject_token", None), "invalid_request"),
            (with(good(), "subject_token_type", None), "invalid_request"),
            (
                with(
                    good(),
                    "subject_token_type",
                    Some("urn:ietf:params:oauth:token-type:jwt"),
                ),
                "invalid_request",
            ),
            (
                with(good(), "requested_token_type", Some("urn:x")),
                "invalid_request",
            ),
            (with(good(), "actor_token", Some("x")), "invalid_request"),
            (
                with(good(), "actor_token_type", Some(TOKEN)),
                "invalid_request",
            ),
            (
                with(good(), "resource", Some("https://api.test")),
                "invalid_target",
            ),
            (with(good(), "audience", Some("nobody")), "invalid_target"),
            (
                with(good(), "scope", Some("dashboard:edit")),
                "invalid_scope",
            ),
            (with(good(), "scope", Some("openid")), "invalid_scope"),
            (twice, "invalid_request"),
            (details("nonsense"), "invalid_authorization_details"),
            (details("[]"), "invalid_authorization_details"),
            (details("{}"), "invalid_authorization_details"),
            (
                details(r#"[{"type":"other"}]"#),
                "invalid_authorization_details",
            ),
            (
                details(r#"[{"roles":["viewer"]}]"#),
                "invalid_authorization_details",
            ),
            (
                details(r#"[{"type":"jeton_session","role":"viewer"}]"#),
                "invalid_authorization_details",
            ),
            (
                details(r#"[{"type":"jeton_session","type":"jeton_session"}]"#),
                "invalid_authorization_details",
            ),
            (details(r#"[],"x":[]"#), "invalid_authorization_details"),
            (
                with(good(), "authorization_details", None),
                "invalid_request",
            ),
        ] {
            let answer = exchange(&app, &app.key, &parameters).await;
            let body = assert_refused(&answer, 400, error);
            assert!(!body.to_string().contains("t-1"), "{body}");
        }
        let json = app
            .http
            .post(app.server.url() + "/oauth2/token")
            .json(&json!({}));
        let answer = app.send(json.basic_auth("any", Some(&app.key))).await;
        assert_refused(&answer, 415, "invalid_request");
        assert_eq!(app.count_sessions().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_names_every_reason_at_its_parameter() {
    on_both_engines(|app| async move {
        let details = json!({ "type": "jeton_session", "roles": ["nobody"], "attributes": { "plan": "s3cret" },
                              "ttl_seconds": 0, "resources": [{ "type": "Dashboard", "id": "x" }] });
        let parameters = with(user(&details), "subject_token", Some("\u{7f}"));
        let answer = exchange(&app, &app.key, &parameters).await;
        let body = assert_refused(&answer, 400, "invalid_request");
        let errors = body["errors"].as_array().unwrap();
        let pointers: Vec<&str> = errors.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
        for pointer in [
            "/subject_token",
            "/authorization_details/0/roles/0",
            "/authorization_details/0/attributes/plan",
            "/authorization_details/0/attributes/tenant_id",
            "/authorization_details/0/ttl_seconds",
            "/authorization_details/0/resources/0/type",
        ] {
            assert!(pointers.contains(&pointer), "{pointer}: {body}");
        }
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains("`nobody`") && description.contains("`tenant_id`"), "{description}");
        assert!(!body.to_string().contains("s3cret"));
        let events = app
            .call(reqwest::Method::GET, "/v1/audit-events?action=session_token.refuse", None)
            .await;
        assert_eq!(events.json()["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

/// A token with something of everything.
async fn whole(app: &App) -> String {
    let request = json!({
        "user": { "id": "user-42", "roles": ["viewer", "editor"],
                  "attributes": { "tenant_id": "t-1", "regions": ["eu", "us"], "plan": "pro" } },
        "ttl_seconds": 600,
        "resources": [{ "type": "dashboard", "id": "sales" }, { "type": "dashboard", "id": "costs" }],
    });
    app.issue(&request).await.token()
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_that_may_do_less() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let (_, before) = decode(&token);
        for (details, roles, regions, resources) in [
            (
                json!({}),
                json!(["viewer", "editor"]),
                json!(["eu", "us"]),
                2,
            ),
            (
                json!({ "roles": ["viewer"] }),
                json!(["viewer"]),
                json!(["eu", "us"]),
                2,
            ),
            (
                json!({ "attributes": { "regions": ["us"] } }),
                json!(["viewer", "editor"]),
                json!(["us"]),
                2,
            ),
            (
                json!({ "resources": [{ "type": "dashboard", "id": "costs" }], "ttl_seconds": 60 }),
                json!(["viewer", "editor"]),
                json!(["eu", "us"]),
                1,
            ),
        ] {
            let answer = exchange(&app, &app.key, &part(&token, &details)).await;
            assert_eq!(answer.status, 200, "{details}: {}", answer.text);
            let (_, claims) = decode(answer.json()["access_token"].as_str().unwrap());
            assert_eq!(
                (&claims["sub"], &claims["roles"]),
                (&json!("user-42"), &roles)
            );
            assert_eq!(
                claims["attributes"]["tenant_id"], "t-1",
                "what is not named stays"
            );
            assert_eq!(claims["attributes"]["plan"], "pro");
            assert_eq!(claims["attributes"]["regions"], regions);
            assert_eq!(claims["resources"].as_array().unwrap().len(), resources);
            assert!(claims["exp"].as_i64() <= before["exp"].as_i64());
            assert_ne!(claims["jti"], before["jti"]);
        }
    })
    .await;
}

#[tokio::test]
async fn no_exchange_makes_a_token_wider() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let resource = |id: &str| json!([{ "type": "dashboard", "id": id }]);
        let chart = json!([{ "type": "chart", "id": "sales" }]);
        for (details, pointer) in [
            (json!({ "roles": ["viewer", "admin"] }), "roles/1"),
            (json!({ "roles": ["admin"] }), "roles/0"),
            (json!({ "roles": ["auditor"] }), "roles/0"),
            (
                json!({ "attributes": { "tenant_id": "t-2" } }),
                "attributes/tenant_id",
            ),
            (
                json!({ "attributes": { "tenant_id": null } }),
                "attributes/tenant_id",
            ),
            (
                json!({ "attributes": { "regions": ["eu", "asia"] } }),
                "attributes/regions",
            ),
            (
                json!({ "attributes": { "regions": "eu" } }),
                "attributes/regions",
            ),
            (
                json!({ "attributes": { "plan": "free" } }),
                "attributes/plan",
            ),
            (
                json!({ "attributes": { "internal": true } }),
                "attributes/internal",
            ),
            (json!({ "resources": [] }), "resources"),
            (json!({ "resources": resource("other") }), "resources/0"),
            (json!({ "resources": chart }), "resources/0"),
            (json!({ "ttl_seconds": 601 }), "ttl_seconds"),
        ] {
            let answer = exchange(&app, &app.key, &part(&token, &details)).await;
            let body = assert_refused(&answer, 400, "invalid_request");
            let errors = body["errors"].as_array().unwrap();
            let pointer = format!("/authorization_details/0/{pointer}");
            assert!(
                errors.iter().any(|it| it["pointer"] == pointer),
                "{details}: {body}"
            );
        }
        let empty = json!({ "attributes": { "regions": [] } });
        assert_refused(
            &exchange(&app, &app.key, &part(&token, &empty)).await,
            400,
            "invalid_request",
        );
        assert_eq!(app.count_sessions().await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_calling_key_adds_nothing_and_must_allow_all() {
    on_both_engines(|app| async move {
        let request = json!({ "user": { "id": "u", "roles": ["editor"], "attributes": { "tenant_id": "t-1" } } });
        let token = app.issue(&request).await.token();
        for (ceiling, code) in [
            (json!({ "roles": ["viewer"] }), "role_not_allowed"),
            (json!({ "fixed_attributes": { "tenant_id": "t-9" } }), "attribute_fixed"),
            (json!({ "fixed_attributes": { "plan": "pro" } }), "attribute_not_in_token"),
        ] {
            let ceiling: KeyCeiling = serde_json::from_value(ceiling).unwrap();
            let (_, key) = app.create_key(NewKey { ceiling, ..NewKey::default() }).await;
            let body = assert_refused(&exchange(&app, &key, &part(&token, &json!({}))).await, 400, "invalid_request");
            assert_eq!(body["errors"][0]["code"], code);
        }
        let audiences: KeyCeiling = serde_json::from_value(json!({ "audiences": [] })).unwrap();
        let (_, key) = app.create_key(NewKey { ceiling: audiences, ..NewKey::default() }).await;
        assert_refused(&exchange(&app, &key, &part(&token, &json!({}))).await, 400, "invalid_target");
        let other = app.key_of_another_organization().await;
        assert_refused(&exchange(&app, &other, &part(&token, &json!({}))).await, 400, "invalid_request");
        assert_refused(&exchange(&app, &app.key, &part("eyJ.x.y", &json!({}))).await, 400, "invalid_request");
    })
    .await;
}

#[tokio::test]
async fn a_narrowed_scope_stays_narrow() {
    on_both_engines(|app| async move {
        let mut editor = viewer();
        editor["roles"] = json!(["editor"]);
        let narrow = with(user(&editor), "scope", Some("dashboard:view"));
        let body = exchange(&app, &app.key, &narrow).await.json();
        assert_eq!(body["scope"], "dashboard:view");
        let token = body["access_token"].as_str().unwrap();
        let again = exchange(&app, &app.key, &part(token, &json!({})))
            .await
            .json();
        assert_eq!(
            again["scope"], "dashboard:view",
            "though the role allows more"
        );
        let wider = with(part(token, &json!({})), "scope", Some("dashboard:edit"));
        let answer = exchange(&app, &app.key, &wider).await;
        let body = assert_refused(&answer, 400, "invalid_scope");
        assert_eq!(body["errors"][0]["pointer"], "/scope/0");
    })
    .await;
}

async fn is_active(app: &App, token: &str) -> bool {
    let body =
        json!({ "token": token, "checks": [{ "resource": "dashboard/sales", "action": "view" }] });
    let answer = app
        .call(reqwest::Method::POST, "/v1/authorize", Some(body))
        .await;
    if answer.status != 200 {
        answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_not_active");
    }
    answer.status == 200
}

async fn revoke(app: &App, token: &str) {
    let id = decode(token).1["jti"].as_str().unwrap().to_owned();
    let id: storage::SessionId = id.parse().unwrap();
    let mut tx = app.services.database.write().await.unwrap();
    let sql = "update sessions set revoked_at = issued_at where id = $1";
    assert_eq!(storage::execute!(tx.conn(), sql, id).unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_part_is_void_with_the_whole_of_another_key() {
    on_both_engines(|app| async move {
        let token = whole(&app).await;
        let (_, key) = app.create_key(NewKey::default()).await;
        let first = exchange(&app, &key, &part(&token, &json!({}))).await.json();
        let first = first["access_token"].as_str().unwrap();
        let second = exchange(
            &app,
            &app.key,
            &part(first, &json!({ "roles": ["viewer"] })),
        )
        .await
        .json();
        let second = second["access_token"].as_str().unwrap();
        assert!(is_active(&app, first).await && is_active(&app, second).await);
        revoke(&app, &token).await;
        assert!(!is_active(&app, &token).await);
        assert!(!is_active(&app, first).await && !is_active(&app, second).await);
        for void in [token.as_str(), first] {
            let answer = exchange(&app, &app.key, &part(void, &json!({}))).await;
            assert_refused(&answer, 400, "invalid_request");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_knows_only_the_standards_gets_and_narrows_a_token() {
    on_both_engines(|app| async move {
        let id = format!("key_{}", &app.key["jtn_".len()..][..12]);
        let object = |parameters: Parameters| -> Value {
            let pairs = parameters.into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
            Value::Object(pairs.filter(|(name, _)| name != "grant_type").collect())
        };
        let mut narrower = viewer();
        narrower["ttl_seconds"] = json!(30);
        for algorithm in ["oauth2", "oidc"] {
            let job = json!({
                "issuer": app.issuer(), "server": app.server.url(), "algorithm": algorithm, "audience": "default",
                "client_id": id, "client_secret": app.key,
                "requests": [
                    object(user(&viewer())),
                    object(part("PREVIOUS", &narrower)),
                    object(with(user(&viewer()), "audience", Some("nobody"))),
                ],
            });
            let done = ask(&node(), "tests/verifiers/token_exchange.mjs", &job);
            assert_eq!(done["metadata"]["token_endpoint"], "https://tokens.test/oauth2/token");
            let results = &done["results"];
            assert_eq!(results[0]["claims"]["sub"], "user-42", "{results}");
            assert_eq!(results[1]["answer"]["expires_in"], 30, "{results}");
            assert_eq!(results[2], json!({ "error": "invalid_target", "status": 400 }));
        }
    })
    .await;
}
