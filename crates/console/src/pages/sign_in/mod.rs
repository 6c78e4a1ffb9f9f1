//! Signing in and out.
//!
//! | file | what it gives |
//! |---|---|
//! | `password` | e-mail address and password |
//! | `code` | the second factor |
//! | `provider` | single sign-on: to a provider and back |
//! | `out` | signing out |
//! | `next` | where one goes after signing in, and never elsewhere |

mod code;
mod next;
mod out;
mod password;
mod provider;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue};
use key_admin::random;
use key_admin::sign_in::{NewConsoleSession, PasswordSignIn};
use secrecy::SecretString;
use url::form_urlencoded;

use crate::cookies::{self, Cookie};
use crate::failure::Failure;
use crate::state::ConsoleState;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new()
        .route("/sign-in", get(password::page).post(password::submit))
        .route("/sign-in/code", get(code::page).post(code::submit))
        .route("/sign-in/with/{name}", get(provider::leave))
        .route("/sign-in/callback/{name}", get(provider::come_back))
        .route("/sign-out", post(out::submit))
}

/// Every sign-in has a session of its own: one that a browser brought along is never taken up.
fn enter(state: &ConsoleState, session: &NewConsoleSession, next: &str) -> Response {
    let mut response = Redirect::to(next::safe(next)).into_response();
    let lines = [
        Cookie::Session.set(state, &session.secret, Some(session.ends_at)),
        Cookie::Visitor.clear(state),
    ];
    cookies::add(&mut response, lines.into_iter().flatten());
    response
}

/// In, or to the page that asks for a code.
fn go_on(state: &ConsoleState, signed_in: &PasswordSignIn, next: &str) -> Response {
    match signed_in {
        PasswordSignIn::Done(session) => enter(state, session, next),
        PasswordSignIn::SecondFactor(pending) => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            let mut response =
                Redirect::to(&format!("/console/sign-in/code?next={next}")).into_response();
            let cookie = Cookie::Pending.set(state, &pending.secret, Some(pending.ends_at));
            cookies::add(&mut response, cookie);
            response
        }
    }
}

/// What ties the forms before sign-in to the browser: its cookie, or a new one.
fn visitor(
    state: &ConsoleState,
    headers: &HeaderMap,
) -> Result<(SecretString, Option<HeaderValue>), Failure> {
    if let Some(cookie) = Cookie::Visitor.read(state, headers) {
        return Ok((cookie, None));
    }
    let bytes: [u8; 32] = random::bytes().map_err(|error| Failure::internal(&error))?;
    let cookie = SecretString::from(key_admin::secrets::hex(&bytes));
    let line = Cookie::Visitor.set(state, &cookie, None);
    Ok((cookie, line))
}
