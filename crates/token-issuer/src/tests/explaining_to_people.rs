//! What a person is told before anything is issued.

use key_admin::{Act, ApiKeyPatch, Asker, Edit, KeyCeiling};
use policy::PolicyDocument;
use policy::operations::markers::{ExplainPolicy, SimulatePolicy};
use serde_json::json;
use storage::testing::on_both_engines;

use super::{App, caller, found, request, signed_in};
use crate::{ExplainError, SimulationRequest};

async fn declare(app: &App, document: serde_json::Value) {
    let document: PolicyDocument = serde_json::from_value(document).unwrap();
    let act = Act::on_command_line();
    let policy = &app.services.policy;
    let replaced = policy.replace(&act, app.organization.id, None, document);
    replaced.await.unwrap();
}

#[tokio::test]
async fn a_person_sees_what_no_key_and_what_a_key_would_get() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let services = &app.services;
        let person = signed_in(services, "ada@example.com").await;
        let person = services.authorizer.permit_person::<ExplainPolicy>(person);
        let person = person.unwrap();
        let issuer = &services.issuer;

        let free = issuer.explain(&person, None, request("user-42")).await;
        let free = free.unwrap();
        assert!(free.is_granted(), "{free:?}");
        let claims = free.claims.unwrap();
        assert_eq!(claims.claims["client_id"], "key_000000000000");
        assert_eq!(claims.claims["sub"], "user-42");
        assert!(claims.token_bytes > claims.bytes && claims.max_token_bytes >= claims.token_bytes);

        let key = app.caller.key_id();
        let patch = ApiKeyPatch {
            ceiling: Edit::Set(KeyCeiling {
                roles: Some(["viewer".to_owned()].into()),
                max_ttl_seconds: Some(60),
                ..KeyCeiling::default()
            }),
            ..ApiKeyPatch::default()
        };
        let (act, organization) = (Act::on_command_line(), app.organization.id);
        services
            .update_api_key(&act, Asker::Machine, organization, key, patch)
            .await
            .unwrap();
        let limited = issuer.explain(&person, Some(key), request("user-42")).await;
        let limited = limited.unwrap();
        let codes: Vec<_> = limited.reasons.iter().map(|it| it.code).collect();
        assert_eq!(codes, ["ttl_out_of_range"]);
        assert_eq!((limited.claims, limited.rows), (None, None));

        let (other, stranger) = found(services, "globex", "hank@example.com").await.unwrap();
        let foreign = caller(services, &other, stranger).await.key_id();
        let refused = issuer.explain(&person, Some(foreign), request("u")).await;
        assert!(
            matches!(refused, Err(ExplainError::NoSuchKey)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_rows_of_each_table_are_told_before_a_token_is_issued() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        declare(
            &app,
            json!({
                "roles": [{ "name": "viewer" }, { "name": "auditor" }],
                "attributes": [
                    { "name": "tenant_id", "type": "string" },
                    { "name": "regions", "type": "string", "list": true },
                ],
                "row_rules": [
                    { "name": "orders-of-tenant", "table": "orders", "roles": ["viewer"],
                      "where": { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" } },
                    { "name": "books", "table": "books", "roles": ["auditor"],
                      "where": { "column": "tenant_id", "operator": "=", "attribute": "tenant_id" } },
                ],
            }),
        )
        .await;
        let services = &app.services;
        let person = signed_in(services, "ada@example.com").await;
        let person = services.authorizer.permit_person::<ExplainPolicy>(person);
        let issuer = &services.issuer;
        let explained = issuer.explain(&person.unwrap(), None, request("user-42")).await;
        let rows = explained.unwrap().rows.unwrap();
        let told: Vec<_> = rows
            .iter()
            .map(|it| (it.table.table.to_string(), it.filter.sql.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("books".to_owned(), "1 = 0"),
                ("orders".to_owned(), "\"orders\".\"tenant_id\" = $1"),
            ]
        );
        assert_eq!(json!(rows[1].filter.binds), json!(["t-1"]));
    })
    .await;
}

#[tokio::test]
async fn a_person_tries_out_another_policy() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.issues("user-42").await.unwrap();
        let services = &app.services;
        let person = signed_in(services, "ada@example.com").await;
        let person = services.authorizer.permit_person::<SimulatePolicy>(person);
        let request = SimulationRequest {
            candidate: PolicyDocument::default(),
            since: None,
            until: None,
            last: 10,
            api_key: None,
        };
        let report = services.issuer.simulate(&person.unwrap(), request).await;
        let report = report.unwrap();
        assert_eq!((report.replayed, report.newly_refused.len()), (1, 1));
    })
    .await;
}
