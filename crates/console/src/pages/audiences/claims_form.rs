//! The fields of the template editor, and back.

use std::collections::BTreeMap;

use http_api::problem::Problem;
use key_admin::Edit;
use policy::{GrantRequest, PolicyDocument, Position, Resource, positions_in_yaml};
use serde::Deserialize;
use serde_json::{Map, Value};
use token_issuer::audiences::{Audience, AudiencePatch, ClaimsPatch, SettingsPatch, TokenType};
use token_issuer::templates::{IssuerClaim, Preset, SubjectClaim};

use super::numbers::lines;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::typed;

const FIELDS: &[(&str, &str)] = &[
    ("/claims/template", "template"),
    ("/claims/registered", "registered"),
    ("/claims/key_id", "key_id"),
    ("/claims/superset_datasets", "datasets"),
];
/// Where the problems of a sample's request belong.
const SAMPLE_FIELDS: &[(&str, &str)] = &[
    ("/user/id", "sample_user"),
    ("/user/roles", "sample_roles"),
    ("/user/attributes", "sample_attributes"),
    ("/resources", "sample_resources"),
];

/// The form as it was sent, or as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClaimsForm {
    /// `own` or `template`.
    pub(super) shape: String,
    pub(super) template: String,
    /// `organization` or `given`.
    pub(super) issuer: String,
    pub(super) issuer_given: String,
    /// `user`, `user_uuid`, `given` or `omitted`.
    pub(super) subject: String,
    pub(super) subject_given: String,
    pub(super) client_id: bool,
    pub(super) not_before: bool,
    pub(super) typ: String,
    pub(super) key_id: String,
    pub(super) issuer_in_header: bool,
    /// `table = dataset` on each line.
    pub(super) datasets: String,
    pub(super) sample_user: String,
    pub(super) sample_roles: String,
    pub(super) sample_attributes: String,
    pub(super) sample_resources: String,
    /// `save`, or else a preview.
    #[serde(rename = "do")]
    pub(super) deed: String,
}

impl ClaimsForm {
    /// The audience as it is, and a sample that its policy is likely to grant.
    pub(super) fn of(audience: &Audience, document: &PolicyDocument) -> Self {
        let claims = &audience.settings.claims;
        let own = Preset::named("standard").map(Preset::template_json);
        let template = claims.template.as_ref().or(own.as_ref());
        let template = template.and_then(|it| serde_json::to_string_pretty(it).ok());
        let (issuer, issuer_given) = match &claims.registered.issuer {
            IssuerClaim::Organization => ("organization", String::new()),
            IssuerClaim::Given(given) => ("given", given.to_string()),
        };
        let (subject, subject_given) = match &claims.registered.subject {
            SubjectClaim::User => ("user", String::new()),
            SubjectClaim::UserUuid => ("user_uuid", String::new()),
            SubjectClaim::Given(given) => ("given", given.to_string()),
            SubjectClaim::Omitted => ("omitted", String::new()),
        };
        let datasets = claims.superset_datasets.iter().map(|(table, dataset)| {
            let dataset = dataset.map_or_else(|| "none".to_owned(), |it| it.to_string());
            format!("{table} = {dataset}")
        });
        let user = if subject == "user_uuid" {
            "8a1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
        } else {
            "user-42"
        };
        Self {
            shape: if claims.template.is_some() {
                "template"
            } else {
                "own"
            }
            .to_owned(),
            template: template.unwrap_or_default(),
            issuer: issuer.to_owned(),
            issuer_given,
            subject: subject.to_owned(),
            subject_given,
            client_id: claims.registered.client_id,
            not_before: claims.registered.not_before,
            typ: claims.typ.as_str().to_owned(),
            key_id: claims.key_id.clone().unwrap_or_default(),
            issuer_in_header: claims.issuer_in_header,
            datasets: datasets.collect::<Vec<_>>().join("\n"),
            sample_user: user.to_owned(),
            sample_roles: sample_role(document),
            sample_attributes: sample_attributes(document),
            sample_resources: String::new(),
            deed: String::new(),
        }
    }

    /// What the form changes about the audience.
    pub(super) fn patch(&self) -> Result<AudiencePatch, FormErrors> {
        let mut errors = FormErrors::default();
        let template = errors.take("template", self.template());
        let datasets = errors.take("datasets", self.datasets());
        if errors.any() {
            return Err(errors);
        }
        let given = |text: &str| text.trim().to_owned();
        let key_id = given(&self.key_id);
        Ok(AudiencePatch {
            settings: SettingsPatch {
                claims: ClaimsPatch {
                    template: template.map_or(Edit::Keep, Edit::Set),
                    issuer: Some(match self.issuer.as_str() {
                        "given" => IssuerClaim::Given(given(&self.issuer_given).into()),
                        _ => IssuerClaim::Organization,
                    }),
                    subject: Some(match self.subject.as_str() {
                        "given" => SubjectClaim::Given(given(&self.subject_given).into()),
                        "user_uuid" => SubjectClaim::UserUuid,
                        "omitted" => SubjectClaim::Omitted,
                        _ => SubjectClaim::User,
                    }),
                    client_id: Some(self.client_id),
                    not_before: Some(self.not_before),
                    typ: Some(if self.typ == TokenType::Jwt.as_str() {
                        TokenType::Jwt
                    } else {
                        TokenType::AccessToken
                    }),
                    key_id: Edit::Set((!key_id.is_empty()).then_some(key_id)),
                    issuer_in_header: Some(self.issuer_in_header),
                    superset_datasets: datasets,
                },
                ..SettingsPatch::default()
            },
            ..AudiencePatch::default()
        })
    }

