//! A running server and the words to talk about it.

mod answer;
mod app;
mod console;
mod process;
mod provider;
mod script;
mod tools;

pub(crate) use answer::Answer;
pub(crate) use app::{App, Form, MASTER_SECRET, NewKey, PASSWORD, acme, on_both_engines};
pub(crate) use process::{Jeton, jeton_binary, run_to_end};
pub(crate) use provider::{IdentityProvider, on_both_engines_with};
pub(crate) use script::ask;
pub(crate) use tools::{chromium, fuzzed_cases, node, python, repository, screenshots};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// Header and claims of a token, unverified.
pub(crate) fn decode(token: &str) -> (Value, Value) {
    let mut segments = token
        .split('.')
        .map(|segment| BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap());
    let mut next = || serde_json::from_slice(&segments.next().unwrap()).unwrap();
    (next(), next())
}
