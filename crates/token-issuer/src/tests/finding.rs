//! Sessions that are found.

use serde_json::json;
use storage::testing::on_both_engines;

use super::revoking::with_attribute;
use super::{App, NOW, found};
use crate::sessions::{HIDDEN, SessionFilter};

/// Sensitive values are not shown, and nothing to another organization.
async fn assert_hidden(app: &App) {
    let issuer = &app.services.issuer;
    let all = SessionFilter::default();
    let everything = issuer.find_sessions(app.organization.id, &all, None, 10);
    for found in everything.await.unwrap() {
        let pin = found.attributes().get("pin");
        assert!(pin.is_none_or(|it| it == HIDDEN), "{pin:?}");
    }
    let (other, _) = found(&app.services, "globex", "bob@example.com")
        .await
        .unwrap();
    let theirs = issuer
        .find_sessions(other.id, &SessionFilter::default(), None, 10)
        .await;
    assert!(theirs.unwrap().is_empty());
}

#[tokio::test]
async fn sessions_are_found_by_everything_that_was_recorded() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.declares(|policy| {
            let more = [
                json!({ "name": "level", "type": "integer" }),
                json!({ "name": "internal", "type": "boolean" }),
                json!({ "name": "pin", "type": "string", "sensitive": true }),
            ];
            policy["attributes"].as_array_mut().unwrap().extend(more);
        })
        .await;
        app.issues_with(
            "a",
            json!({ "tenant_id": "t-1", "level": 42, "pin": "1234" }),
        )
        .await;
        app.clock.advance_seconds(2);
        app.issues_with(
            "b",
            json!({ "tenant_id": "42", "internal": true, "regions": ["us"] }),
        )
        .await;
        app.clock.advance_seconds(2);
        app.issues_with("c", json!({ "tenant_id": "t-42", "pin": "42" }))
            .await;

        for (filter, expected) in [
            (SessionFilter::default(), vec!["c", "b", "a"]),
            (with_attribute("tenant_id", "t-1"), vec!["a"]),
            (with_attribute("tenant_id", "42"), vec!["b"]),
            (with_attribute("level", "42"), vec!["a"]),
            (with_attribute("level", "4"), vec![]),
            (with_attribute("internal", "true"), vec!["b"]),
            (with_attribute("regions", "us"), vec!["c", "b", "a"]),
            (with_attribute("regions", "eu"), vec!["c", "a"]),
            (with_attribute("pin", "1234"), vec!["a"]),
            (with_attribute("pin", "42"), vec!["c"]),
            (with_attribute("pin", HIDDEN), vec![]),
            (with_attribute("planet", "mars"), vec![]),
            (
                SessionFilter {
                    subject: Some("b".into()),
                    ..SessionFilter::default()
                },
                vec!["b"],
            ),
            (
                SessionFilter {
                    api_key: Some(app.caller.key_id()),
                    ..SessionFilter::default()
                },
                vec!["c", "b", "a"],
            ),
            (
                SessionFilter {
                    audience: Some("default".into()),
                    ..SessionFilter::default()
                },
                vec!["c", "b", "a"],
            ),
            (
                SessionFilter {
                    since: Some(NOW.plus_seconds(1)),
                    ..SessionFilter::default()
                },
                vec!["c", "b"],
            ),
            (
                SessionFilter {
                    active: Some(true),
                    ..SessionFilter::default()
                },
                vec!["c", "b", "a"],
            ),
            (
                SessionFilter {
                    active: Some(false),
                    ..SessionFilter::default()
                },
                vec![],
            ),
        ] {
            assert_eq!(
                app.finds(filter.clone()).await,
                expected,
                "{filter:?} {:?}",
                filter.attribute.as_ref().map(|it| &it.value)
            );
        }
        assert_hidden(&app).await;
    })
    .await;
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap_whatever_is_filtered_out() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for number in 0..12 {
            let tenant = if number % 3 == 0 { "x42" } else { "42" };
            let subject = format!("user-{number:02}");
            app.issues_with(&subject, json!({ "tenant_id": tenant }))
                .await;
        }
        let issuer = &app.services.issuer;
        let filter = with_attribute("tenant_id", "42");
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = issuer.find_sessions(app.organization.id, &filter, before, 3);
            let page = page.await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.session.id);
            seen.extend(page.into_iter().map(|it| it.session.subject));
        }
        let expected = (0..12).rev().filter(|number| number % 3 != 0);
        let expected: Vec<String> = expected.map(|number| format!("user-{number:02}")).collect();
        assert_eq!(seen, expected);
    })
    .await;
}
