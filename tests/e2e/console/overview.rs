//! The first page: from nothing to charts, refusals, keys and servers.

use key_admin::UserRole;
use reqwest::StatusCode;
use serde_json::json;
use storage::{Clock, SystemClock, execute};

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
