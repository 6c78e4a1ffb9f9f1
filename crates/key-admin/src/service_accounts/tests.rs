use serde_json::json;
use storage::testing::on_both_engines;
use storage::{Clock, OrganizationId, PrincipalId};

use super::{ServiceAccount, ServiceAccountChange, ServiceAccountError};
use crate::audit::{self, AuditEvent, AuditFilter};
use crate::testing::{App, add_organization};
use crate::{Act, AuthenticateError, Deletion, NewApiKey, PrincipalPage, PrincipalState};

const REVOKE: Deletion = Deletion { revoke_keys: true };
const KEEP: Deletion = Deletion { revoke_keys: false };

fn machine() -> Act {
    Act::on_command_line()
}

async fn adds(app: &App, name: &str) -> ServiceAccount {
    app.clock.advance_seconds(1);
    let keys = &app.node.keys;
    keys.create_service_account(&machine(), app.organization, name)
        .await
        .unwrap()
}

async fn changes(
    app: &App,
    id: PrincipalId,
    change: ServiceAccountChange,
) -> Result<ServiceAccount, ServiceAccountError> {
    app.clock.advance_seconds(1);
    let keys = &app.node.keys;
    keys.update_service_account(&machine(), app.organization, id, change)
        .await
}

fn state(state: PrincipalState) -> ServiceAccountChange {
    ServiceAccountChange {
        state: Some(state),
        ..ServiceAccountChange::default()
    }
}

fn name(name: &str) -> ServiceAccountChange {
    ServiceAccountChange {
        name: Some(name.into()),
        ..ServiceAccountChange::default()
    }
}

async fn events_about(app: &App, id: PrincipalId) -> Vec<AuditEvent> {
    let filter = AuditFilter {
        target_id: Some(id.to_string()),
        ..AuditFilter::default()
    };
    let mut events = audit::list(&app.database, app.organization, &filter, None, 100)
        .await
        .unwrap();
    events.reverse();
    events
}

#[tokio::test]
async fn an_account_is_made_found_listed_and_changed() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        app.clock.advance_seconds(1);
        let mut ci = adds(&app, "  nightly build ").await;
        assert_eq!(
            (ci.name.as_str(), ci.state),
            ("nightly build", PrincipalState::Active)
        );
        assert_eq!(ci.created_at, app.clock.now());
        let keys = &app.node.keys;
        let page = |after, limit| PrincipalPage { after, limit };
        let listed = keys
            .list_service_accounts(app.organization, page(None, 9))
            .await
            .unwrap();
        assert_eq!(
            (listed.len(), listed[0].id, &listed[1]),
            (2, app.owner, &ci)
        );
        let rest = keys.list_service_accounts(app.organization, page(Some(app.owner), 9));
        assert_eq!(rest.await.unwrap(), [ci.clone()]);

        ci.name = "weekly build".into();
        assert_eq!(
            changes(&app, ci.id, name("weekly build")).await.unwrap(),
            ci
        );
        assert_eq!(
            keys.get_service_account(app.organization, ci.id)
                .await
                .unwrap(),
            ci
        );
        changes(&app, ci.id, ServiceAccountChange::default())
            .await
            .unwrap();

        let events = events_about(&app, ci.id).await;
        let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(
            actions,
            ["service_account.create", "service_account.update"]
        );
        assert_eq!(events[1].target_kind, "service_account");
        let detail = json!({
            "before": { "name": "nightly build", "state": "active" },
            "after": { "name": "weekly build", "state": "active" },
        });
        assert_eq!(events[1].detail, detail);
    })
    .await;
}

