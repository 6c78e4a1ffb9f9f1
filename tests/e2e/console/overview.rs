//! The first page: from nothing to charts, refusals, keys and servers.

use key_admin::UserRole;
use reqwest::StatusCode;
use serde_json::json;
use storage::{Clock, SystemClock, execute, fetch_one};

use super::people::adds_user;
use crate::support::{App, NewKey, on_both_engines};

impl App {
    /// A day of activity before this hour, as servers write it down.
    async fn was_active(&self) {
        let minute = SystemClock.now().unix_seconds() / 60;
        let mut tx = self.services.database.write().await.unwrap();
        let sql = "insert into activity_minutes (organization_id, minute, refusal_code, requests)
                   values ($1, $2, $3, $4)";
        for ago in 3..1_430 {
            let wave = (ago / 7 % 40 - 20_i64).abs();
            let (minute, id) = (minute - ago, self.organization.id);
            execute!(tx.conn(), sql, id, minute, "", 100 + 13 * wave + ago % 11).unwrap();
            if ago % 9 == 0 {
                execute!(tx.conn(), sql, id, minute, "rate_limited", 4 + wave).unwrap();
                execute!(tx.conn(), sql, id, minute, "attribute_beyond_key", 2_i64).unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn the_first_page_leads_to_the_first_token_and_then_charts_it() {
    on_both_engines(|app| async move {
        let first = app.walks("overview_first", json!({})).await;
        assert_eq!(first["heading"], "Issue the first token", "{first}");

        let in_three_days = SystemClock.now().plus_seconds(3 * 86_400);
        let soon = NewKey {
            expires_at: Some(in_three_days),
            ..NewKey::default()
        };
        let (_, secret) = app.create_key(soon).await;
        let right = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } });
        let wrong = json!({ "user": { "id": "u", "roles": ["pilot"], "attributes": { "tenant_id": "t" } } });
        for _ in 0..3 {
            assert_eq!(app.issue_with(&secret, &right).await.status, 201);
        }
        for _ in 0..2 {
            app.issue(&wrong)
                .await
                .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "unknown_role");
        }
        adds_user(&app, "vera@acme.example", UserRole::Viewer).await;
        let seen = app.walks("overview", json!({})).await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        let summary = "3 tokens issued, 2 requests refused.";
        assert!(text("hour").contains(summary), "{seen}");
        assert!(text("day").contains(summary), "{seen}");
        assert_eq!(text("table"), "3 2");
        assert!(text("refusals").contains("unknown_role"), "{seen}");
        assert_eq!(text("meaning"), "unknown_role");
        assert!(text("busiest").contains("test"), "{seen}");
        assert!(text("expiring").contains("in 2 days"), "{seen}");
        assert!(text("servers").contains("up to date"), "{seen}");
        assert_eq!(seen["viewer_sees_servers"], 0, "{seen}");

        app.was_active().await;
        let busy = app.walks("overview_busy", json!({})).await;
        assert_eq!(busy["links"], json!(["rate_limited", "attribute_beyond_key", "unknown_role"]));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_writes_its_activity_down_and_leaves() {
    on_both_engines(|mut app| async move {
        let database = app.services.database.clone();
        let listed = async || storage::list_nodes(&database, SystemClock.now()).await.unwrap();
        let right = json!({ "user": { "id": "u", "roles": ["viewer"], "attributes": { "tenant_id": "t" } } });
        assert_eq!(app.issue(&right).await.status, 201);
        app.server.terminate();
        assert!(app.server.wait().success());
        assert_eq!(listed().await, [], "it took itself from the list");
        let mut read = database.read().await.unwrap();
        let sql = "select cast(sum(requests) as bigint) from activity_minutes where refusal_code = ''";
        let (issued,) = fetch_one!(read.conn(), (i64,), sql).unwrap();
        assert_eq!(issued, 1);
        drop(read);

        app.set("JETON_NODE_NAME", "paris-1");
        app.restart();
        let name = app.walks("overview_node", json!({})).await;
        assert_eq!(name, "paris-1");
        let nodes = listed().await;
        assert_eq!((nodes.len(), nodes[0].versions_behind), (1, 0));
        assert_eq!(nodes[0].version, env!("CARGO_PKG_VERSION"));
    })
    .await;
}
