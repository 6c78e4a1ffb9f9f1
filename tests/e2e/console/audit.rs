//! The audit log: filters, what changed, and the file.

use key_admin::audit::{Deed, record};
use key_admin::{Act, UserRole};
use serde_json::{Value, json};
use storage::SystemClock;

use super::people::adds_user;
use crate::support::{App, on_both_engines};

impl App {
    /// Many changes of one thing, each an event.
    async fn happens(&self, target: &str, times: usize) {
        let mut tx = self.services.database.write().await.unwrap();
        for number in 0..times {
            let deed = Deed {
                action: "audience.update",
                target_kind: "audience",
                target_id: target.to_owned(),
                detail: json!({
                    "before": { "max_ttl_seconds": number, "roles": ["viewer"] },
                    "after": { "max_ttl_seconds": number + 1, "roles": ["viewer"] },
                }),
            };
            let act = Act::on_command_line();
            record(&mut tx, &SystemClock, self.organization.id, &act, deed)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn events_are_filtered_read_and_exported() {
    on_both_engines(|app| async move {
        app.happens("=cmd|' /C calc'!A0", 60).await;
        adds_user(&app, "mel@acme.example", UserRole::Member).await;
        let seen = app.walks("audit", json!({})).await;
        let text = |name: &str| seen[name].as_str().unwrap().to_owned();
        assert!(text("diff").contains("max_ttl_seconds"), "{seen}");
        assert!(
            !text("diff").contains("roles"),
            "what stayed is not told: {seen}"
        );
        assert_eq!(seen["rows"], json!([25, 25, 10]), "{seen}");
        assert!(text("wrong_days").contains("before the first"), "{seen}");
        assert!(text("none").contains("No event matches"), "{seen}");
        assert!(text("own").contains("ada@acme.example"), "{seen}");
        assert_eq!(seen["member_status"], 403, "{seen}");

        let csv = text("csv");
        assert_eq!(csv.lines().count(), 61, "{csv}");
        assert!(
            csv.contains(",'=cmd|' /C calc'!A0,") && !csv.contains(",=cmd"),
            "{csv}"
        );
        let name = text("name");
        assert!(name.starts_with("audit-acme-") && name.strip_suffix(".csv").is_some());
        let events: Vec<Value> = text("json")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events.len(), 60);
        assert!(
            events
                .iter()
                .all(|event| event["action"] == "audience.update")
        );
    })
    .await;
}

#[tokio::test]
async fn a_large_export_tells_how_far_it_is_and_is_whole() {
    on_both_engines(|app| async move {
        app.happens("aud_1", 2_600).await;
        let seen = app.walks("audit_export", json!({})).await;
        assert_eq!(seen["lines"], 2_600, "{seen}");
        assert_eq!(seen["plain"], 2_600, "{seen}");
        assert_eq!(seen["progress"], 100, "{seen}");
    })
    .await;
}