#[tokio::test]
async fn names_have_1_to_100_characters() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let keys = &app.node.keys;
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            let made = keys
                .create_service_account(&machine(), app.organization, bad)
                .await;
            assert!(
                matches!(made, Err(ServiceAccountError::InvalidName)),
                "{made:?}"
            );
            let changed = changes(&app, app.owner, name(bad)).await;
            assert!(
                matches!(changed, Err(ServiceAccountError::InvalidName)),
                "{changed:?}"
            );
        }
        adds(&app, &"é".repeat(100)).await;
        let nowhere = OrganizationId::new(&*app.clock);
        let made = keys.create_service_account(&machine(), nowhere, "ci").await;
        assert!(
            matches!(made, Err(ServiceAccountError::NoSuchOrganization)),
            "{made:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn suspending_an_account_stops_its_keys_at_once() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.creates_key("ci").await;
        app.authenticates(&key).await.unwrap();
        changes(&app, app.owner, state(PrincipalState::Suspended))
            .await
            .unwrap();
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(
            matches!(told, AuthenticateError::OwnerSuspended),
            "{told:?}"
        );
        changes(&app, app.owner, state(PrincipalState::Active))
            .await
            .unwrap();
        app.authenticates(&key).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn live_keys_keep_an_account_unless_they_are_revoked_with_it() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let ci = adds(&app, "ci").await;
        let key = app
            .creates(NewApiKey {
                owner: ci.id,
                ..app.new_key("ci")
            })
            .await;
        app.authenticates(&key).await.unwrap();
        let remove = async |deletion| {
            app.clock.advance_seconds(1);
            let keys = &app.node.keys;
            keys.delete_service_account(&machine(), app.organization, ci.id, deletion)
                .await
        };
        let refused = remove(KEEP).await;
        assert!(
            matches!(refused, Err(ServiceAccountError::LiveKeys { count: 1 })),
            "{refused:?}"
        );
        app.authenticates(&key).await.unwrap();

        assert_eq!(remove(REVOKE).await.unwrap(), [key.key.id]);
        let told = app.authenticates(&key).await.unwrap_err();
        assert!(matches!(told, AuthenticateError::NotProven), "{told:?}");
        let gone = remove(REVOKE).await;
        assert!(
            matches!(gone, Err(ServiceAccountError::NotFound)),
            "{gone:?}"
        );
        let events = events_about(&app, ci.id).await;
        assert_eq!(events[1].action, "service_account.delete");
        assert_eq!(events[1].detail["revoked_keys"], json!([key.key.id]));
        assert_eq!(events[1].detail["removed_keys"], json!([key.key.id]));
    })
    .await;
}

#[tokio::test]
async fn another_organization_finds_no_account() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let globex = add_organization(&app.database, &*app.clock, "globex").await;
        let (keys, act, id) = (&app.node.keys, machine(), app.owner);
        let page = PrincipalPage {
            after: None,
            limit: 9,
        };
        assert!(
            keys.list_service_accounts(globex, page)
                .await
                .unwrap()
                .is_empty()
        );
        for refused in [
            keys.get_service_account(globex, id).await.map(|_| ()),
            keys.update_service_account(&act, globex, id, name("x"))
                .await
                .map(|_| ()),
            keys.delete_service_account(&act, globex, id, REVOKE)
                .await
                .map(|_| ()),
        ] {
            assert!(
                matches!(refused, Err(ServiceAccountError::NotFound)),
                "{refused:?}"
            );
        }
        keys.get_service_account(app.organization, id)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_user_is_no_service_account() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let new = crate::NewUser {
            email: crate::users::Email::parse("ada@example.com").unwrap(),
            name: None,
            role: crate::UserRole::Owner,
            password: "seven quiet otters".into(),
        };
        let (keys, act) = (&app.node.keys, machine());
        let ada = keys
            .create_user(&act, None, app.organization, new)
            .await
            .unwrap();
        for refused in [
            keys.get_service_account(app.organization, ada.id)
                .await
                .map(|_| ()),
            changes(&app, ada.id, state(PrincipalState::Suspended))
                .await
                .map(|_| ()),
            keys.delete_service_account(&act, app.organization, ada.id, KEEP)
                .await
                .map(|_| ()),
        ] {
            assert!(
                matches!(refused, Err(ServiceAccountError::NotFound)),
                "{refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn accounts_are_found_by_name_with_their_live_keys() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let (ci, web) = (adds(&app, "Nightly CI").await, adds(&app, "Web").await);
        let new = NewApiKey {
            owner: ci.id,
            ..app.new_key("deploy")
        };
        app.creates(new).await;
        let page = PrincipalPage {
            after: None,
            limit: 100,
        };
        let keys = &app.node.keys;
        let found = keys.find_service_accounts(app.organization, Some("nightly"), page);
        let found = found.await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].account, found[0].live_keys), (&ci, 1));
        let all = keys.find_service_accounts(app.organization, None, page);
        let all = all.await.unwrap();
        let of_web = all.iter().find(|listed| listed.account == web).unwrap();
        assert_eq!(
            (all.len(), of_web.live_keys),
            (3, 0),
            "with the owner of the test"
        );
    })
    .await;
}
