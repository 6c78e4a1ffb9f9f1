use key_admin::audit::{self, AuditFilter};
use key_admin::organizations::CreateOrganizationError;
use key_admin::users::{CreateUserError, Email};
use key_admin::{Act, Asker, KeyCeiling, Organization, Slug};
use storage::testing::on_both_engines;
use storage::{Database, fetch_one};

use super::{App, MASTER, caller, found, request, start};
use crate::NewOrganization;
use crate::services::NewOrganizationError;

/// How many rows each table has that an organization begins with.
async fn rows(database: &Database) -> (i64, i64, i64, i64, i64, i64, i64, i64) {
    let mut read = database.read().await.unwrap();
    fetch_one!(
        read.conn(),
        (i64, i64, i64, i64, i64, i64, i64, i64),
        "select (select count(*) from organizations), (select count(*) from principals),
                (select count(*) from users), (select count(*) from audiences),
                (select count(*) from signing_keys), (select count(*) from roles),
                (select count(*) from attributes), (select count(*) from audit_events)"
    )
    .unwrap()
}

#[tokio::test]
async fn an_organization_begins_with_all_it_needs_to_issue() {
    on_both_engines(|database| async move {
        let services = start(&database, MASTER).await.unwrap();
        let (organization, owner) = found(&services, "acme", "Ada@Example.com").await.unwrap();
        assert_eq!(rows(&database).await, (1, 1, 1, 1, 2, 3, 2, 2));

        let all = AuditFilter::default();
        let events = audit::list(&database, organization.id, &all, None, 100);
        let events = events.await.unwrap();
        let id = organization.id.to_string();
        let seen = events
            .iter()
            .map(|it| (it.action.as_str(), it.target_id.clone()));
        let seen: Vec<_> = seen.collect();
        assert_eq!(
            seen,
            [
                ("user.create", owner.to_string()),
                ("organization.create", id)
            ]
        );
        assert!(events.iter().all(|it| it.actor_kind == "command_line"));

        let slug = Slug::parse("acme").unwrap();
        let stored = Organization::find(&database, &slug).await.unwrap();
        assert_eq!(stored, Some(organization.clone()));
        let first_owner = key_admin::users::first_owner(&database, organization.id);
        assert_eq!(first_owner.await.unwrap(), Some(owner));
        let caller = caller(&services, &organization, owner).await;
        let caller = services.authorizer.permit(caller).unwrap();
        let claims = services.issuer.preview(&caller, request("user-42"));
        assert_eq!(claims.await.unwrap().subject(), "user-42");
    })
    .await;
}

#[tokio::test]
async fn a_taken_slug_or_address_leaves_nothing_behind() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let before = rows(&app.database).await;

        let refused = found(&app.services, "acme", "bob@example.com").await;
        assert!(
            matches!(
                refused,
                Err(NewOrganizationError::Organization(
                    CreateOrganizationError::SlugTaken
                ))
            ),
            "{refused:?}"
        );
        assert_eq!(rows(&app.database).await, before);

        let refused = found(&app.services, "globex", "ADA@example.com").await;
        assert!(
            matches!(
                refused,
                Err(NewOrganizationError::Owner(CreateUserError::EmailTaken))
            ),
            "{refused:?}"
        );
        assert_eq!(rows(&app.database).await, before);
        found(&app.services, "globex", "bob@example.com")
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_bad_name_or_password_leaves_nothing_behind() {
    on_both_engines(|database| async move {
        let services = start(&database, MASTER).await.unwrap();
        let new = |name: &str, password: &str| NewOrganization {
            slug: Slug::parse("acme").unwrap(),
            name: name.to_owned(),
            owner_email: Email::parse("ada@example.com").unwrap(),
            owner_password: password.into(),
            starter_policy: true,
        };
        let short = services
            .create_organization(&Act::on_command_line(), new("Acme", "eleven chrs"))
            .await;
        assert!(
            matches!(
                short,
                Err(NewOrganizationError::Owner(CreateUserError::PasswordLength))
            ),
            "{short:?}"
        );
        let blank = services
            .create_organization(&Act::on_command_line(), new(" ", "correct horse battery"))
            .await;
        assert!(
            matches!(
                blank,
                Err(NewOrganizationError::Organization(
                    CreateOrganizationError::InvalidName
                ))
            ),
            "{blank:?}"
        );
        assert_eq!(rows(&database).await, (0, 0, 0, 0, 0, 0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_key_cannot_be_limited_to_what_is_not_declared() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ceiling: KeyCeiling = serde_json::from_str(r#"{"roles": ["auditor"]}"#).unwrap();
        let new = key_admin::NewApiKey {
            ceiling,
            organization: app.organization.id,
            owner: app.owner,
            created_by: None,
            name: "ci".to_owned(),
            expires_at: None,
            permissions: Vec::new(),
            allowed_networks: Vec::new(),
            rate_limit: None,
        };
        let act = key_admin::Act::on_command_line();
        let refused = app
            .services
            .create_api_key(&act, Asker::Machine, new)
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the key's limits are not usable: there is no role `auditor`"
        );
        let all = key_admin::KeyFilter::default();
        let keys = &app.services.keys;
        let keys = keys.list_keys(app.organization.id, &all, None, 100).await;
        assert_eq!(keys.unwrap().len(), 1);
    })
    .await;
}
