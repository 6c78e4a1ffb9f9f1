//! One row rule.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::errors::sentence;
use http_api::middleware::not_found;
use http_api::query::PathId;
use policy::operations::markers::{GetPolicy, ReplacePolicy};
use policy::{Condition, Identifier, PartChange, PartName, PolicyPart, RoleName, RowRule};
use serde::Deserialize;

use super::part::{FormContext, Refused, Removal, Ticks, names, put, save};
use super::words::{OPERATORS, TestRow, VALUE, condition, rows};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

const FIELDS: &[(&str, &str)] = &[
    ("/name", "name"),
    ("/schema", "schema"),
    ("/table", "table"),
    ("/roles", "role"),
    ("/where", "where"),
];
/// Rows of the form that wait to be filled in.
const BLANK: usize = 2;

/// The form as it was sent, or as it is shown. Each test has one entry in each of the four lists, in the same order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RowRuleForm {
    version: i64,
    name: String,
    schema: String,
    table: String,
    role: Vec<String>,
    /// `all` or `any`.
    combine: String,
    column: Vec<String>,
    operator: Vec<String>,
    source: Vec<String>,
    value: Vec<String>,
    /// A condition with groups within groups, as JSON.
    json: Option<String>,
    /// Shall there be more rows to fill in? Then nothing is saved.
    more: bool,
}

#[derive(Template)]
#[template(path = "policy/row_rule.html")]
struct RowRulePage {
    frame: Frame,
    context: FormContext,
    form: RowRuleForm,
    roles: Ticks,
    tests: Vec<TestRow>,
    operators: Vec<(&'static str, &'static str)>,
    attributes: Vec<String>,
}

pub(super) async fn fresh(
    State(state): State<ConsoleState>,
    person: Person<ReplacePolicy>,
) -> Result<Response, Failure> {
    Ok(ok(
        &shown(&state, &person, None, RowRuleForm::default()).await?
    ))
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetPolicy>,
    PathId(name): PathId<Identifier>,
) -> Result<Response, Failure> {
    let form = stored(&state, &person, &name).await?;
    Ok(ok(&shown(&state, &person, Some(&name), form).await?))
}

pub(super) async fn create(
    State(state): State<ConsoleState>,
    person: Person<ReplacePolicy>,
    Posted(form): Posted<RowRuleForm>,
) -> Result<Response, Failure> {
    submit(&state, &person, None, form).await
}

pub(super) async fn update(
    State(state): State<ConsoleState>,
    person: Person<ReplacePolicy>,
    PathId(name): PathId<Identifier>,
    Posted(mut form): Posted<RowRuleForm>,
) -> Result<Response, Failure> {
    form.name = name.to_string();
    submit(&state, &person, Some(&name), form).await
}

pub(super) async fn delete(
    State(state): State<ConsoleState>,
    person: Person<ReplacePolicy>,
    PathId(name): PathId<Identifier>,
    Posted(removal): Posted<Removal>,
) -> Result<Response, Failure> {
    let form = stored(&state, &person, &name).await?;
    let change = PartChange::Delete(PartName::RowRule(name.clone()));
    match save(&state, &person, removal.version, change, FIELDS).await? {
        Ok(done) => Ok(done),
        Err(refused) => answer(&state, &person, Some(&name), (form, refused)).await,
    }
}

async fn submit(
    state: &ConsoleState,
    person: &Person<ReplacePolicy>,
    name: Option<&Identifier>,
    form: RowRuleForm,
) -> Result<Response, Failure> {
    if form.more {
        let version = form.version;
        let mut page = shown(state, person, name, form).await?;
        page.context.version = version;
        return Ok(ok(&page));
    }
    let refused = match form.rule() {
        Ok(rule) => {
            let change = put(PolicyPart::RowRule(rule), name.is_none());
            match save(state, person, form.version, change, FIELDS).await? {
                Ok(done) => return Ok(done),
                Err(refused) => refused,
            }
        }
        Err(errors) => errors.into(),
    };
    answer(state, person, name, (form, refused)).await
}