    /// The request that the sample answers.
    pub(super) fn request(&self) -> Result<GrantRequest, FormErrors> {
        let mut errors = FormErrors::default();
        let attributes = match self.sample_attributes.trim() {
            "" => Ok(Map::new()),
            text => serde_json::from_str(text)
                .map_err(|error| format!("Write a JSON object of attributes: {error}.")),
        };
        let attributes = errors.take("sample_attributes", attributes);
        let resources = lines(&self.sample_resources).map(|line| match line.split_once('/') {
            Some((kind, id)) => Ok(Resource {
                kind: kind.to_owned(),
                id: id.to_owned(),
            }),
            None => Err(format!("{line}: write it as kind/id.")),
        });
        let resources = errors.take("sample_resources", resources.collect());
        let roles = self.sample_roles.split([' ', ',', '\n']);
        let request = attributes
            .zip(resources)
            .map(|(attributes, resources)| GrantRequest {
                subject: self.sample_user.clone(),
                roles: roles
                    .filter(|it| !it.is_empty())
                    .map(str::to_owned)
                    .collect(),
                attributes,
                audience: String::new(),
                ttl_seconds: None,
                resources,
            });
        request.ok_or(errors)
    }

    /// `None` for Jeton's own form.
    fn template(&self) -> Result<Option<Value>, String> {
        if self.shape != "template" {
            return Ok(None);
        }
        serde_json::from_str(&self.template)
            .map(Some)
            .map_err(|error| format!("This is no JSON: {error}."))
    }

    fn datasets(&self) -> Result<BTreeMap<String, Option<i64>>, String> {
        let said = lines(&self.datasets).map(|line| {
            let wrong = || format!("{line}: write it as table = number, or table = none.");
            let (table, dataset) = line.split_once('=').ok_or_else(wrong)?;
            let dataset = match dataset.trim() {
                "none" => None,
                number => Some(number.parse().map_err(|_| wrong())?),
            };
            Ok((table.trim().to_owned(), dataset))
        });
        said.collect()
    }

    /// What is wrong with the audience that the form makes, with lines for faults of the template.
    pub(super) fn errors(&self, problem: Problem) -> Result<FormErrors, Failure> {
        const TEMPLATE: &str = "/claims/template";
        let of_template = |it: &&http_api::problem::FieldProblem| it.pointer.starts_with(TEMPLATE);
        let faults: Vec<_> = problem
            .fields()
            .iter()
            .filter(of_template)
            .cloned()
            .collect();
        if faults.is_empty() {
            return FormErrors::of_problem(problem, FIELDS);
        }
        let mut others = problem.fields().to_vec();
        others.retain(|it| !of_template(&it));
        let mut errors = if others.is_empty() {
            FormErrors::default()
        } else {
            FormErrors::of_problem(problem.errors(others), FIELDS)?
        };
        let pointers: Vec<String> = faults
            .iter()
            .map(|it| it.pointer[TEMPLATE.len()..].to_owned())
            .collect();
        let positions = positions_in_yaml(&self.template, &pointers);
        for ((fault, at), pointer) in faults.iter().zip(positions).zip(&pointers) {
            errors = errors.and("template", placed(&fault.detail, at, pointer));
        }
        Ok(errors)
    }
}

/// What is wrong with a sample's request, beside its fields; the rest is told for all of it.
pub(super) fn sample_field(pointer: &str) -> Option<&'static str> {
    let found = SAMPLE_FIELDS.iter().find(|(place, _)| {
        let rest = pointer.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    found.map(|(_, field)| *field)
}

fn placed(detail: &str, at: Option<Position>, pointer: &str) -> String {
    match at.filter(|_| !pointer.is_empty()) {
        Some(at) => format!(
            "Line {}, column {} ({pointer}): {detail}",
            at.line, at.column
        ),
        None if pointer.is_empty() => detail.to_owned(),
        None => format!("{pointer}: {detail}"),
    }
}

/// The role that implies the least.
fn sample_role(document: &PolicyDocument) -> String {
    let roles = document.roles.iter();
    let role = roles.min_by_key(|role| {
        (
            role.audiences.is_some(),
            role.inherits.len(),
            role.required_attributes.len(),
            role.permissions.len(),
        )
    });
    role.map(|role| role.name.to_string()).unwrap_or_default()
}

/// A value for each attribute, as far as a guess can tell.
fn sample_attributes(document: &PolicyDocument) -> String {
    let guessed = document
        .attributes
        .iter()
        .filter(|it| it.required || it.pattern.is_none());
    let values: Map<String, Value> = guessed
        .take(20)
        .map(|it| (it.name.to_string(), typed::sample(it)))
        .collect();
    serde_json::to_string_pretty(&values).unwrap_or_default()
}
