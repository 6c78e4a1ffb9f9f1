//! The policy as text: checked, compared with what holds, tried out on recent sessions, applied.
//!
//! Only a text that was checked is applied: the page of a check carries the text's digest, and a text with another digest is
//! checked instead.

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use http_api::errors::{edit, sentence};
use key_admin::Permission;
use policy::operations::markers::{GetPolicy, ReplacePolicy};
use policy::{
    Change, CompileError, DocumentFault, EditError, PolicyDiff, PolicyDocument, PolicyFault,
    Position, positions_in_yaml,
};
use serde::Deserialize;
use serde_json::Value;
use token_issuer::simulation::DEFAULT_SESSIONS;

use super::PATH;
use super::what_if::{self, WhatIfView};
use crate::failure::Failure;
use crate::form::Posted;
use crate::page::{Frame, Section, again, html, ok};
use crate::person::Person;
use crate::state::ConsoleState;

/// The longest text that is edited in a browser, in bytes: forms grow on their way.
const MAX_TEXT: usize = 512 * 1024;
/// The most changes and faults that are listed.
const MAX_LISTED: usize = 100;
/// The longest value that is shown, in characters.
const MAX_VALUE: usize = 400;
/// How many of the latest sessions one may try a policy on.
const LAST: [u32; 3] = [DEFAULT_SESSIONS, 5_000, 10_000];

/// What the page posts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    text: String,
    /// The policy's version, as it was read.
    version: i64,
    /// The digest of the text that was checked; empty when none was.
    #[serde(default)]
    checked: String,
    last: u32,
    #[serde(rename = "do")]
    deed: Wish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    Check,
    Apply,
}

#[derive(Template)]
#[template(path = "policy/yaml.html")]
struct YamlPage {
    frame: Frame,
    text: String,
    rows: usize,
    version: i64,
    last: Vec<(u32, bool)>,
    may_write: bool,
    too_large: bool,
    /// What to know before reading on.
    warning: Option<&'static str>,
    checked: Option<Checked>,
}

/// What a check found.
enum Checked {
    Faults(Vec<FaultView>, usize),
    Fits(Fits),
}

struct Fits {
    digest: String,
    changes: Vec<ChangeView>,
    more: usize,
    counts: [usize; 3],
    what_if: WhatIfView,
}

struct FaultView {
    at: Option<Position>,
    /// The line itself.
    excerpt: String,
    detail: String,
}

struct ChangeView {
    sign: &'static str,
    class: &'static str,
    word: &'static str,
    path: String,
    before: Option<String>,
    after: Option<String>,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetPolicy>,
) -> Result<Response, Failure> {
    let policies = &state.services.policy;
    let (document, version) = policies.document(person.organization_id()).await?;
    let text = document.to_commented_yaml();
    Ok(ok(&YamlPage::new(&person, text, version, DEFAULT_SESSIONS)))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<ReplacePolicy>,
    Posted(sent): Posted<Sent>,
) -> Result<Response, Failure> {
    let organization = person.organization_id();
    let (current, version) = state.services.policy.document(organization).await?;
    let changed = sent.version != version;
    let is_checked = sent.checked == fingerprint(&sent.text);
    if sent.deed == Wish::Apply && is_checked {
        return apply(&state, &person, sent).await;
    }
    let warning = match (sent.deed, changed) {
        (Wish::Apply, _) => Some(
            "Nothing was applied: this is not the text that was checked. Here is the check of the text as it is now.",
        ),
        (Wish::Check, true) => Some(
            "Somebody has changed the policy since you opened this page. The text is compared with the policy as it \
             is now: what the other change added and the text lacks would be removed.",
        ),
        (Wish::Check, false) => None,
    };
    let mut page = YamlPage::new(&person, sent.text, version, sent.last);
    page.warning = warning;
    let checked = check(
        &state,
        &person,
        (&current, version),
        (&page.text, sent.last),
    )
    .await?;
    let wrong = matches!(checked, Checked::Faults(..));
    page.checked = Some(checked);
    Ok(if wrong { again(&page) } else { ok(&page) })
}

async fn apply(
    state: &ConsoleState,
    person: &Person<ReplacePolicy>,
    sent: Sent,
) -> Result<Response, Failure> {
    let policies = &state.services.policy;
    let (act, organization) = (person.act(), person.organization_id());
    let document = match read(sent.text.clone()).await? {
        Ok(document) => document,
        Err(fault) => {
            let mut page = YamlPage::new(person, sent.text, sent.version, sent.last);
            page.checked = Some(Checked::unreadable(&page.text, &fault));
            return Ok(again(&page));
        }
    };
    let written = document.clone();
    let replaced = policies.replace(&act, organization, Some(sent.version), document);
    match replaced.await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?done=policy-applied")).into_response()),
        Err(EditError::Changed { current }) => {
            let mut page = YamlPage::new(person, sent.text, current, sent.last);
            page.warning = Some(
                "Nothing was applied: somebody has changed the policy since you checked. Your text is still here. \
                 Check it again to see how it differs from the policy as it is now.",
            );
            Ok(html(StatusCode::CONFLICT, &page))
        }
        Err(EditError::Invalid(CompileError::Faults(faults))) => {
            let mut page = YamlPage::new(person, sent.text, sent.version, sent.last);
            page.checked = Some(Checked::wrong(&page.text, &faults, &written));
            Ok(again(&page))
        }
        Err(error) => Err(edit(error, |_| None).into()),
    }
}

