//! Token exchange: RFC 8693, with authorization details of RFC 9396. Of tokens for narrower ones: [`super::oauth_parts`].

use key_admin::Permission;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, App, NewKey, ask, decode, node, on_both_engines};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER: &str = "urn:jeton:params:oauth:token-type:user";
const TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(crate) type Parameters = Vec<(&'static str, String)>;

pub(crate) fn user(details: &Value) -> Parameters {
    vec![
        ("grant_type", GRANT.into()),
        ("subject_token", "user-42".into()),
        ("subject_token_type", USER.into()),
        ("authorization_details", json!([details]).to_string()),
    ]
}

pub(crate) fn viewer() -> Value {
    json!({ "type": "jeton_session", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } })
}

/// One parameter set, or left out.
pub(crate) fn with(
    mut parameters: Parameters,
    name: &'static str,
    value: Option<&str>,
) -> Parameters {
    parameters.retain(|(known, _)| *known != name);
    parameters.extend(value.map(|value| (name, value.to_owned())));
    parameters
}

pub(crate) fn part(token: &str, details: &Value) -> Parameters {
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

pub(crate) async fn exchange(app: &App, key: &str, parameters: &Parameters) -> Answer {
    let request = app.http.post(app.server.url() + "/oauth2/token");
    let request = form(request, parameters).basic_auth("any", Some(key));
    app.send(request).await
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, error: &str) -> Value {
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
