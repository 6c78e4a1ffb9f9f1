//! Audiences made from presets, and their tokens before the consumers' own libraries and documented rules.

use reqwest::Method;
use serde_json::{Value, json};

use crate::audiences::make;
use crate::support::{App, ask, decode, node, on_both_engines, python};

const SECRET: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";

/// What a preset is given, what is asked of it, and what its consumer sees in the token.
struct Case {
    preset: &'static str,
    given: Value,
    resources: Value,
    attributes: Value,
    /// `iss` and `kid`, where the consumer gave them out.
    named: Option<(&'static str, &'static str)>,
    seen: Value,
}

fn cases() -> Vec<Case> {
    let tenant = json!({ "tenant_id": "t\"1'" });
    let case = |preset, given, seen| Case {
        preset,
        given,
        resources: json!([]),
        attributes: tenant.clone(),
        named: None,
        seen,
    };
    let dashboard = |id: &str| json!([{ "type": "dashboard", "id": id }]);
    vec![
        case(
            "hasura",
            json!({}),
            json!({
                "role": "viewer", "allowed": ["viewer"],
                "variables": { "x-hasura-default-role": "viewer", "x-hasura-user-id": "user-42",
                               "x-hasura-tenant-id": "t\"1'" },
            }),
        ),
        case(
            "cube",
            json!({}),
            json!({ "tenant_id": "t\"1'", "groups": ["viewer"] }),
        ),
        case(
            "clickhouse",
            json!({}),
            json!({ "user": "user-42", "roles": ["viewer"], "grants": [] }),
        ),
        Case {
            resources: dashboard("17"),
            ..case(
                "metabase",
                json!({ "secret": SECRET }),
                json!({ "dashboard": 17, "tenant_id": "t\"1'" }),
            )
        },
        Case {
            named: Some(("client-1", "secret-1")),
            ..case(
                "tableau",
                json!({ "secret": SECRET,
                        "claims": { "key_id": "secret-1", "registered": { "issuer": { "given": "client-1" } } } }),
                json!({ "user": "user-42", "tenant_id": "t\"1'" }),
            )
        },
        Case {
            named: Some(("client-1", "")),
            attributes: json!({ "tenant_id": "t-1", "workspace_id": "w-1" }),
            ..case(
                "toucan-embed",
                json!({ "aud": "https://toucan.test/acme", "claims": { "registered": { "issuer": { "given": "client-1" } } } }),
                json!({ "user": "user-42", "workspace": "w-1", "attributes": { "tenant_id": "t-1", "workspace_id": "w-1" } }),
            )
        },
        Case {
            resources: dashboard("b5f4a0d2-6c6c-4b8e-9f38-111111111111"),
            attributes: json!({ "tenant_id": "t-1" }),
            ..case(
                "superset-guest",
                json!({ "aud": "https://superset.test", "secret": SECRET,
                        "claims": { "superset_datasets": { "orders": 41, "internal": null } } }),
                json!({
                    "username": "user-42", "dashboards": ["b5f4a0d2-6c6c-4b8e-9f38-111111111111"],
                    "clauses": { "41": ["tenant_id = 't-1'"], "42": [] },
                }),
            )
        },
    ]
}

async fn with_rules_and_workspaces(app: &App) {
    let policy = app.call(Method::GET, "/v1/policy", None).await;
    let mut policy = policy.json();
    let document = policy.get_mut("policy").map_or(Value::Null, Value::take);
    let mut document = if document.is_null() { policy } else { document };
    let attribute = json!({ "name": "workspace_id", "type": "string" });
    document["attributes"]
        .as_array_mut()
        .unwrap()
        .push(attribute);
    let filter = json!({ "column": "tenant_id", "operator": "=", "attribute": "tenant_id" });
    let rule = |table: &str| json!({ "name": table, "table": table, "roles": ["viewer"], "where": filter });
    document["row_rules"] = json!([rule("orders"), rule("internal")]);
    let put = app.call(Method::PUT, "/v1/policy", Some(document)).await;
    assert_eq!(put.status, 200, "{}", put.text);
}