/// Reads, compiles, compares, and begins the simulation where something differs.
async fn check(
    state: &ConsoleState,
    person: &Person<ReplacePolicy>,
    (current, version): (&PolicyDocument, i64),
    (text, last): (&str, u32),
) -> Result<Checked, Failure> {
    let document = match read(text.to_owned()).await? {
        Ok(document) => document,
        Err(fault) => return Ok(Checked::unreadable(text, &fault)),
    };
    match policy::compile_aside(document.clone(), version).await {
        Ok(_) => {}
        Err(CompileError::Faults(faults)) => {
            return Ok(Checked::wrong(text, &faults, &document));
        }
        Err(error) => return Err(Failure::internal(&error)),
    }
    let diff = PolicyDiff::between(current, &document);
    let mut what_if = WhatIfView::default();
    if !diff.is_empty() {
        let authorizer = &state.services.authorizer;
        let person = authorizer.permit_person((***person).clone())?;
        let last = if LAST.contains(&last) {
            last
        } else {
            DEFAULT_SESSIONS
        };
        what_if = match what_if::start(state, person, document, last)? {
            Ok(id) => WhatIfView::running(id, last),
            Err(what_if::Busy) => WhatIfView::busy(),
        };
    }
    Ok(Checked::Fits(Fits::new(fingerprint(text), &diff, what_if)))
}

/// On a thread that may block: a long text takes its time.
async fn read(text: String) -> Result<Result<PolicyDocument, DocumentFault>, Failure> {
    let read = tokio::task::spawn_blocking(move || PolicyDocument::from_yaml(&text));
    read.await.map_err(|error| Failure::internal(&error))
}

fn fingerprint(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

impl YamlPage {
    fn new<M>(person: &Person<M>, text: String, version: i64, last: u32) -> Self {
        Self {
            frame: person.frame(Section::Policy, "Policy as YAML"),
            rows: text.lines().count().clamp(16, 40),
            too_large: text.len() > MAX_TEXT,
            text,
            version,
            last: LAST.iter().map(|it| (*it, *it == last)).collect(),
            may_write: person.may(Permission::PolicyWrite),
            warning: None,
            checked: None,
        }
    }
}

impl Checked {
    fn unreadable(text: &str, fault: &DocumentFault) -> Self {
        let (at, detail) = match fault {
            DocumentFault::Unreadable { at, path, detail } if path.is_empty() => {
                (Some(*at), format!("{detail}."))
            }
            DocumentFault::Unreadable { at, path, detail } => {
                (Some(*at), format!("`{path}`: {detail}."))
            }
            DocumentFault::Shorthand { at } | DocumentFault::TooMuch { at } => {
                (Some(*at), sentence(fault))
            }
            DocumentFault::NoValue { path } => {
                let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
                let found = positions_in_yaml(text, &[pointer]);
                (found.into_iter().flatten().next(), sentence(fault))
            }
            DocumentFault::TooLarge => (None, sentence(fault)),
        };
        Self::Faults(vec![FaultView::new(text, at, detail)], 0)
    }

    fn wrong(text: &str, faults: &[PolicyFault], document: &PolicyDocument) -> Self {
        let listed = &faults[..faults.len().min(MAX_LISTED)];
        let pointers: Vec<String> = listed
            .iter()
            .map(|fault| fault.pointer(document).unwrap_or_default())
            .collect();
        let positions = positions_in_yaml(text, &pointers);
        let views = listed.iter().zip(positions).zip(&pointers);
        let mut views: Vec<_> = views
            .map(|((fault, at), pointer)| {
                let at = at.filter(|_| !pointer.is_empty());
                FaultView::new(text, at, sentence(fault))
            })
            .collect();
        views.sort_by_key(|view| view.at.map_or((0, 0), |at| (at.line, at.column)));
        Self::Faults(views, faults.len() - listed.len())
    }
}

impl FaultView {
    fn new(text: &str, at: Option<Position>, detail: String) -> Self {
        let line = at.and_then(|at| usize::try_from(at.line).ok()?.checked_sub(1));
        let line = line.and_then(|line| text.lines().nth(line)).unwrap_or("");
        Self {
            at,
            excerpt: shortened(line.trim_end()),
            detail,
        }
    }
}

impl Fits {
    fn new(digest: String, diff: &PolicyDiff, what_if: WhatIfView) -> Self {
        let changes = diff.changes();
        let count = |is: fn(&Change) -> bool| changes.iter().filter(|it| is(it)).count();
        Self {
            digest,
            more: changes.len().saturating_sub(MAX_LISTED),
            counts: [
                count(|it| it.before.is_none()),
                count(|it| it.before.is_some() && it.after.is_some()),
                count(|it| it.after.is_none()),
            ],
            changes: changes
                .iter()
                .take(MAX_LISTED)
                .map(ChangeView::of)
                .collect(),
            what_if,
        }
    }
}

impl ChangeView {
    fn of(change: &Change) -> Self {
        let (sign, class, word) = match (&change.before, &change.after) {
            (None, _) => ("+", "added", "added"),
            (_, None) => ("−", "removed", "removed"),
            _ => ("~", "changed", "changed"),
        };
        Self {
            sign,
            class,
            word,
            path: change.path.clone(),
            before: change.before.as_ref().and_then(value_text),
            after: change.after.as_ref().and_then(value_text),
        }
    }
}

/// Of a part that says nothing but its name there is nothing to show.
fn value_text(value: &Value) -> Option<String> {
    let text = value.to_string();
    (text != "{}").then(|| shortened(&text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
