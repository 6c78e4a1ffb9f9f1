//! Signing in, on both engines.

mod codes;
mod concurrent;
mod keys;
mod passwords;
mod providers;
mod sessions;

use secrecy::{ExposeSecret, SecretString};
use storage::{Clock, PrincipalId};
use totp_rs::{Builder, Secret};

use super::*;
use crate::PrincipalState;
use crate::audit::{self, AuditEvent, AuditFilter};
use crate::testing::{App, act, address};
use crate::users::{Email, NewUser, User, UserChange, UserRole};

const PASSWORD: &str = "seven quiet otters";
const ADA: &str = "ada@example.com";

fn browser() -> Browser {
    browser_at("192.0.2.1")
}

fn browser_at(client: &str) -> Browser {
    Browser::new(address(client), "Test/1.0", Some("req_1".into()))
}

async fn adds(app: &App, email: &str, role: UserRole) -> User {
    let new = NewUser {
        email: Email::parse(email).unwrap(),
        name: None,
        role,
        password: PASSWORD.into(),
    };
    let keys = &app.node.keys;
    let made = keys.create_user(act(), None, app.organization, new).await;
    made.unwrap()
}

async fn changes(app: &App, id: PrincipalId, change: UserChange) {
    let keys = &app.node.keys;
    keys.update_user(act(), None, app.organization, id, change)
        .await
        .unwrap();
}

fn suspended() -> UserChange {
    UserChange {
        state: Some(PrincipalState::Suspended),
        ..UserChange::default()
    }
}

async fn tries(app: &App, email: &str, password: &str) -> Result<PasswordSignIn, SignInError> {
    let keys = &app.node.keys;
    keys.sign_in(&browser(), email, password.into()).await
}

async fn signs_in(app: &App, email: &str) -> NewConsoleSession {
    done(tries(app, email, PASSWORD).await.unwrap())
}

fn done(answer: PasswordSignIn) -> NewConsoleSession {
    match answer {
        PasswordSignIn::Done(session) => session,
        PasswordSignIn::SecondFactor(_) => panic!("a second factor is asked for"),
    }
}

fn pending(answer: PasswordSignIn) -> SecretString {
    match answer {
        PasswordSignIn::SecondFactor(pending) => pending.secret,
        PasswordSignIn::Done(_) => panic!("no second factor is asked for"),
    }
}

async fn person(app: &App, session: &NewConsoleSession) -> Option<SignedIn> {
    let keys = &app.node.keys;
    keys.console_session(&session.secret).await.unwrap()
}

/// The code that an app shows now.
fn code(app: &App, setup: &SecondFactorSetup) -> SecretString {
    let secret = Secret::try_from_base32(setup.secret_base32.expose_secret()).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    let now = app.clock.now().unix_seconds().unsigned_abs();
    totp.generate(now).to_string().into()
}

/// Sets a second factor up; its first code is used.
async fn enables(app: &App, person: &SignedIn) -> (SecondFactorSetup, Vec<SecretString>) {
    let keys = &app.node.keys;
    let setup = keys.begin_second_factor(person).await.unwrap();
    let first = code(app, &setup);
    let codes = keys.confirm_second_factor(act(), person, &first).await;
    (setup, codes.unwrap())
}

/// The events of one kind, newest first.
async fn events(app: &App, action: &str) -> Vec<AuditEvent> {
    app.node.keys.throttle.settled().await;
    let filter = AuditFilter {
        action: Some(action.to_owned()),
        ..AuditFilter::default()
    };
    audit::list(&app.database, app.organization, &filter, None, 100)
        .await
        .unwrap()
}

fn reasons(events: &[AuditEvent]) -> Vec<&str> {
    let reason = |event: &'_ AuditEvent| event.detail["reasons"][0]["code"].as_str().is_some();
    assert!(events.iter().all(reason));
    events
        .iter()
        .filter_map(|event| event.detail["reasons"][0]["code"].as_str())
        .collect()
}
