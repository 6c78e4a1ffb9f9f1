//! The token inspector. What is pasted is in the request alone: it is not stored, not logged, and not in the answer but
//! for what it decodes to.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use key_admin::ListedKey;
use policy::operations::markers::GetSession;
use serde::Deserialize;
use serde_json::Value;
use token_issuer::Inspection;
use token_issuer::checking::{PresentedKind, SignatureCheck};

use super::sessions::{KeyName, StateBadge};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::highlight::{Highlighted, Prose};
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// The longest text that is looked at, in bytes.
const MAX_BYTES: usize = 64 * 1024;

pub(crate) fn routes() -> Router<ConsoleState> {
    Router::new().route("/tokens", get(page).post(submit))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pasted {
    token: String,
}

#[derive(Template)]
#[template(path = "tokens/page.html")]
struct InspectorPage {
    frame: Frame,
    errors: FormErrors,
    found: Option<Found>,
}

/// What a text turned out to be.
struct Found {
    kind: &'static str,
    explanation: String,
    is_token: bool,
    passes: bool,
    problems: Vec<Prose>,
    signature: Option<SignatureView>,
    header: Option<Highlighted>,
    claims: Option<Highlighted>,
    times: Vec<(&'static str, When)>,
    session: Option<SessionView>,
}

struct SignatureView {
    text: &'static str,
    class: &'static str,
    detail: String,
}

struct SessionView {
    id: String,
    state: StateBadge,
    subject: String,
    audience: String,
    key: KeyName,
    issued: When,
    ends: When,
    request_id: String,
    client_address: String,
}

async fn page(person: Person<GetSession>) -> Response {
    ok(&shown(&person, FormErrors::default(), None))
}

async fn submit(
    State(state): State<ConsoleState>,
    person: Person<GetSession>,
    Posted(pasted): Posted<Pasted>,
) -> Result<Response, Failure> {
    let text = pasted.token.trim();
    if text.is_empty() || text.len() > MAX_BYTES {
        let errors = FormErrors::of("token", "Paste a token, of 64 KiB at most.");
        return Ok(again(&shown(&person, errors, None)));
    }
    let services = &state.services;
    let inspection = services.issuer.inspect_token(&person, text).await?;
    let key = match &inspection.session {
        Some(found) => {
            let key = found.session.api_key;
            services.keys.get_key(person.organization_id(), key).await?
        }
        None => None,
    };
    let found = Found::new(inspection, key.as_ref(), services.clock.now());
    Ok(ok(&shown(&person, FormErrors::default(), Some(found))))
}

fn shown(person: &Person<GetSession>, errors: FormErrors, found: Option<Found>) -> InspectorPage {
    InspectorPage {
        frame: person.frame(Section::Tokens, "Token inspector"),
        errors,
        found,
    }
}

impl Found {
    fn new(inspection: Inspection, key: Option<&ListedKey>, now: storage::Timestamp) -> Self {
        let (kind, explanation) = described(inspection.kind);
        let (is_token, passes) = (inspection.is_token(), inspection.passes());
        let json = |object| Highlighted::new(&Value::Object(object));
        let times = ["iat", "nbf", "exp"].into_iter().filter_map(|name| {
            let seconds = inspection.claims.as_ref()?.get(name)?.as_i64()?;
            let sensible = (0..253_402_300_800).contains(&seconds);
            let at = storage::Timestamp::from_unix_seconds(seconds);
            sensible.then(|| (name, When::new(at, now)))
        });
        let problems = inspection.problems.iter();
        let problems = problems.map(|problem| Prose::new(&problem.to_string()));
        Self {
            kind,
            explanation,
            is_token,
            passes,
            times: times.collect(),
            problems: problems.collect(),
            signature: SignatureView::of(&inspection.signature),
            session: inspection.session.map(|found| SessionView {
                id: found.session.id.to_string(),
                state: StateBadge::of(found.state),
                subject: found.session.subject,
                audience: found.audience,
                key: KeyName::of(found.session.api_key, key),
                issued: When::new(found.session.issued_at, now),
                ends: When::new(found.session.expires_at, now),
                request_id: found.session.request_id,
                client_address: found.session.client_address,
            }),
            header: inspection.header.map(json),
            claims: inspection.claims.map(json),
        }
    }
}

fn described(kind: PresentedKind) -> (&'static str, String) {
    match kind {
        PresentedKind::Signed => (
            "A signed token (JWS)",
            "Anybody can read what it says; the signature tells whether that is true.".into(),
        ),
        PresentedKind::Encrypted => (
            "An encrypted token (JWE)",
            "Only its audience can read what it says. It was looked for among the sessions.".into(),
        ),
        PresentedKind::Opaque => (
            "An opaque token",
            "It says nothing by itself. It was looked for among the sessions.".into(),
        ),
        PresentedKind::ApiKey(id) => {
            let whose = id.map_or_else(String::new, |id| format!(" Its public part is {id}."));
            let text = format!(
                "A key is for servers only, and this field is for tokens. It was not checked, and not kept. If it has \
                 been where others can read it, rotate or revoke it.{whose}"
            );
            ("An API key, not a token", text)
        }
        PresentedKind::Other => (
            "Not a token",
            "A token is three or five parts with dots between them, or begins with jts_.".into(),
        ),
    }
}

impl SignatureView {
    fn of(check: &SignatureCheck) -> Option<Self> {
        let (text, class, detail) = match check {
            SignatureCheck::NotChecked => return None,
            SignatureCheck::UnknownKey => (
                "not checked",
                "warn",
                "The token names no key of this organization.".to_owned(),
            ),
            SignatureCheck::Right(key) => (
                "right",
                "good",
                format!("By key {} of audience {}.", key.kid, key.audience),
            ),
            SignatureCheck::Wrong(key) => (
                "wrong",
                "bad",
                format!(
                    "Not by key {} of audience {}, which it names.",
                    key.kid, key.audience
                ),
            ),
        };
        Some(Self {
            text,
            class,
            detail,
        })
    }
}
