//! Questions of resource servers: what a token allows, and which rows it may see.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::policy::put;
use crate::support::{Answer, App, on_both_engines};

async fn with_policy(app: &App) -> i64 {
    let policy = json!({
        "roles": [
            { "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] },
            { "name": "editor", "inherits": ["viewer"], "permissions": [{ "resource": "dashboard/eu-*", "action": "*" }] },
            { "name": "outsider", "permissions": [{ "resource": "dashboard/secret", "action": "view", "effect": "deny" }] },
        ],
        "attributes": [
            { "name": "tenant_id", "type": "string" },
            { "name": "regions", "type": "string", "list": true },
        ],
        "row_rules": [
            {
                "name": "own", "table": "orders", "roles": ["viewer"],
                "where": { "all": [
                    { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" },
                    { "column": "region", "operator": "in", "attribute": "regions" },
                ] },
            },
            {
                "name": "notes", "schema": "crm", "table": "notes", "roles": ["editor"],
                "where": { "column": "level", "operator": "<", "value": 3 },
            },
        ],
    });
    let answer = put(app, policy).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["version"].as_i64().unwrap()
}

async fn ask(app: &App, claims: Value, checks: &[(&str, &str)]) -> Answer {
    let checks: Vec<_> = checks
        .iter()
        .map(|(resource, action)| json!({ "resource": resource, "action": action }))
        .collect();
    let body = json!({ "claims": claims, "checks": checks });
    app.call(Method::POST, "/v1/authorize", Some(body)).await
}

async fn filters(app: &App, body: Value) -> Answer {
    app.call(Method::POST, "/v1/policy/row-filters", Some(body))
        .await
}

#[tokio::test]
async fn a_resource_server_learns_what_a_token_allows() {
    on_both_engines(|app| async move {
        let version = with_policy(&app).await;
        let resource = json!([{ "type": "dashboard", "id": "sales" }]);
        for (claims, (object, action), reason, role) in [
            (json!({ "roles": ["viewer"] }), ("dashboard/sales", "view"), "allowed", Some("viewer")),
            (json!({ "roles": ["viewer"] }), ("dashboard", "view"), "allowed", Some("viewer")),
            (json!({ "roles": ["viewer"] }), ("dashboard/sales", "edit"), "not_allowed", None),
            (json!({ "roles": ["editor"] }), ("dashboard/eu-1", "edit"), "allowed", Some("editor")),
            (json!({ "roles": ["editor"] }), ("dashboard/us-1", "edit"), "not_allowed", None),
            (json!({ "roles": ["editor"] }), ("dashboard/us-1", "view"), "allowed", Some("editor")),
            (json!({ "roles": ["viewer", "outsider"] }), ("dashboard/secret", "view"), "denied", Some("outsider")),
            (json!({ "roles": ["viewer", "outsider"] }), ("dashboard/sales", "view"), "allowed", Some("viewer")),
            (json!({ "roles": ["viewer", "gone"] }), ("dashboard/sales", "view"), "unknown_role", None),
            (json!({ "roles": [] }), ("dashboard/sales", "view"), "not_allowed", None),
            (json!({ "roles": ["viewer"], "resources": resource }), ("dashboard/sales", "view"), "allowed", Some("viewer")),
            (json!({ "roles": ["viewer"], "resources": resource }), ("dashboard/other", "view"), "other_resource", None),
        ] {
            let answer = ask(&app, claims, &[(object, action)]).await;
            let mut result = json!({
                "resource": object, "action": action, "allowed": reason == "allowed", "reason": reason,
            });
            if let Some(role) = role {
                result["role"] = role.into();
            }
            assert_eq!(answer.json(), json!({ "policy_version": version, "results": [result] }));
        }
        let many = ask(&app, json!({ "roles": ["viewer"] }), &[("dashboard", "view"); 100]).await;
        assert_eq!(many.json()["results"].as_array().unwrap().len(), 100);
    })
    .await;
}

#[tokio::test]
async fn wrong_questions_are_refused_at_their_place() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let roles = json!({ "roles": ["viewer"] });
        for (answer, code, pointers) in [
            (ask(&app, roles.clone(), &[]).await, "invalid_checks", vec!["/checks"]),
            (ask(&app, roles.clone(), &[("dashboard", "view"); 101]).await, "invalid_checks", vec!["/checks"]),
            (
                ask(&app, roles.clone(), &[("dashboard", "view"), ("Dash\u{0}", "*"), ("x/", "view")]).await,
                "invalid_checks",
                vec!["/checks/1/resource", "/checks/1/action", "/checks/2/resource"],
            ),
            (
                ask(&app, json!({ "roles": vec!["viewer"; 51] }), &[("dashboard", "view")]).await,
                "too_many_roles",
                vec!["/claims/roles"],
            ),
            (
                ask(&app, json!({ "roles": [], "resources": vec![json!({ "type": "a", "id": "b" }); 101] }), &[("a", "view")]).await,
                "too_many_resources",
                vec!["/claims/resources"],
            ),
            (
                ask(&app, json!({ "roles": [], "resources": [{ "type": "A", "id": "b" }] }), &[("a", "view")]).await,
                "invalid_resource",
                vec!["/claims/resources"],
            ),
            (ask(&app, json!({}), &[("dashboard", "view")]).await, "missing_field", vec!["/claims"]),
        ] {
            let problem = answer.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            let errors = problem["errors"].as_array().unwrap();
            let found: Vec<_> = errors.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers, "{problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_application_gets_conditions_with_bound_values() {
    on_both_engines(|app| async move {
        let version = with_policy(&app).await;
        let claims = json!({ "roles": ["editor"], "attributes": { "tenant_id": "t'1", "regions": ["eu", "us"] } });
        let all = filters(&app, json!({ "claims": claims, "output": "sql" })).await.json();
        assert_eq!(
            all,
            json!({ "policy_version": version, "filters": [
                {
                    "table": "orders",
                    "sql": "(\"orders\".\"tenant_id\" = $1 and \"orders\".\"region\" in ($2, $3))",
                    "binds": ["t'1", "eu", "us"],
                },
                { "table": "notes", "schema": "crm", "sql": "\"notes\".\"level\" < $1", "binds": [3] },
            ] })
        );
        let other = json!({ "claims": claims, "output": "sql", "table": "orders", "placeholder": "question", "quote": "backtick" });
        let other = filters(&app, other).await.json();
        assert_eq!(other["filters"][0]["sql"], "(`orders`.`tenant_id` = ? and `orders`.`region` in (?, ?))");
        for table in ["orders", "nothing"] {
            let stranger = json!({ "claims": { "roles": ["stranger"] }, "output": "sql", "table": table });
            let none = filters(&app, stranger).await.json();
            assert_eq!(none["filters"], json!([{ "table": table, "sql": "1 = 0", "binds": [] }]));
        }
    })
    .await;
}

#[tokio::test]
async fn superset_gets_clauses() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let claims = json!({ "roles": ["viewer"], "attributes": { "tenant_id": "t-1", "regions": ["eu"] } });
        let all = filters(&app, json!({ "claims": claims, "output": "superset" })).await.json();
        let clause = "(tenant_id = 't-1' and region in ('eu'))";
        assert_eq!(
            all["rls"],
            json!([{ "table": "orders", "clause": clause }, { "table": "notes", "schema": "crm", "clause": "1 = 0" }])
        );
        for (table, schema, expected) in [
            ("orders", None, json!([{ "table": "orders", "clause": clause }])),
            ("notes", Some("crm"), json!([{ "table": "notes", "schema": "crm", "clause": "1 = 0" }])),
            ("nothing", None, json!([{ "table": "nothing", "clause": "1 = 0" }])),
        ] {
            let mut body = json!({ "claims": claims, "output": "superset", "table": table });
            if let Some(schema) = schema {
                body["schema"] = schema.into();
            }
            assert_eq!(filters(&app, body).await.json()["rls"], expected);
        }
        for (change, code, pointer) in [
            (json!({ "quote": "ansi" }), "conflicting_fields", "/quote"),
            (json!({ "placeholder": "colon" }), "conflicting_fields", "/placeholder"),
            (json!({ "table": "a b" }), "invalid_table", "/table"),
            (json!({ "schema": "crm" }), "missing_field", "/table"),
            (json!({ "output": "mysql" }), "invalid_field", "/output"),
        ] {
            let mut body = json!({ "claims": claims, "output": "superset" });
            for (field, value) in change.as_object().unwrap() {
                body[field] = value.clone();
            }
            let problem = filters(&app, body).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_speaks_for_itself_as_long_as_it_is_active() {
    on_both_engines(|app| async move {
        with_policy(&app).await;
        let user = json!({ "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t-1", "regions": ["eu"] } });
        let resources = json!([{ "type": "dashboard", "id": "sales" }]);
        let issued = app.issue(&json!({ "user": user, "resources": resources })).await.issued();
        let token = issued["token"].as_str().unwrap();
        let checks = json!([
            { "resource": "dashboard/sales", "action": "view" },
            { "resource": "dashboard/other", "action": "view" },
        ]);
        let ask = async |body: Value| app.call(Method::POST, "/v1/authorize", Some(body)).await;
        let answer = ask(json!({ "token": token, "checks": checks })).await.json();
        let reasons: Vec<_> = answer["results"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
        assert_eq!(reasons, ["allowed", "other_resource"]);
        let rows = filters(&app, json!({ "token": token, "output": "sql", "table": "orders" })).await.json();
        assert_eq!(rows["filters"][0]["binds"], json!(["t-1", "eu"]));

        let forged = format!("{}x", &token[..token.len() - 1]);
        for bad in [forged.as_str(), "", "eyJ", &app.key] {
            let refused = ask(json!({ "token": bad, "checks": checks })).await;
            refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_not_active");
            let refused = filters(&app, json!({ "token": bad, "output": "sql" })).await;
            refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "token_not_active");
        }
        let both = json!({ "token": token, "claims": { "roles": ["viewer"] }, "checks": checks });
        ask(both).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "conflicting_fields");
        let none = json!({ "checks": checks });
        ask(none).await.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "missing_field");
    })
    .await;
}
