//! E-mail address and password.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use http_api::problem::Problem;
use http_api::query::Query;
use serde::Deserialize;

use super::provider::Way;
use super::{go_on, next, visitor};
use crate::cookies;
use crate::csrf;
use crate::failure::Failure;
use crate::form::{Posted, SecretField};
use crate::page::{Frame, html};
use crate::person::{Person, Visitor};
use crate::state::ConsoleState;

#[derive(Template)]
#[template(path = "sign_in/password.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    email: String,
    /// Why it did not work; one text whatever the reason.
    refused: Option<String>,
    /// The providers through which one may sign in, too.
    ways: Vec<Way>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    next: String,
    /// What a redirect tells; the frame shows it.
    done: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInForm {
    email: String,
    password: SecretField,
    #[serde(default)]
    next: String,
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    person: Option<Person>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    if person.is_some() {
        return Ok(Redirect::to(next::safe(&asked.next)).into_response());
    }
    let page = SignInPage {
        frame: Frame {
            title: "Sign in".into(),
            notice: visitor.notice,
            ..Frame::default()
        },
        next: asked.next,
        email: String::new(),
        refused: None,
        ways: Vec::new(),
    };
    show(&state, &headers, StatusCode::OK, page)
}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    headers: HeaderMap,
    Posted(form): Posted<SignInForm>,
) -> Result<Response, Failure> {
    let keys = &state.services.keys;
    let signed_in = keys
        .sign_in(&visitor.browser, &form.email, form.password.0)
        .await;
    match signed_in {
        Ok(signed_in) => Ok(go_on(&state, &signed_in, &form.next)),
        Err(error) => {
            let problem = Problem::from(error);
            let status = problem.status();
            if status.is_server_error() {
                return Err(problem.into());
            }
            let page = SignInPage {
                frame: Frame {
                    title: "Sign in".into(),
                    ..Frame::default()
                },
                next: form.next,
                email: form.email,
                refused: Some(problem.body("").detail),
                ways: Vec::new(),
            };
            show(&state, &headers, status, page)
        }
    }
}

fn show(
    state: &ConsoleState,
    headers: &HeaderMap,
    status: StatusCode,
    mut page: SignInPage,
) -> Result<Response, Failure> {
    let (cookie, line) = visitor(state, headers)?;
    page.frame.csrf = csrf::token(&cookie);
    page.ways = Way::all(state, &page.next);
    let mut response = html(status, &page);
    cookies::add(&mut response, line);
    Ok(response)
}
