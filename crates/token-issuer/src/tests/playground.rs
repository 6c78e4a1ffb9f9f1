//! A person issues with a key of the organization.

use key_admin::audit::{self, AuditFilter};
use key_admin::users::{Email, NewUser, UserRole};
use key_admin::{
    Act, ApiKeyId, ApiKeyPatch, Asker, AuthenticateError, ChangeKeyError, Edit, IssuedTokens,
    KeyCeiling, KeyRevocation, SignedIn,
};
use policy::operations::markers::IssueSessionToken;
use policy::{NotPermitted, PermittedPerson};
use secrecy::ExposeSecret;
use serde_json::json;
use storage::testing::on_both_engines;

use super::checking::check;
use super::{App, caller, found, request, signed_in};
use crate::{IssueError, IssueRequest, IssuedToken, Origin, PlaygroundError};

async fn issues(
    app: &App,
    person: SignedIn,
    key: ApiKeyId,
) -> Result<IssuedToken, PlaygroundError> {
    let person: PermittedPerson<IssueSessionToken> =
        app.services.authorizer.permit_person(person).unwrap();
    let request = IssueRequest {
        grant: request("user-42"),
        origin: Origin {
            request_id: "req-p".to_owned(),
            client: "192.0.2.9".parse().unwrap(),
        },
    };
    app.services.issue_for_person(&person, key, request).await
}

/// Somebody of this role, signed in.
async fn somebody(app: &App, email: &str, role: UserRole) -> SignedIn {
    let new = NewUser {
        email: Email::parse(email).unwrap(),
        name: None,
        password: "correct horse battery".into(),
        role,
    };
    let keys = &app.services.keys;
    let (act, organization) = (Act::on_command_line(), app.organization.id);
    keys.create_user(&act, None, organization, new)
        .await
        .unwrap();
    signed_in(&app.services, email).await
}

#[tokio::test]
async fn a_person_issues_as_the_key_would_and_the_audit_trail_says_who() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let owner = signed_in(&app.services, "ada@example.com").await;
        let key = app.caller.key_id();
        let issued = issues(&app, owner, key).await.unwrap();
        let checked = check(&app, issued.token().expose_secret()).await.unwrap();
        assert_eq!(checked.session.api_key, key);
        assert_eq!(checked.session.request_id, "req-p");
        let listed = app.services.keys.get_key(app.organization.id, key).await;
        assert_eq!(listed.unwrap().unwrap().tokens_issued.ever, 1);

        let filter = AuditFilter {
            action: Some("session_token.issue".to_owned()),
            ..AuditFilter::default()
        };
        let events = audit::list(&app.database, app.organization.id, &filter, None, 10).await;
        let events = events.unwrap();
        let [event] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(
            (event.actor_kind.as_str(), event.actor_id.as_str()),
            ("user", app.owner.to_string().as_str())
        );
        assert_eq!(event.target_id, issued.claims().session_id().to_string());
        assert_eq!(event.client_address.as_deref(), Some("192.0.2.9"));
        assert_eq!(
            event.detail,
            json!({ "api_key_id": key, "subject": "user-42", "audience": "default" })
        );
    })
    .await;
}

#[tokio::test]
async fn the_limits_of_the_key_hold() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.caller.key_id();
        let patch = ApiKeyPatch {
            ceiling: Edit::Set(KeyCeiling {
                roles: Some(["editor".to_owned()].into()),
                audiences: Some([].into()),
                ..KeyCeiling::default()
            }),
            ..ApiKeyPatch::default()
        };
        let (act, organization) = (Act::on_command_line(), app.organization.id);
        let services = &app.services;
        services
            .update_api_key(&act, Asker::Machine, organization, key, patch)
            .await
            .unwrap();
        let owner = signed_in(services, "ada@example.com").await;
        let refused = issues(&app, owner, key).await.unwrap_err();
        let PlaygroundError::Issue(IssueError::Refused(denial)) = refused else {
            panic!("{refused:?}")
        };
        let codes: Vec<_> = denial.reasons().iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["audience_not_allowed"]);
    })
    .await;
}

#[tokio::test]
async fn nobody_issues_with_a_key_that_they_could_not_rotate() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let key = app.caller.key_id();
        let member = somebody(&app, "mo@example.com", UserRole::Member).await;
        let refused = issues(&app, member.clone(), key).await.unwrap_err();
        assert!(
            matches!(refused, PlaygroundError::Key(ChangeKeyError::NotCovered(_))),
            "{refused:?}"
        );
        let own = caller(&app.services, &app.organization, member.user().id).await;
        issues(&app, member, own.key_id()).await.unwrap();

        let viewer = somebody(&app, "vi@example.com", UserRole::Viewer).await;
        let authorizer = &app.services.authorizer;
        let refused = authorizer
            .permit_person::<IssueSessionToken>(viewer)
            .unwrap_err();
        assert!(matches!(refused, NotPermitted::Person(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_organization_or_one_that_does_not_work_issues_nothing() {
    on_both_engines(|database| async move {
        let app = App::on(database).await;
        let services = &app.services;
        let (other, stranger) = found(services, "globex", "hank@example.com").await.unwrap();
        let foreign = caller(services, &other, stranger).await;
        let owner = signed_in(services, "ada@example.com").await;
        let refused = issues(&app, owner.clone(), foreign.key_id()).await;
        assert!(
            matches!(refused, Err(PlaygroundError::Key(ChangeKeyError::NotFound))),
            "{refused:?}"
        );

        let (act, organization) = (Act::on_command_line(), app.organization.id);
        let key = app.caller.key_id();
        let keys = &services.keys;
        keys.disable_key(&act, Asker::Machine, organization, key)
            .await
            .unwrap();
        let refused = issues(&app, owner.clone(), key).await;
        assert!(
            matches!(
                refused,
                Err(PlaygroundError::KeyState(AuthenticateError::KeyDisabled))
            ),
            "{refused:?}"
        );
        let revocation = KeyRevocation {
            reason: None,
            issued: IssuedTokens::Void,
        };
        keys.revoke_key(&act, Asker::Machine, organization, key, revocation)
            .await
            .unwrap();
        let refused = issues(&app, owner, key).await;
        assert!(
            matches!(refused, Err(PlaygroundError::Key(ChangeKeyError::Revoked))),
            "{refused:?}"
        );
    })
    .await;
}
