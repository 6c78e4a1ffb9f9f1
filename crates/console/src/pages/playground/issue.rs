//! The one page that shows a token. It is not kept anywhere: who loses it issues another.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http_api::problem::Problem;
use key_admin::{Permission, SignedIn};
use policy::GrantRequest;
use policy::operations::markers::{ExplainPolicy, IssueSessionToken};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use token_issuer::checking::SignatureCheck;
use token_issuer::{Inspection, IssueRequest, IssuedToken, Origin, PlaygroundError};

use super::form::{Choices, PlaygroundForm};
use super::preview::refused;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::highlight::Highlighted;
use crate::page::{Frame, Section, html};
use crate::person::Person;
use crate::snippets::{self, Snippet};
use crate::state::ConsoleState;
use crate::when::Seconds;

/// What stands in code in place of a key that is not shown.
const KEY: &str = "YOUR_API_KEY";

#[derive(Template)]
#[template(path = "playground/issued.html")]
struct IssuedPage {
    frame: Frame,
    token: String,
    token_bytes: usize,
    subject: String,
    audience: String,
    key: String,
    session: String,
    may_see_sessions: bool,
    ends: String,
    lifetime: Seconds,
    header: Option<Highlighted>,
    claims: Highlighted,
    verified: Verified,
    snippets: Vec<Snippet>,
}

/// What checking the token that was just issued came to.
struct Verified {
    passes: bool,
    /// By which published key.
    kid: Option<String>,
    jwks: String,
    problems: Vec<String>,
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<ExplainPolicy>,
    issuing: Person<IssueSessionToken>,
    Posted(pairs): Posted<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let choices = Choices::of(&state, &person).await?;
    let form = PlaygroundForm::read(pairs)?;
    match issue(&state, &issuing, &form, &choices).await {
        Ok((request, issued)) => issued_page(&state, &issuing, &request, &issued).await,
        Err(errors) => refused(&state, &person, (form, choices), errors?).await,
    }
}

/// The inner error is the form's.
async fn issue(
    state: &ConsoleState,
    issuing: &Person<IssueSessionToken>,
    form: &PlaygroundForm,
    choices: &Choices,
) -> Result<(Value, IssuedToken), Result<FormErrors, Failure>> {
    let Some(key) = form.key().map_err(Ok)? else {
        let detail = "Choose the key that issues it. Without a key there is only the preview.";
        return Err(Ok(FormErrors::of("key", detail)));
    };
    let grant = form.request(choices).map_err(Ok)?;
    let body = body(&grant);
    let browser = issuing.browser();
    let origin = Origin {
        request_id: browser.request_id.clone().unwrap_or_default(),
        client: browser.address,
    };
    let request = IssueRequest { grant, origin };
    let issued = state.services.issue_for_person(issuing, key, request).await;
    issued
        .map(|issued| (body, issued))
        .map_err(|error| errors(error, choices))
}

fn errors(error: PlaygroundError, choices: &Choices) -> Result<FormErrors, Failure> {
    let of_key = !matches!(
        error,
        PlaygroundError::Issue(_) | PlaygroundError::Storage(_)
    );
    let problem = Problem::from(error);
    if of_key && problem.status().is_client_error() {
        let detail = match problem.status() {
            StatusCode::NOT_FOUND => "There is no such key.".to_owned(),
            _ => problem.body("").detail,
        };
        return Ok(FormErrors::of("key", detail));
    }
    let places = choices.places();
    let places: Vec<(&str, &str)> = places
        .iter()
        .map(|(pointer, field)| (pointer.as_str(), field.as_str()))
        .collect();
    FormErrors::of_problem(problem, &places)
}

async fn issued_page(
    state: &ConsoleState,
    person: &Person<IssueSessionToken>,
    request: &Value,
    issued: &IssuedToken,
) -> Result<Response, Failure> {
    let claims = issued.claims();
    let token = issued.token().expose_secret();
    let issuer = &state.services.issuer;
    let signed_in: &SignedIn = person;
    let inspection = issuer.inspect_token(signed_in, token).await?;
    let payload = claims
        .payload()
        .map_err(|error| Problem::internal(&error))?;
    let url = issuer.public_url().issuer(&person.organization().slug);
    let page = IssuedPage {
        frame: person.frame(Section::Playground, "Your session token"),
        token: token.to_owned(),
        token_bytes: token.len(),
        subject: claims.subject().to_owned(),
        audience: claims.audience_name().to_owned(),
        key: claims.api_key().to_string(),
        session: claims.session_id().to_string(),
        may_see_sessions: person.may(Permission::SessionsRead),
        ends: claims.expires_at().to_string(),
        lifetime: Seconds(claims.lifetime_seconds().unsigned_abs()),
        header: inspection
            .header
            .clone()
            .map(|header| Highlighted::new(&Value::Object(header))),
        claims: Highlighted::new(&Value::Object(payload)),
        verified: Verified::of(&inspection, format!("{url}/.well-known/jwks.json")),
        snippets: snippets::exchange(state.url(), KEY, request),
    };
    Ok(html(StatusCode::CREATED, &page))
}

impl Verified {
    fn of(inspection: &Inspection, jwks: String) -> Self {
        let kid = match &inspection.signature {
            SignatureCheck::Right(key) if key.is_public => Some(key.kid.clone()),
            _ => None,
        };
        let problems = inspection.problems.iter();
        Self {
            passes: inspection.passes(),
            kid,
            jwks,
            problems: problems.map(ToString::to_string).collect(),
        }
    }
}

/// The same request over the API.
fn body(request: &GrantRequest) -> Value {
    let mut body = json!({
        "user": { "id": request.subject, "roles": request.roles, "attributes": request.attributes },
        "audience": request.audience,
    });
    if request.attributes.is_empty()
        && let Some(user) = body["user"].as_object_mut()
    {
        user.remove("attributes");
    }
    if let Some(seconds) = request.ttl_seconds {
        body["ttl_seconds"] = seconds.into();
    }
    if !request.resources.is_empty() {
        body["resources"] = json!(request.resources);
    }
    body
}
