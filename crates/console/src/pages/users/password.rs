//! The one page that shows a password that was made for somebody, once.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use key_admin::User;
use secrecy::{ExposeSecret, SecretString};

use crate::page::{Frame, Section, html};
use crate::person::Person;
use crate::state::ConsoleState;

/// Why there is a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The user is new.
    New,
    /// The one before does not count any more.
    Instead,
}

#[derive(Template)]
#[template(path = "users/password.html")]
struct PasswordPage {
    frame: Frame,
    new: bool,
    id: String,
    name: String,
    email: String,
    password: String,
    sign_in: String,
}

/// Nothing of the answer is kept anywhere: the password is in it.
pub(super) fn shown<M>(
    state: &ConsoleState,
    person: &Person<M>,
    user: &User,
    (password, given): (SecretString, Given),
) -> Response {
    let title = match given {
        Given::New => "The user was added",
        Given::Instead => "The new password",
    };
    let page = PasswordPage {
        frame: person.frame(Section::Users, title),
        new: given == Given::New,
        id: user.id.to_string(),
        name: user.name.clone(),
        email: user.email.as_str().to_owned(),
        password: password.expose_secret().to_owned(),
        sign_in: format!("{}/console/sign-in", state.url()),
    };
    let status = match given {
        Given::New => StatusCode::CREATED,
        Given::Instead => StatusCode::OK,
    };
    html(status, &page)
}
