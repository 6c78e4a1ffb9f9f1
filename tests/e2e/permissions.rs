//! Every operation of the OpenAPI document, called by everybody who may not. What is expected comes from the permission
//! table; an operation that is missing there fails the test.

use key_admin::{Act, Asker, IssuedTokens, KeyRevocation, Permission};
use policy::Operation;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Answer, App, NewKey, on_both_engines, repository};

struct Documented {
    method: Method,
    path: String,
    operation: Operation,
}

/// The operations that need an API key, each found in the permission table.
fn operations() -> Vec<Documented> {
    let document = std::fs::read_to_string(repository().join("openapi/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let security = described["security"].as_array().unwrap();
            let needs_a_caller = |it: &Value| {
                let schemes = it.as_object().unwrap();
                !schemes.is_empty() && !schemes.contains_key("SessionToken")
            };
            if !security.iter().all(needs_a_caller) {
                continue;
            }
            let id = described["operationId"].as_str().unwrap();
            let found = Operation::ALL
                .iter()
                .copied()
                .find(|operation| operation.id() == id);
            operations.push(Documented {
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path.clone(),
                operation: found.unwrap_or_else(|| panic!("{id} is not in the permission table")),
            });
        }
    }
    operations
}

impl Documented {
    /// OAuth's endpoints answer in the words of RFC 6749.
    fn assert_refused(&self, answer: &Answer, status: StatusCode, code: &str) {
        if !self.path.starts_with("/oauth2/") {
            answer.assert_problem(status, code);
            return;
        }
        let error = match status {
            StatusCode::UNAUTHORIZED => "invalid_client",
            _ => "unauthorized_client",
        };
        let found = (answer.status, answer.json()["error"].clone());
        assert_eq!(found, (status.as_u16(), error.into()), "{}", answer.text);
    }

    /// Ids that exist nowhere: whoever is let through gets a 404 or complaint about the body, and changes nothing.
    async fn call(&self, app: &App, key: Option<&str>) -> Answer {
        let id = if self.path.contains("api-keys") {
            "key_000000000000"
        } else if self.path.contains("audiences") {
            "aud_00000000000000000000000000000000"
        } else {
            "own_00000000000000000000000000000000"
        };
        let path = self.path.replace("{id}", id).replace("{name}", "nothing");
        let path = path.replace("{kid}", "nothing");
        let mut request = app
            .http
            .request(self.method.clone(), format!("{}{path}", app.server.url()));
        if self.method != Method::GET && self.method != Method::DELETE {
            request = request
                .header("content-type", "application/json")
                .body("{\"unknown\":1}");
        }
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        app.send(request).await
    }
}

#[test]
fn the_permission_table_and_the_document_name_the_same_operations() {
    let documented: std::collections::BTreeSet<_> =
        operations().iter().map(|it| it.operation).collect();
    let table: std::collections::BTreeSet<_> = Operation::ALL.iter().copied().collect();
    assert_eq!(documented, table);
}

#[tokio::test]
async fn nobody_does_what_the_table_does_not_allow() {
    on_both_engines(|app| async move {
        let (revoked, revoked_key) = app.create_key(NewKey::default()).await;
        app.services
            .keys
            .revoke_key(
                &Act::on_command_line(),
                Asker::Machine,
                app.organization.id,
                revoked.id,
                KeyRevocation::default(),
            )
            .await
            .unwrap();
        app.server_sees_changes().await;
        for documented in operations() {
            let name = documented.operation.id();
            let refused = |answer, status, code| documented.assert_refused(&answer, status, code);
            let answer = documented.call(&app, None).await;
            refused(answer, StatusCode::UNAUTHORIZED, "missing_credential");
            let answer = documented.call(&app, Some(&revoked_key)).await;
            refused(answer, StatusCode::UNAUTHORIZED, "key_revoked");
            let Some(needed) = documented.operation.permission() else {
                assert_eq!(
                    documented.call(&app, Some(&app.key)).await.status,
                    200,
                    "{name}"
                );
                continue;
            };
            let others = Permission::ALL
                .iter()
                .copied()
                .filter(|it| *it != needed)
                .collect();
            let (all_but_one, key) = app
                .create_key(NewKey {
                    permissions: others,
                    ..NewKey::default()
                })
                .await;
            let answer = documented.call(&app, Some(&key)).await;
            refused(answer, StatusCode::FORBIDDEN, "permission_denied");
            app.services
                .keys
                .delete_key(
                    &Act::on_command_line(),
                    Asker::Machine,
                    app.organization.id,
                    all_but_one.id,
                    IssuedTokens::Void,
                )
                .await
                .unwrap();
            let allowed = documented.call(&app, Some(&app.key)).await.status;
            assert!(
                ![401, 403].contains(&allowed) && allowed < 500,
                "{name}: {allowed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_of_a_viewer_only_reads_whatever_it_was_given() {
    on_both_engines(|app| async move {
        let key = app.key_of_a_viewer().await;
        for documented in operations() {
            let status = documented.call(&app, Some(&key)).await.status;
            let reads = documented
                .operation
                .permission()
                .is_none_or(Permission::is_read);
            assert_eq!(
                status == 403,
                !reads,
                "{}: {status}",
                documented.operation.id()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_organization_finds_nothing_here() {
    on_both_engines(|app| async move {
        let stranger = app.key_of_another_organization().await;
        for documented in operations() {
            let answer = documented.call(&app, Some(&stranger)).await;
            for ours in [
                "acme",
                "ada@",
                &app.organization.id.to_string(),
                &app.owner.to_string(),
            ] {
                assert!(
                    !answer.text.contains(ours),
                    "{}: {}",
                    documented.operation.id(),
                    answer.text
                );
            }
        }
    })
    .await;
}