async fn stored<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: &Identifier,
) -> Result<RowRuleForm, Failure> {
    let policies = &state.services.policy;
    let (document, _) = policies.document(person.organization_id()).await?;
    let mut rules = document.row_rules.iter();
    let rule = rules.find(|rule| rule.name == *name);
    Ok(RowRuleForm::of(rule.ok_or_else(not_found)?))
}

/// The form again, with what is wrong with it.
async fn answer<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: Option<&Identifier>,
    (form, refused): (RowRuleForm, Refused),
) -> Result<Response, Failure> {
    let version = form.version;
    let mut page = shown(state, person, name, form).await?;
    page.context.version = version;
    page.context.refused(refused);
    Ok(again(&page))
}

async fn shown<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: Option<&Identifier>,
    form: RowRuleForm,
) -> Result<RowRulePage, Failure> {
    let organization = person.organization_id();
    let (document, version) = state.services.policy.document(organization).await?;
    let title = name.map_or_else(
        || "Declare a row rule".to_owned(),
        |name| format!("Row rule {name}"),
    );
    let mut tests = form.tests();
    let more = if form.more { BLANK + 1 } else { BLANK };
    let new = TestRow {
        source: VALUE.to_owned(),
        ..TestRow::default()
    };
    let blank = if tests.is_empty() { more + 1 } else { more };
    tests.extend(std::iter::repeat_n(new, blank));
    let operators = OPERATORS.iter().map(|(name, _, said)| (*name, *said));
    Ok(RowRulePage {
        frame: person.frame(Section::Policy, title),
        context: FormContext::new(person, version, name.map(ToString::to_string)),
        roles: Ticks::new(
            (
                "role",
                "For tokens with",
                "One of these roles, or one that inherits one of them.",
            ),
            document.roles.iter().map(|role| role.name.to_string()),
            &form.role,
        ),
        tests,
        operators: operators.collect(),
        attributes: document
            .attributes
            .iter()
            .map(|it| it.name.to_string())
            .collect(),
        form,
    })
}

impl RowRuleForm {
    fn of(rule: &RowRule) -> Self {
        let mut form = Self {
            name: rule.name.to_string(),
            schema: rule.schema.clone().unwrap_or_default(),
            table: rule.table.clone(),
            role: rule.roles.iter().map(ToString::to_string).collect(),
            ..Self::default()
        };
        match rows(&rule.condition) {
            Some((rows, all)) => {
                form.combine = if all { "all" } else { "any" }.to_owned();
                for row in rows {
                    form.column.push(row.column);
                    form.operator.push(row.operator);
                    form.source.push(row.source);
                    form.value.push(row.value);
                }
            }
            None => form.json = serde_json::to_string_pretty(&rule.condition).ok(),
        }
        form
    }

    /// The rows that say something.
    fn tests(&self) -> Vec<TestRow> {
        let at = |list: &[String], index: usize| list.get(index).cloned().unwrap_or_default();
        let rows = (0..self.column.len()).map(|index| TestRow {
            column: at(&self.column, index),
            operator: at(&self.operator, index),
            source: at(&self.source, index),
            value: at(&self.value, index),
        });
        rows.filter(|row| !row.column.trim().is_empty() || !row.value.trim().is_empty())
            .collect()
    }

    fn rule(&self) -> Result<RowRule, FormErrors> {
        let mut errors = FormErrors::default();
        let name = Identifier::parse(self.name.trim());
        let name = errors.take("name", name.map_err(|error| sentence(&error)));
        let roles: Option<BTreeSet<RoleName>> =
            errors.take("role", names(&self.role, RoleName::parse));
        let condition = errors.take("where", self.condition());
        let schema = self.schema.trim();
        let whole = (|| {
            Some(RowRule {
                name: name?,
                schema: (!schema.is_empty()).then(|| schema.to_owned()),
                table: self.table.trim().to_owned(),
                roles: roles?,
                condition: condition?,
            })
        })();
        whole.filter(|_| errors.is_empty()).ok_or(errors)
    }

    fn condition(&self) -> Result<Condition, String> {
        match &self.json {
            Some(json) => serde_json::from_str(json).map_err(|error| format!("{error}.")),
            None => condition(&self.tests(), self.combine != "any"),
        }
    }
}
