mod changing;
mod creating;
mod finding;
mod owners;
mod removing;

use secrecy::SecretString;
use serde_json::Value;
use storage::{OrganizationId, PrincipalId};

use crate::audit::{self, AuditEvent, AuditFilter};
use crate::testing::App;
use crate::users::{Email, NewUser, User, UserChange, UserError, UserRole};
use crate::{Act, Actor, CreatedKey, NewApiKey, PrincipalPage};

const PASSWORD: &str = "seven quiet otters";

/// The command line, and a role that it does not have.
fn machine() -> (Act, Option<UserRole>) {
    (Act::on_command_line(), None)
}

/// A person in the console.
fn person(user: &User) -> (Act, Option<UserRole>) {
    let act = Act {
        actor: Actor::User(user.id),
        client: Some("192.0.2.7".parse().unwrap()),
        request_id: Some("req_1".into()),
    };
    (act, Some(user.role))
}

fn new_user(email: &str, role: UserRole) -> NewUser {
    NewUser {
        email: Email::parse(email).unwrap(),
        name: None,
        role,
        password: SecretString::from(PASSWORD),
    }
}

/// Time passes between the acts of these helpers, so that the trail has one order.
async fn creates(
    app: &App,
    (act, by): (Act, Option<UserRole>),
    new: NewUser,
) -> Result<User, UserError> {
    app.clock.advance_seconds(1);
    let keys = &app.node.keys;
    keys.create_user(&act, by, app.organization, new).await
}

async fn changes(
    app: &App,
    (act, by): (Act, Option<UserRole>),
    id: PrincipalId,
    change: UserChange,
) -> Result<User, UserError> {
    app.clock.advance_seconds(1);
    let keys = &app.node.keys;
    keys.update_user(&act, by, app.organization, id, change)
        .await
}

async fn adds(app: &App, email: &str, role: UserRole) -> User {
    creates(app, machine(), new_user(email, role))
        .await
        .unwrap()
}

async fn key_of(app: &App, owner: PrincipalId) -> CreatedKey {
    let new = NewApiKey {
        owner,
        ..app.new_key("ci")
    };
    app.creates(new).await
}

async fn users_of(app: &App, organization: OrganizationId) -> Vec<User> {
    let page = PrincipalPage {
        after: None,
        limit: 100,
    };
    app.node.keys.list_users(organization, page).await.unwrap()
}

/// The events about one target, oldest first.
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

fn actions(events: &[AuditEvent]) -> Vec<&str> {
    events.iter().map(|event| event.action.as_str()).collect()
}

fn role(role: UserRole) -> UserChange {
    UserChange {
        role: Some(role),
        ..UserChange::default()
    }
}

fn state(state: crate::PrincipalState) -> UserChange {
    UserChange {
        state: Some(state),
        ..UserChange::default()
    }
}

fn password(text: &str) -> UserChange {
    UserChange {
        password: Some(text.into()),
        ..UserChange::default()
    }
}

fn name(text: &str) -> UserChange {
    UserChange {
        name: Some(text.into()),
        ..UserChange::default()
    }
}

fn of_user(detail: &Value, side: &str, field: &str) -> String {
    detail[side][field].as_str().unwrap_or_default().to_owned()
}
