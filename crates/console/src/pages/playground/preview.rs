//! The page, and the decision as it stands: by a button, or while one types.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use http_api::query::Query;
use key_admin::Permission;
use policy::operations::markers::ExplainPolicy;
use policy::{Outcome, Step};
use serde::Deserialize;
use serde_json::Value;
use token_issuer::explain::{Explained, ExplainedReason, ExplainedRows};
use token_issuer::{ExplainError, explain};

use super::form::{AttributeField, Choices, PlaygroundForm};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::highlight::{Highlighted, Prose};
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::typed;
use crate::when::Seconds;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// The key to begin with.
    key: String,
}

#[derive(Template)]
#[template(path = "playground/page.html")]
pub(super) struct PlaygroundPage {
    frame: Frame,
    form: PlaygroundForm,
    choices: Choices,
    attributes: Vec<AttributeField>,
    errors: FormErrors,
    preview: Preview,
    may_issue: bool,
    may_edit_policy: bool,
}

/// What htmx puts into the page that is there.
#[derive(Template)]
#[template(path = "playground/fragment.html")]
struct Fragment {
    /// Each field, and what is wrong with it.
    errors: Vec<(String, String)>,
    preview: Preview,
}

/// A decision, for people.
#[derive(Default)]
pub(super) struct Preview {
    /// `None`: the form could not be read as a request.
    granted: Option<bool>,
    /// What stands against it.
    reasons: Vec<ReasonView>,
    steps: Vec<StepView>,
    roles: Vec<String>,
    scope: Vec<String>,
    lifetime: Option<Seconds>,
    claims: Option<ClaimsView>,
    rows: Option<Vec<RowsView>>,
    policy_version: i64,
}

struct ReasonView {
    code: &'static str,
    pointer: String,
    detail: Prose,
}

struct StepView {
    text: &'static str,
    class: &'static str,
    rule: String,
    detail: Prose,
}

struct ClaimsView {
    json: Highlighted,
    bytes: usize,
    token_bytes: usize,
    max_token_bytes: usize,
}

struct RowsView {
    table: String,
    sql: String,
    values: Vec<String>,
    none: bool,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ExplainPolicy>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let choices = Choices::of(&state, &person).await?;
    let form = PlaygroundForm::fresh(&choices, asked.key);
    let (preview, errors) = preview(&state, &person, &form, &choices).await?;
    Ok(ok(&shown(&person, (form, choices), preview, errors)))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<ExplainPolicy>,
    headers: HeaderMap,
    Posted(pairs): Posted<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let choices = Choices::of(&state, &person).await?;
    let form = PlaygroundForm::read(pairs)?;
    let (preview, errors) = preview(&state, &person, &form, &choices).await?;
    if headers.contains_key("hx-request") {
        let fields = choices.fields().into_iter();
        let errors = fields.map(|field| (field.clone(), errors.on(&field)));
        let errors = errors.collect();
        return Ok(ok(&Fragment { errors, preview }));
    }
    Ok(ok(&shown(&person, (form, choices), preview, errors)))
}

/// The form again, with why there is no token.
pub(super) async fn refused(
    state: &ConsoleState,
    person: &Person<ExplainPolicy>,
    (form, choices): (PlaygroundForm, Choices),
    errors: FormErrors,
) -> Result<Response, Failure> {
    let (preview, _) = preview(state, person, &form, &choices).await?;
    Ok(again(&shown(person, (form, choices), preview, errors)))
}

fn shown(
    person: &Person<ExplainPolicy>,
    (form, choices): (PlaygroundForm, Choices),
    preview: Preview,
    errors: FormErrors,
) -> PlaygroundPage {
    PlaygroundPage {
        frame: person.frame(Section::Playground, "Playground"),
        attributes: form.fields(&choices),
        form,
        choices,
        errors,
        preview,
        may_issue: person.may(Permission::TokensIssue),
        may_edit_policy: person.may(Permission::PolicyWrite),
    }
}

/// Decides as issuance would, and tells what is wrong beside the fields.
async fn preview(
    state: &ConsoleState,
    person: &Person<ExplainPolicy>,
    form: &PlaygroundForm,
    choices: &Choices,
) -> Result<(Preview, FormErrors), Failure> {
    let asked = form.key().and_then(|key| Ok((key, form.request(choices)?)));
    let (key, request) = match asked {
        Ok(asked) => asked,
        Err(errors) => return Ok((Preview::default(), errors)),
    };
    let issuer = &state.services.issuer;
    match issuer.explain(&**person, key, request).await {
        Ok(explained) => {
            let errors = errors(&explained.reasons, choices);
            Ok((Preview::of(explained), errors))
        }
        Err(ExplainError::NoSuchKey) => {
            let errors = FormErrors::of("key", "There is no such key.");
            Ok((Preview::default(), errors))
        }
        Err(error) => Err(error.into()),
    }
}

/// The reasons beside their fields. Those of no field stand in the preview.
fn errors(reasons: &[ExplainedReason], choices: &Choices) -> FormErrors {
    let places = choices.places();
    let mut errors = FormErrors::default();
    for reason in reasons {
        let place = places.iter().find(|(pointer, _)| {
            let rest = reason.pointer.strip_prefix(pointer.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if let Some((_, field)) = place {
            errors = errors.and(field, reason.detail.clone());
        }
    }
    errors
}

impl Preview {
    fn of(explained: Explained) -> Self {
        let granted = explained.is_granted();
        let effective = explained.effective;
        let (roles, scope, ttl) = effective.map_or_else(Default::default, |effective| {
            (effective.roles, effective.scope, effective.ttl_seconds)
        });
        Self {
            granted: Some(granted),
            reasons: explained.reasons.into_iter().map(ReasonView::of).collect(),
            steps: explained.steps.into_iter().map(StepView::of).collect(),
            roles,
            scope,
            lifetime: ttl.map(|seconds| Seconds(seconds.into())),
            claims: explained.claims.map(ClaimsView::of),
            rows: explained
                .rows
                .map(|rows| rows.into_iter().map(RowsView::of).collect()),
            policy_version: explained.policy_version,
        }
    }
}

impl ReasonView {
    fn of(reason: ExplainedReason) -> Self {
        Self {
            code: reason.code,
            pointer: reason.pointer,
            detail: Prose::new(&reason.detail),
        }
    }
}

impl StepView {
    fn of(step: Step) -> Self {
        let (text, class) = match step.outcome {
            Outcome::Allowed => ("allowed", "good"),
            Outcome::Refused => ("refused", "bad"),
            Outcome::Added => ("added", "warn"),
            Outcome::Narrowed => ("narrowed", "warn"),
        };
        Self {
            text,
            class,
            rule: step.rule,
            detail: Prose::new(&step.detail),
        }
    }
}

impl ClaimsView {
    fn of(claims: explain::ExplainedClaims) -> Self {
        Self {
            json: Highlighted::new(&Value::Object(claims.claims)),
            bytes: claims.bytes,
            token_bytes: claims.token_bytes,
            max_token_bytes: claims.max_token_bytes,
        }
    }
}

impl RowsView {
    fn of(rows: ExplainedRows) -> Self {
        let ExplainedRows { table, filter } = rows;
        let table = match &table.schema {
            Some(schema) => format!("{schema}.{}", table.table),
            None => table.table.to_string(),
        };
        let values = filter.binds.iter().enumerate().map(|(index, value)| {
            let value = serde_json::to_value(value).unwrap_or_default();
            format!("${} = {}", index + 1, typed::text(&value))
        });
        Self {
            none: filter.shows_nothing(),
            values: values.collect(),
            sql: filter.sql,
            table,
        }
    }
}
