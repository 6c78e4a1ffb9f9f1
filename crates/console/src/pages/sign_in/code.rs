//! The second factor.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use http_api::problem::Problem;
use http_api::query::Query;
use serde::Deserialize;

use super::{enter, visitor};
use crate::cookies::{self, Cookie};
use crate::csrf;
use crate::failure::Failure;
use crate::form::{Posted, SecretField};
use crate::page::{Frame, html};
use crate::person::Visitor;
use crate::state::ConsoleState;

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct CodePage {
    frame: Frame,
    next: String,
    refused: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeForm {
    code: SecretField,
    #[serde(default)]
    next: String,
}

pub(crate) async fn page(
    State(state): State<ConsoleState>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    if Cookie::Pending.read(&state, &headers).is_none() {
        return Ok(Redirect::to("/console/sign-in").into_response());
    }
    show(&state, &headers, (StatusCode::OK, asked.next, None))
}

pub(crate) async fn submit(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    headers: HeaderMap,
    Posted(form): Posted<CodeForm>,
) -> Result<Response, Failure> {
    let Some(pending) = Cookie::Pending.read(&state, &headers) else {
        return Ok(Redirect::to("/console/sign-in").into_response());
    };
    let keys = &state.services.keys;
    match keys
        .sign_in_with_code(&visitor.browser, &pending, &form.code.0)
        .await
    {
        Ok(session) => {
            let mut response = enter(&state, &session, &form.next);
            cookies::add(&mut response, Cookie::Pending.clear(&state));
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            let status = problem.status();
            if status.is_server_error() {
                return Err(problem.into());
            }
            let refused = Some(problem.body("").detail);
            show(&state, &headers, (status, form.next, refused))
        }
    }
}

fn show(
    state: &ConsoleState,
    headers: &HeaderMap,
    (status, next, refused): (StatusCode, String, Option<String>),
) -> Result<Response, Failure> {
    let (cookie, line) = visitor(state, headers)?;
    let page = CodePage {
        frame: Frame {
            title: "Sign in: your code".into(),
            csrf: csrf::token(&cookie),
            ..Frame::default()
        },
        next,
        refused,
    };
    let mut response = html(status, &page);
    cookies::add(&mut response, line);
    Ok(response)
}
