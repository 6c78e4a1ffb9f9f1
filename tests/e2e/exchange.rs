//! The main exchange, when everything is as it should be.

use std::collections::BTreeMap;

use key_admin::{Act, KeyCeiling};
use serde_json::{Value, json};

use crate::support::{App, NewKey, decode, on_both_engines};

fn viewer() -> Value {
    json!({ "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } } })
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token_that_says_what_was_asked() {
    on_both_engines(|app| async move {
        let answer = app
            .issue(&json!({
                "user": { "id": "user-42", "roles": ["editor"],
                          "attributes": { "tenant_id": "t-1", "regions": ["eu", "us"] } },
                "audience": "default", "ttl_seconds": 600,
                "resources": [{ "type": "dashboard", "id": "sales" }],
            }))
            .await;
        let issued = answer.issued();
        assert_eq!(answer.header("cache-control"), "no-store");
        let (header, claims) = decode(issued["token"].as_str().unwrap());

        let jwks = app.get("/orgs/acme/.well-known/jwks.json").await.json();
        assert_eq!(header.as_object().unwrap().len(), 3, "{header}");
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        assert_eq!(header["kid"], jwks["keys"][0]["kid"], "the active key comes first");

        let issued_at = claims["iat"].as_i64().unwrap();
        let key_id = format!("key_{}", &app.key["jtn_".len()..][..12]);
        assert_eq!(
            claims,
            json!({
                "iss": "https://tokens.test/orgs/acme", "aud": "default", "sub": "user-42", "client_id": key_id,
                "jti": issued["session_id"], "iat": issued_at, "nbf": issued_at - 10, "exp": issued_at + 600,
                "roles": ["editor"], "attributes": { "tenant_id": "t-1", "regions": ["eu", "us"] },
                "resources": [{ "type": "dashboard", "id": "sales" }],
                "scope": "dashboard:edit dashboard:view",
            })
        );
        assert_eq!(issued["token_type"], "Bearer");
        assert_eq!((&issued["expires_in"], &issued["refresh_in"]), (&json!(600), &json!(450)));
        assert_eq!(issued["roles"], json!(["editor"]));
        assert_eq!(issued["attributes"], claims["attributes"]);
        assert!(app.has_session(&issued).await);
    })
    .await;
}

#[tokio::test]
async fn only_user_id_and_roles_are_needed_where_no_attribute_is_required() {
    on_both_engines(|app| async move {
        let open = serde_json::from_value(json!({ "roles": [{ "name": "viewer" }] })).unwrap();
        app.services
            .policy
            .replace(&Act::on_command_line(), app.organization.id, None, open)
            .await
            .unwrap();
        app.server_sees_changes().await;
        let issued = app
            .issue(&json!({ "user": { "id": "u", "roles": ["viewer"] } }))
            .await
            .issued();
        assert_eq!(
            (&issued["expires_in"], &issued["audience"]),
            (&json!(900), &json!("default"))
        );
        let (_, claims) = decode(issued["token"].as_str().unwrap());
        assert_eq!((claims.get("resources"), claims.get("scope")), (None, None));
        assert_eq!(claims["attributes"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn every_type_of_attribute_arrives_unchanged() {
    on_both_engines(|app| async move {
        let attributes = json!({
            "tenant_id": "Ünïc – 🦀 'q' \"t\" \\ ; drop table", "regions": ["eu"], "plan": "pro",
            "code": "ABC12", "level": -9_007_199_254_740_991_i64, "score": 0.1, "internal": false,
            "since": "2024-02-29", "store_ids": [1, 2, 3],
        });
        let request =
            json!({ "user": { "id": "u", "roles": ["auditor"], "attributes": attributes } });
        let (_, claims) = decode(&app.issue(&request).await.token());
        assert_eq!(claims["attributes"], attributes);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_decides_and_shows_the_claims_but_records_nothing() {
    on_both_engines(|app| async move {
        let mut request = viewer();
        request["dry_run"] = json!(true);
        let answer = app.issue(&request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let preview = answer.json();
        assert_eq!(preview["claims"]["sub"], "user-42");
        assert_eq!(
            (&preview["dry_run"], &preview["expires_in"]),
            (&json!(true), &json!(900))
        );
        assert!(!answer.text.contains("eyJ"), "no token: {}", answer.text);
        assert_eq!(app.count_sessions().await, 0);

        request["user"]["roles"] = json!(["nobody"]);
        assert_eq!(app.issue(&request).await.status, 422);
    })
    .await;
}

#[tokio::test]
async fn a_key_ceiling_narrows_what_is_granted() {
    on_both_engines(|app| async move {
        let ceiling = KeyCeiling {
            roles: Some(["editor".to_owned()].into()),
            fixed_attributes: BTreeMap::from([("tenant_id".to_owned(), json!("t-9"))]),
            max_ttl_seconds: Some(120),
            ..KeyCeiling::default()
        };
        let (_, key) = app
            .create_key(NewKey {
                ceiling,
                ..NewKey::default()
            })
            .await;
        let request = json!({ "user": { "id": "u", "roles": ["viewer"] } });
        let issued = app.issue_with(&key, &request).await.issued();
        assert_eq!(
            issued["attributes"],
            json!({ "tenant_id": "t-9" }),
            "the fixed value is added"
        );
        assert_eq!(
            issued["expires_in"], 120,
            "the default is lowered to the ceiling"
        );
    })
    .await;
}

#[tokio::test]
async fn a_role_shortens_the_default_lifetime() {
    on_both_engines(|app| async move {
        let mut request = viewer();
        request["user"]["roles"] = json!(["viewer", "guest"]);
        assert_eq!(app.issue(&request).await.issued()["expires_in"], 60);
    })
    .await;
}

#[tokio::test]
async fn the_account_shows_who_asks() {
    on_both_engines(|app| async move {
        for header in ["ApiKey", "apikey", "Bearer", "bearer"] {
            let request = app.http.get(app.server.url() + "/v1/account");
            let answer = app
                .send(request.header("authorization", format!("{header} {}", app.key)))
                .await;
            assert_eq!(answer.status, 200, "{header}: {}", answer.text);
        }
        let request = app
            .http
            .get(app.server.url() + "/v1/account")
            .header("x-api-key", &app.key);
        let account = app.send(request).await.json();
        assert_eq!(account["organization"]["slug"], "acme");
        assert_eq!(account["organization"]["issuer"], app.issuer());
        assert_eq!(account["owner"]["name"], "ada@acme.example");
        assert_eq!(account["owner"]["kind"], "user");
        assert_eq!(account["api_key"]["prefix"], app.key[..16]);
        assert_eq!(account["api_key"]["permissions"][0], "tokens:issue");
    })
    .await;
}

#[tokio::test]
async fn two_hundred_parallel_issuances_leave_two_hundred_sessions() {
    on_both_engines(|app| async move {
        let app = &app;
        let answers = futures::future::join_all((0..200).map(|number| async move {
            let mut request = viewer();
            request["user"]["id"] = format!("user-{number}").into();
            app.issue(&request).await.issued()
        }))
        .await;
        let sessions: std::collections::HashSet<_> = answers
            .iter()
            .map(|answer| answer["session_id"].as_str().unwrap())
            .collect();
        assert_eq!(sessions.len(), 200);
        assert_eq!(app.count_sessions().await, 200);
    })
    .await;
}

#[tokio::test]
async fn another_organization_signs_with_its_own_keys_under_its_own_issuer() {
    on_both_engines(|app: App| async move {
        let mut other = crate::support::acme();
        other.slug = key_admin::Slug::parse("other").unwrap();
        other.owner_email = key_admin::users::Email::parse("bob@other.example").unwrap();
        app.services
            .create_organization(&Act::on_command_line(), other)
            .await
            .unwrap();
        app.server_sees_changes().await;
        let ours = app.get("/orgs/acme/.well-known/jwks.json").await.json();
        let theirs = app.get("/orgs/other/.well-known/jwks.json").await.json();
        for key in theirs["keys"].as_array().unwrap() {
            assert!(!ours["keys"].as_array().unwrap().contains(key));
        }
        let token = app.issue(&viewer()).await.token();
        let now = decode(&token).1["iat"].as_u64().unwrap();
        let verifier =
            jeton_verifier::Verifier::new(&app.issuer(), "default", &theirs.to_string()).unwrap();
        assert_eq!(
            verifier.verify(&token, now),
            Err(jeton_verifier::VerifyError::UnknownKey)
        );
    })
    .await;
}
