use serde_json::{Value, json};
use storage::testing::on_both_engines;
use storage::{Clock, PrincipalId, Timestamp};

use super::{Act, Actor, AuditExport, AuditFilter, Deed, ExportFormat, count, list, record};
use crate::testing::App;

impl App {
    async fn happens(&self, actor: Actor, action: &'static str, target: &str, detail: Value) {
        let act = Act {
            actor,
            client: None,
            request_id: None,
        };
        let deed = Deed {
            action,
            target_kind: "role",
            target_id: target.to_owned(),
            detail,
        };
        let mut tx = self.database.write().await.unwrap();
        record(&mut tx, &*self.clock, self.organization, &act, deed)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// The targets of what a filter lets through, in their order.
    async fn lets_through(&self, filter: AuditFilter) -> String {
        let found = list(&self.database, self.organization, &filter, None, 100);
        let targets: Vec<String> = found
            .await
            .unwrap()
            .into_iter()
            .map(|e| e.target_id)
            .collect();
        let counted = count(&self.database, self.organization, &filter).await;
        assert_eq!(counted.unwrap(), targets.len() as u64);
        targets.join(" ")
    }

    async fn exports(&self, filter: AuditFilter, format: ExportFormat) -> (String, usize) {
        let mut export = AuditExport::new(self.database.clone(), self.organization, filter, format);
        let (mut whole, mut parts) = (String::new(), 0);
        while let Some(part) = export.next().await.unwrap() {
            whole.push_str(&part);
            parts += 1;
        }
        (whole, parts)
    }
}

fn of_roles() -> AuditFilter {
    AuditFilter {
        noun: Some("role".to_owned()),
        ..AuditFilter::default()
    }
}

/// Puts a condition into a filter.
type Narrow<'a> = &'a dyn Fn(&mut AuditFilter);

#[tokio::test]
async fn every_part_of_a_filter_narrows() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (ada, grace) = (PrincipalId::new(&*app.clock), PrincipalId::new(&*app.clock));
        let start = app.clock.now();
        app.happens(Actor::User(ada), "role.create", "Editor", json!({}))
            .await;
        app.clock.advance_seconds(3_600);
        app.happens(Actor::User(grace), "role.update", "editor_2", json!({}))
            .await;
        app.clock.advance_seconds(3_600);
        app.happens(Actor::Server, "role.delete", "editorx2", json!({}))
            .await;
        app.happens(Actor::CommandLine, "roles.import", "all", json!({}))
            .await;

        assert_eq!(
            app.lets_through(of_roles()).await,
            "editorx2 editor_2 Editor"
        );
        let at = |hours: i64| Some(start.plus_seconds(hours * 3_600));
        let text = |text: &str| Some(text.to_owned());
        let cases: [(Narrow<'_>, &str); 12] = [
            (&|it| it.action = text("role.update"), "editor_2"),
            (&|it| it.actor_kind = text("user"), "editor_2 Editor"),
            (&|it| it.actor_id = text(&ada.to_string()), "Editor"),
            (&|it| it.target_id = text("editor"), ""),
            (&|it| it.text = text("EDITOR"), "editorx2 editor_2 Editor"),
            (&|it| it.text = text("r_2"), "editor_2"),
            (&|it| it.text = text("delete"), "editorx2"),
            (&|it| it.text = text("%"), ""),
            (&|it| it.since = at(1), "editorx2 editor_2"),
            (&|it| it.until = at(1), "Editor"),
            (&|it| (it.since, it.until) = (at(1), at(2)), "editor_2"),
            (&|it| it.since = at(3), ""),
        ];
        for (narrow, expected) in cases {
            let mut filter = of_roles();
            narrow(&mut filter);
            let told = format!("{filter:?}");
            assert_eq!(app.lets_through(filter).await, expected, "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_export_has_every_event_once_in_parts() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for number in 0..1_201 {
            let target = format!("=t{number}");
            let detail = json!({ "reason": "a, \"b\"" });
            app.happens(Actor::Server, "role.update", &target, detail)
                .await;
        }
        let (json, parts) = app.exports(of_roles(), ExportFormat::JsonLines).await;
        assert_eq!(parts, 3);
        let targets: Vec<String> = json
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["target_id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let expected: Vec<String> = (0..1_201)
            .rev()
            .map(|number| format!("=t{number}"))
            .collect();
        assert_eq!(targets, expected);

        let (csv, _) = app.exports(of_roles(), ExportFormat::Csv).await;
        let mut lines = csv.split_terminator("\r\n");
        assert!(lines.next().unwrap().starts_with("at,action,"));
        let newest = lines.next().unwrap();
        assert!(
            newest.contains(",role,'=t1200,,,\"{\"\"reason\"\":\"\"a, \\\"\"b\\\"\"\"\"}\","),
            "{newest}"
        );
        assert_eq!(lines.count(), 1_200);

        let none = AuditFilter {
            until: Some(Timestamp::from_unix_seconds(0)),
            ..of_roles()
        };
        let (empty, parts) = app.exports(none, ExportFormat::Csv).await;
        assert_eq!((empty.lines().count(), parts), (1, 1));
    })
    .await;
}
