//! What tokens of an audience say: the template editor, with a sample that follows what is typed.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::problem::Problem;
use http_api::query::PathId;
use policy::operations::markers::UpdateAudience;
use serde_json::Value;
use storage::AudienceId;
use token_issuer::audiences::{Audience, AudienceError};
use token_issuer::explain::ExplainedReason;
use token_issuer::{Sample, SampleError};

use super::PATH;
use super::claims_form::{ClaimsForm, sample_field};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::highlight::Highlighted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

/// Fields whose errors a refreshed sample brings along.
const LIVE: [&str; 8] = [
    "template",
    "registered",
    "key_id",
    "datasets",
    "sample_user",
    "sample_roles",
    "sample_attributes",
    "sample_resources",
];

#[derive(Template)]
#[template(path = "audiences/claims.html")]
struct ClaimsPage {
    frame: Frame,
    id: String,
    name: String,
    rows: usize,
    form: ClaimsForm,
    errors: FormErrors,
    sample: SampleView,
}

/// What htmx puts into the page that is there.
#[derive(Template)]
#[template(path = "audiences/sample_fragment.html")]
struct Fragment {
    sample: SampleView,
    /// Each field, and what is wrong with it.
    errors: Vec<(&'static str, String)>,
}

/// The claims of the sample, or why there are none.
#[derive(Default)]
struct SampleView {
    claims: Option<ClaimsView>,
    reasons: Vec<ExplainedReason>,
    /// Something is wrong with the form: it is told beside the fields.
    wrong: bool,
    general: String,
}

struct ClaimsView {
    json: Highlighted,
    bytes: usize,
    token_bytes: usize,
    max_token_bytes: usize,
    too_long: bool,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<UpdateAudience>,
    PathId(id): PathId<AudienceId>,
) -> Result<Response, Failure> {
    let organization = person.organization_id();
    let audience = state.services.issuer.audience(organization, id).await?;
    let (document, _) = state.services.policy.document(organization).await?;
    let form = ClaimsForm::of(&audience, &document);
    let (sample, errors) = sampled(&state, &person, id, &form).await?;
    Ok(ok(&shown(&person, &audience, form, (sample, errors))))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<UpdateAudience>,
    PathId(id): PathId<AudienceId>,
    Posted(form): Posted<ClaimsForm>,
) -> Result<Response, Failure> {
    let (act, organization) = (person.act(), person.organization_id());
    let issuer = &state.services.issuer;
    let saves = form.deed == "save";
    if let (true, Ok(patch)) = (saves, form.patch()) {
        // What is wrong is found again below, with the sample.
        let updated = issuer.update_audience(&act, organization, id, patch).await;
        match updated {
            Ok(_) => {
                let to = format!("{PATH}/{id}?done=audience-changed");
                return Ok(Redirect::to(&to).into_response());
            }
            Err(AudienceError::Invalid(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let audience = issuer.audience(organization, id).await?;
    let (sample, errors) = sampled(&state, &person, id, &form).await?;
    let wrong = errors.any() && saves;
    let page = shown(&person, &audience, form, (sample, errors));
    Ok(if wrong { again(&page) } else { ok(&page) })
}

/// What the form comes to, while one types.
pub(super) async fn sample(
    State(state): State<ConsoleState>,
    person: Person<UpdateAudience>,
    PathId(id): PathId<AudienceId>,
    Posted(form): Posted<ClaimsForm>,
) -> Result<Response, Failure> {
    let (sample, errors) = sampled(&state, &person, id, &form).await?;
    let errors = LIVE.into_iter().map(|field| (field, errors.on(field)));
    Ok(ok(&Fragment {
        sample,
        errors: errors.collect(),
    }))
}

async fn sampled(
    state: &ConsoleState,
    person: &Person<UpdateAudience>,
    id: AudienceId,
    form: &ClaimsForm,
) -> Result<(SampleView, FormErrors), Failure> {
    let (patch, request) = match (form.patch(), form.request()) {
        (Ok(patch), Ok(request)) => (patch, request),
        (Err(errors), _) | (_, Err(errors)) => return Ok((SampleView::wrong(&errors), errors)),
    };
    let issuer = &state.services.issuer;
    match issuer.sample(&**person, id, patch, request).await {
        Ok(Sample::Claims(made)) => {
            let view = ClaimsView {
                json: Highlighted::new(&Value::Object(made.claims)),
                bytes: made.bytes,
                token_bytes: made.token_bytes,
                max_token_bytes: made.max_token_bytes,
                too_long: made.token_bytes > made.max_token_bytes,
            };
            let view = SampleView {
                claims: Some(view),
                ..SampleView::default()
            };
            Ok((view, FormErrors::default()))
        }
        Ok(Sample::Refused(reasons)) => Ok(refused(reasons)),
        Err(SampleError::Audience(error @ AudienceError::Invalid(_))) => {
            let errors = form.errors(Problem::from(error))?;
            Ok((SampleView::wrong(&errors), errors))
        }
        Err(error) => Err(error.into()),
    }
}

/// Reasons that belong to a field are told there, too. They are no fault of the audience: it can be saved.
fn refused(reasons: Vec<ExplainedReason>) -> (SampleView, FormErrors) {
    let mut errors = FormErrors::default();
    for reason in &reasons {
        if let Some(field) = sample_field(&reason.pointer) {
            errors = errors.and(field, reason.detail.clone());
        }
    }
    let view = SampleView {
        reasons,
        ..SampleView::default()
    };
    (view, errors)
}

fn shown(
    person: &Person<UpdateAudience>,
    audience: &Audience,
    form: ClaimsForm,
    (sample, errors): (SampleView, FormErrors),
) -> ClaimsPage {
    ClaimsPage {
        frame: person.frame(Section::Audiences, format!("Claims of {}", audience.name)),
        id: audience.id.to_string(),
        name: audience.name.to_string(),
        rows: form.template.lines().count().clamp(8, 30),
        form,
        errors,
        sample,
    }
}

impl SampleView {
    fn wrong(errors: &FormErrors) -> Self {
        Self {
            wrong: true,
            general: errors.general.clone().unwrap_or_default(),
            ..Self::default()
        }
    }
}
