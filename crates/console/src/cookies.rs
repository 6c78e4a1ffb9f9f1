//! The console's cookies: one holds the session, one a sign-in that wants a code yet, one a round trip through a provider, one
//! ties the forms before sign-in to the browser.
//!
//! Over TLS they have the [`__Host-` prefix](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-the-__host-prefix):
//! no other host and no plain connection can set them. Without TLS, which only serves this machine, browsers would not
//! take such a cookie.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use storage::Timestamp;

use crate::state::ConsoleState;

/// Adds lines that set or clear cookies.
pub(crate) fn add(response: &mut Response, lines: impl IntoIterator<Item = HeaderValue>) {
    for line in lines {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}

/// Which cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session of somebody who has signed in.
    Session,
    /// A sign-in whose password was right, and whose code is asked for.
    Pending,
    /// The `state` of a round trip through a provider: only the browser that begins it may end it.
    Attempt,
    /// Of a browser in which nobody has signed in.
    Visitor,
}

impl Cookie {
    const fn name(self, plain: bool) -> &'static str {
        match (self, plain) {
            (Self::Session, false) => "__Host-jeton-session",
            (Self::Session, true) => "jeton-session",
            (Self::Pending, false) => "__Host-jeton-pending",
            (Self::Pending, true) => "jeton-pending",
            (Self::Attempt, false) => "__Host-jeton-attempt",
            (Self::Attempt, true) => "jeton-attempt",
            (Self::Visitor, false) => "__Host-jeton-visitor",
            (Self::Visitor, true) => "jeton-visitor",
        }
    }

    /// Its value in a request. A cookie that is there twice counts as absent: one of the two is somebody else's.
    pub(crate) fn read(self, state: &ConsoleState, headers: &HeaderMap) -> Option<SecretString> {
        let name = self.name(state.is_plain_http());
        let lines = headers.get_all(header::COOKIE).iter();
        let mut values = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let value = values.next()?;
        let usable = (20..=128).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && values.next().is_none();
        usable.then(|| value.to_owned().into())
    }

    /// The header that sets it until a time; browsers forget it when they close where there is none.
    pub(crate) fn set(
        self,
        state: &ConsoleState,
        secret: &SecretString,
        ends_at: Option<Timestamp>,
    ) -> Option<HeaderValue> {
        let now = state.services.clock.now().unix_seconds();
        let age = ends_at.map(|at| (at.unix_seconds() - now).max(0));
        self.line(state, secret.expose_secret(), age)
    }

    /// The header that takes it away.
    pub(crate) fn clear(self, state: &ConsoleState) -> Option<HeaderValue> {
        self.line(state, "", Some(0))
    }

    fn line(self, state: &ConsoleState, value: &str, max_age: Option<i64>) -> Option<HeaderValue> {
        let plain = state.is_plain_http();
        let name = self.name(plain);
        let secure = if plain { "" } else { "; Secure" };
        let age = max_age.map_or_else(String::new, |age| format!("; Max-Age={age}"));
        let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        let mut line = HeaderValue::from_str(&line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }
}
