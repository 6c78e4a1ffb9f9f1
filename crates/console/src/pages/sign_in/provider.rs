//! Single sign-on: the browser leaves for a provider and comes back.

use askama::Template;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use http_api::middleware::not_found;
use http_api::query::Query;
use key_admin::random;
use key_admin::secrets::hex;
use key_admin::sign_in::{Browser, PROVIDER_ATTEMPT_SECONDS, PasswordSignIn, ProviderAttempt};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use super::{go_on, next};
use crate::cookies::{self, Cookie};
use crate::failure::Failure;
use crate::page::{Frame, html};
use crate::person::Visitor;
use crate::router::HOME;
use crate::single_sign_on::{Answer, Provider, RoundTripFailure};
use crate::state::ConsoleState;

/// A button of the sign-in page.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) title: String,
    pub(super) path: String,
}

impl Way {
    /// One per provider. They are links: forms go nowhere but to this server, as the content security policy says.
    pub(super) fn all(state: &ConsoleState, next: &str) -> Vec<Self> {
        let providers = state.single_sign_on.providers().iter();
        providers
            .map(|provider| Self {
                title: provider.title().to_owned(),
                path: path_of(provider, next),
            })
            .collect()
    }
}

fn path_of(provider: &Provider, next: &str) -> String {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/console/sign-in/with/{}?next={next}", provider.name())
}

#[derive(Template)]
#[template(path = "sign_in/provider.html")]
struct NotSignedIn {
    frame: Frame,
    status: u16,
    detail: String,
    request_id: String,
    again: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    next: String,
}

/// What a provider gives the browser to bring along. Providers add parameters of their own.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Brought {
    state: String,
    code: String,
    iss: Option<String>,
    error: Option<String>,
}

pub(crate) async fn leave(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let Some(provider) = state.single_sign_on.find(&name) else {
        return Err(not_found().into());
    };
    let next = next::safe(&asked.next);
    let left = begin(&state, &visitor.browser, provider, next).await;
    Ok(left.unwrap_or_else(|failure| not_signed_in(&visitor.browser, provider, failure, next)))
}

pub(crate) async fn come_back(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(brought): Query<Brought>,
) -> Result<Response, Failure> {
    let Some(provider) = state.single_sign_on.find(&name) else {
        return Err(not_found().into());
    };
    let attempt = match own_attempt(&state, &headers, provider, &brought).await {
        Ok(attempt) => attempt,
        Err(failure) => return Ok(not_signed_in(&visitor.browser, provider, failure, HOME)),
    };
    let finished = finish(&state, &visitor.browser, provider, (&attempt, brought)).await;
    let mut response = match finished {
        Ok(signed_in) => go_on(&state, &signed_in, &attempt.next),
        Err(failure) => not_signed_in(&visitor.browser, provider, failure, &attempt.next),
    };
    cookies::add(&mut response, Cookie::Attempt.clear(&state));
    Ok(response)
}

async fn begin(
    state: &ConsoleState,
    browser: &Browser,
    provider: &Provider,
    next: &str,
) -> Result<Response, RoundTripFailure> {
    // A provider that is down costs no attempt.
    let departure = provider.departure(state.url()).await?;
    let attempt = ProviderAttempt {
        provider: provider.name().to_owned(),
        nonce: hex(&random::bytes::<32>()?).into(),
        // 64 characters of those that RFC 7636 allows, with 256 random bits.
        pkce_verifier: hex(&random::bytes::<32>()?).into(),
        next: next.to_owned(),
    };
    let keys = &state.services.keys;
    let secret = keys.begin_provider_sign_in(browser, &attempt).await?;
    let address = departure.address(&secret, &attempt);
    let mut response = Redirect::to(address.as_str()).into_response();
    let ends_at = state.services.clock.now();
    let ends_at = ends_at.plus_seconds(PROVIDER_ATTEMPT_SECONDS);
    let cookie = Cookie::Attempt.set(state, &secret, Some(ends_at));
    cookies::add(&mut response, cookie);
    Ok(response)
}

/// The round trip that this browser began with this provider. From here on it is used up.
async fn own_attempt(
    state: &ConsoleState,
    headers: &HeaderMap,
    provider: &Provider,
    brought: &Brought,
) -> Result<ProviderAttempt, RoundTripFailure> {
    let began = Cookie::Attempt.read(state, headers);
    let began = began.ok_or(RoundTripFailure::Strange("the browser began none"))?;
    let (own, named) = (began.expose_secret().as_bytes(), brought.state.as_bytes());
    verify_slices_are_equal(own, named)
        .map_err(|_| RoundTripFailure::Strange("the state is another"))?;
    let taken = state.services.keys.take_provider_attempt(&began).await?;
    let attempt = taken.ok_or(RoundTripFailure::Strange("used before, or too late"))?;
    if attempt.provider != provider.name() {
        return Err(RoundTripFailure::Strange("it was with another provider"));
    }
    Ok(attempt)
}

async fn finish(
    state: &ConsoleState,
    browser: &Browser,
    provider: &Provider,
    (attempt, brought): (&ProviderAttempt, Brought),
) -> Result<PasswordSignIn, RoundTripFailure> {
    if let Some(error) = brought.error {
        return Err(RoundTripFailure::answered(&error));
    }
    let answer = Answer {
        code: SecretString::from(brought.code),
        issuer: brought.iss,
    };
    let identity = provider.arrival(state.url(), answer, attempt).await?;
    let keys = &state.services.keys;
    let signed_in = keys.sign_in_through_provider(browser, provider.rules(), identity);
    Ok(signed_in.await?)
}

/// What the person can do; the reason is for the log.
fn not_signed_in(
    browser: &Browser,
    provider: &Provider,
    failure: RoundTripFailure,
    next: &str,
) -> Response {
    tracing::warn!(provider = provider.name(), reason = %failure, "a sign-in through a provider failed");
    let problem = failure.into_problem();
    let request_id = browser.request_id.clone().unwrap_or_default();
    let page = NotSignedIn {
        frame: Frame {
            title: "Not signed in".into(),
            ..Frame::default()
        },
        status: problem.status().as_u16(),
        detail: problem.body(&request_id).detail,
        request_id,
        again: path_of(provider, next),
    };
    html(problem.status(), &page)
}
