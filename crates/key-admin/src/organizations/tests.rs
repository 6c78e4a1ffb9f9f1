use serde_json::json;
use storage::OrganizationId;
use storage::testing::on_both_engines;

use super::*;
use crate::Edit;
use crate::audit::{self, AuditEvent, AuditFilter};
use crate::testing::{App, act, add_organization};

fn named(name: &str) -> OrganizationPatch {
    OrganizationPatch {
        name: Edit::Set(name.to_owned()),
        ..OrganizationPatch::default()
    }
}

fn limited(seconds: Option<u32>) -> OrganizationPatch {
    OrganizationPatch {
        max_key_lifetime_seconds: Edit::Set(seconds),
        ..OrganizationPatch::default()
    }
}

impl App {
    async fn sets(&self, patch: OrganizationPatch) -> Result<Organization, OrganizationError> {
        let keys = &self.node.keys;
        let changed = keys.update_organization(act(), self.organization, patch);
        let changed = changed.await?;
        assert_eq!(
            keys.get_organization(self.organization).await?,
            changed,
            "it is stored as answered"
        );
        Ok(changed)
    }

    /// Oldest first.
    async fn organization_events(&self) -> Vec<AuditEvent> {
        let filter = AuditFilter {
            action: Some("organization.update".to_owned()),
            target_id: Some(self.organization.to_string()),
            ..AuditFilter::default()
        };
        let listed = audit::list(&self.database, self.organization, &filter, None, 100);
        let mut events = listed.await.unwrap();
        events.reverse();
        events
    }
}

#[tokio::test]
async fn settings_are_changed_and_taken_back_with_an_event_each() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let made = app.node.keys.get_organization(app.organization).await;
        let made = made.unwrap();
        assert_eq!(made.max_key_lifetime_seconds, None);

        let limited_to = app.sets(limited(Some(100))).await.unwrap();
        let expected = Organization {
            max_key_lifetime_seconds: Some(100),
            ..made.clone()
        };
        assert_eq!(limited_to, expected, "the name stays");
        let renamed = app.sets(named("  Été Ltd ")).await.unwrap();
        let expected = Organization {
            name: "Été Ltd".into(),
            ..expected
        };
        assert_eq!(renamed, expected, "the limit stays");
        app.sets(limited(None)).await.unwrap();

        let details: Vec<_> = app.organization_events().await;
        let details: Vec<_> = details.into_iter().map(|event| event.detail).collect();
        let old = "An organization";
        let seen = |name: &str, seconds: Option<u32>| json!({ "name": name, "max_key_lifetime_seconds": seconds });
        assert_eq!(
            details,
            [
                json!({ "before": seen(old, None), "after": seen(old, Some(100)) }),
                json!({ "before": seen(old, Some(100)), "after": seen("Été Ltd", Some(100)) }),
                json!({ "before": seen("Été Ltd", Some(100)), "after": seen("Été Ltd", None) }),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_so_already_is_no_change() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.sets(limited(Some(100))).await.unwrap();
        let version = app.node.feed.version_of(app.organization);
        for same in [
            OrganizationPatch::default(),
            limited(Some(100)),
            named("An organization "),
        ] {
            app.sets(same).await.unwrap();
        }
        app.node.feed.refresh().await.unwrap();
        assert_eq!(app.node.feed.version_of(app.organization), version);
        assert_eq!(app.organization_events().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn settings_have_bounds() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            let refused = app.sets(named(bad)).await;
            assert!(
                matches!(refused, Err(OrganizationError::InvalidName)),
                "{refused:?}"
            );
        }
        for bad in [0, MAX_KEY_LIFETIME_SECONDS + 1, u32::MAX] {
            let refused = app.sets(limited(Some(bad))).await;
            assert!(
                matches!(refused, Err(OrganizationError::InvalidMaxKeyLifetime)),
                "{refused:?}"
            );
        }
        assert!(app.organization_events().await.is_empty());
        for good in [1, MAX_KEY_LIFETIME_SECONDS] {
            app.sets(limited(Some(good))).await.unwrap();
        }
        let nowhere = OrganizationId::new(&*app.clock);
        let keys = &app.node.keys;
        let changed = keys.update_organization(act(), nowhere, named("x")).await;
        for refused in [changed, keys.get_organization(nowhere).await] {
            assert!(
                matches!(refused, Err(OrganizationError::NotFound)),
                "{refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_node_learns_of_a_new_name_and_other_organizations_stay() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let other = add_organization(&app.database, &*app.clock, "other").await;
        let key = app.creates_key("ci").await;
        let elsewhere = app.another_node().await;
        let name = async || {
            let caller = elsewhere.authenticates(&key).await.unwrap();
            caller.organization_name().to_owned()
        };
        assert_eq!(name().await, "An organization");
        app.sets(named("Acme")).await.unwrap();
        app.sets(limited(Some(100))).await.unwrap();
        elsewhere.feed.refresh().await.unwrap();
        assert_eq!(name().await, "Acme");
        let other = app.node.keys.get_organization(other).await.unwrap();
        assert_eq!(
            (other.name.as_str(), other.max_key_lifetime_seconds),
            ("An organization", None)
        );
    })
    .await;
}

#[tokio::test]
async fn of_changes_at_the_same_time_none_is_lost() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = &app.node.keys;
        let set = |patch| keys.update_organization(act(), app.organization, patch);
        let (named, limited) = tokio::join!(set(named("Acme")), set(limited(Some(9))));
        named.unwrap();
        limited.unwrap();
        assert_eq!(app.organization_events().await.len(), 2);
        let now = app.node.keys.get_organization(app.organization).await;
        let now = now.unwrap();
        assert_eq!(
            (now.name.as_str(), now.max_key_lifetime_seconds),
            ("Acme", Some(9))
        );
    })
    .await;
}

#[test]
fn slugs_fit_into_urls() {
    for good in ["a", "acme", "acme-eu-1", &"x".repeat(63)] {
        assert!(Slug::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "-a",
        "a-",
        "Acme",
        "a_b",
        "a/b",
        "é",
        "a b",
        &"x".repeat(64),
    ] {
        assert_eq!(Slug::parse(bad), Err(InvalidSlug), "{bad}");
    }
}
