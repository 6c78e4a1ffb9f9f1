//! Users: people with a console login, their roles, and their keys.
//!
//! | file | what it gives |
//! |---|---|
//! | `list` | the people of the organization |
//! | `create` | a new one, with a password that is shown once |
//! | `details` | one of them: name and role |
//! | `actions` | suspend, activate, a new password, no second factor, removal |
//! | `password` | the one page that shows a password |

mod actions;
mod create;
mod details;
mod list;
mod password;

use axum::Router;
use axum::routing::{get, post};
use http_api::problem::Problem;
use key_admin::{UserError, UserRole};

use crate::failure::Failure;
use crate::field::FormErrors;
use crate::state::ConsoleState;

/// Where the pages are.
pub(crate) const PATH: &str = "/console/users";

pub(crate) fn routes() -> Router<ConsoleState> {
    let pages = Router::new()
        .route("/", get(list::page).post(create::submit))
        .route("/new", get(create::page))
        .route("/{id}", get(details::page).post(details::submit))
        .route("/{id}/suspend", post(actions::suspend))
        .route("/{id}/activate", post(actions::activate))
        .route("/{id}/password", post(actions::reset_password))
        .route("/{id}/second-factor", post(actions::remove_second_factor))
        .route("/{id}/remove", post(actions::remove));
    Router::new().nest("/users", pages)
}

/// What a role may do, in a sentence.
pub(super) const fn about(role: UserRole) -> &'static str {
    match role {
        UserRole::Owner => "Everything, and the owners themselves.",
        UserRole::Admin => "Everything but making, changing or acting for owners.",
        UserRole::Member => "Issues tokens, sees all keys, makes and changes their own.",
        UserRole::Viewer => "Sees everything, and changes nothing.",
    }
}

/// A role as a form offers it.
pub(super) struct RoleChoice {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// The roles that somebody of this role can be expected to give; whether it is allowed is decided where it is done.
pub(super) fn roles(giver: UserRole) -> Vec<RoleChoice> {
    let all = UserRole::ALL.iter().copied();
    let offered = all.filter(|role| giver == UserRole::Owner || *role != UserRole::Owner);
    offered
        .map(|role| RoleChoice {
            name: role.as_str(),
            about: about(role),
        })
        .collect()
}

pub(super) fn role(name: &str) -> Result<UserRole, FormErrors> {
    let mut roles = UserRole::ALL.iter().copied();
    let found = roles.find(|role| role.as_str() == name);
    found.ok_or_else(|| FormErrors::of("role", "Choose a role."))
}

/// What the person can do something about stands beside the form's fields.
pub(super) fn errors(error: UserError) -> Result<FormErrors, Failure> {
    let fields = [("/email", "email"), ("/name", "name"), ("/role", "role")];
    FormErrors::of_problem(Problem::from(error), &fields)
}