async fn key_of(app: &App, audience: &Value, kid: &str) -> Value {
    if audience["algorithm"] == "HS256" {
        return json!({ "kty": "oct", "k": SECRET, "alg": "HS256" });
    }
    let uri = audience["jwks_uri"].as_str().unwrap();
    let path = &uri[uri.find("/orgs/").unwrap()..];
    let jwks = app.get(path).await.json();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap().clone()
}

#[tokio::test]
async fn every_consumer_takes_the_tokens_of_its_preset() {
    on_both_engines(|app| async move {
        with_rules_and_workspaces(&app).await;
        for case in cases() {
            let mut body = case.given.clone();
            body["name"] = json!(case.preset);
            body["preset"] = json!(case.preset);
            if ["cube", "clickhouse"].contains(&case.preset) {
                body["algorithm"] = json!("RS256");
            }
            let audience = make(&app, body).await;
            let request = json!({
                "user": { "id": "user-42", "roles": ["viewer"], "attributes": case.attributes },
                "audience": case.preset, "resources": case.resources,
            });
            let token = app.issue(&request).await.token();
            let (header, claims) = decode(&token);
            let kid = header["kid"].as_str().unwrap();
            let issuer = app.issuer();
            let (issuer, key_id) = match case.named {
                Some((issuer, "")) => (issuer, kid),
                Some(named) => named,
                None => (issuer.as_str(), kid),
            };
            let job = json!({
                "consumer": case.preset, "jwk": key_of(&app, &audience, kid).await, "issuer": issuer,
                "audience": audience["aud"], "key_id": key_id, "tokens": [token],
            });
            let (program, script) = match case.preset {
                "cube" => (node(), "tests/verifiers/cube.mjs"),
                _ => (python(), "tests/verifiers/consumers.py"),
            };
            let judged = ask(&program, script, &job);
            assert_eq!(judged[0]["ok"], true, "{}: {judged}", case.preset);
            if case.preset == "cube" {
                assert_eq!(judged[0]["seen"], claims);
                for (name, value) in case.seen.as_object().unwrap() {
                    assert_eq!(&claims[name], value, "{name}");
                }
            } else {
                assert_eq!(judged[0]["seen"], case.seen, "{}", case.preset);
            }
        }
    })
    .await;
}

/// PostgREST reads `role` and takes three parts only; Supabase insists on `aud` and a UUID in `sub`.
#[tokio::test]
async fn the_rules_of_postgrest_and_supabase_hold() {
    on_both_engines(|app| async move {
        for preset in ["postgrest", "supabase"] {
            make(&app, json!({ "name": preset, "preset": preset })).await;
        }
        let user = "01a203ac-c363-7c44-b2d3-af39a2eae215";
        let request = |audience: &str, roles: &[&str], id: &str| {
            json!({ "user": { "id": id, "roles": roles, "attributes": { "tenant_id": "t-1" } }, "audience": audience })
        };
        let token = app.issue(&request("postgrest", &["viewer"], user)).await.token();
        let (header, claims) = decode(&token);
        assert_eq!(token.split('.').count(), 3);
        assert_eq!((&header["alg"], &claims["role"]), (&json!("ES256"), &json!("viewer")));
        let two = app.issue(&request("postgrest", &["viewer", "editor"], user)).await;
        two.assert_problem(reqwest::StatusCode::UNPROCESSABLE_ENTITY, "claim_template_refused");

        let token = app.issue(&request("supabase", &["viewer"], user)).await.token();
        let (_, claims) = decode(&token);
        assert_eq!(
            (&claims["aud"], &claims["role"], &claims["sub"]),
            (&json!("authenticated"), &json!("authenticated"), &json!(user))
        );
        let named = app.issue(&request("supabase", &["viewer"], "user-42")).await;
        named.assert_problem(reqwest::StatusCode::UNPROCESSABLE_ENTITY, "claim_template_refused");
    })
    .await;
}
