//! One attribute.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::errors::sentence;
use http_api::middleware::not_found;
use http_api::query::PathId;
use policy::operations::markers::{
    CreateAttribute, DeleteAttribute, GetAttribute, ReplaceAttribute,
};
use policy::{
    AttributeDeclaration, AttributeName, DEFAULT_MAX_LENGTH, MAX_ITEMS, Normalization, PartChange,
    PartName, PolicyPart, RoleName, ValueType,
};
use serde::Deserialize;
use serde_json::Value;

use super::part::{FormContext, Refused, Removal, Ticks, entries, names, put, save, whole};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::typed;

const FIELDS: &[(&str, &str)] = &[
    ("/name", "name"),
    ("/description", "description"),
    ("/type", "value_type"),
    ("/normalize", "normalize"),
    ("/requires", "requires"),
    ("/from_role", "from_role"),
    ("/allowed_values", "allowed_values"),
    ("/pattern", "pattern"),
    ("/max_length", "max_length"),
    ("/max_items", "max_items"),
];

/// The types, as fields and the API call them.
const TYPES: [(&str, ValueType); 5] = [
    ("string", ValueType::String),
    ("integer", ValueType::Integer),
    ("number", ValueType::Number),
    ("boolean", ValueType::Boolean),
    ("date", ValueType::Date),
];

/// What is done to texts first.
const NORMALIZATIONS: [(&str, Normalization, &str); 3] = [
    ("trim", Normalization::Trim, "White space at both ends goes"),
    (
        "case_fold",
        Normalization::CaseFold,
        "Letters become lower case",
    ),
    (
        "uuid",
        Normalization::Uuid,
        "A UUID is written in its usual form; anything else is refused",
    ),
];

/// The form as it was sent, or as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AttributeForm {
    version: i64,
    name: String,
    description: String,
    value_type: String,
    list: bool,
    required: bool,
    sensitive: bool,
    normalize: Vec<String>,
    requires: Vec<String>,
    /// `role = value` on each line.
    from_role: String,
    allowed_values: String,
    pattern: String,
    max_length: String,
    max_items: String,
}

#[derive(Template)]
#[template(path = "policy/attribute.html")]
struct AttributePage {
    frame: Frame,
    context: FormContext,
    form: AttributeForm,
    types: Vec<&'static str>,
    normalizations: Vec<(&'static str, &'static str, bool)>,
    requires: Ticks,
}

pub(super) async fn fresh(
    State(state): State<ConsoleState>,
    person: Person<CreateAttribute>,
) -> Result<Response, Failure> {
    Ok(ok(
        &shown(&state, &person, None, AttributeForm::default()).await?
    ))
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetAttribute>,
    PathId(name): PathId<AttributeName>,
) -> Result<Response, Failure> {
    let form = stored(&state, &person, &name).await?;
    Ok(ok(&shown(&state, &person, Some(&name), form).await?))
}

pub(super) async fn create(
    State(state): State<ConsoleState>,
    person: Person<CreateAttribute>,
    Posted(form): Posted<AttributeForm>,
) -> Result<Response, Failure> {
    let refused = match form.attribute() {
        Ok(attribute) => {
            let change = put(PolicyPart::Attribute(attribute), true);
            match save(&state, &person, form.version, change, FIELDS).await? {
                Ok(done) => return Ok(done),
                Err(refused) => refused,
            }
        }
        Err(errors) => errors.into(),
    };
    answer(&state, &person, None, (form, refused)).await
}

pub(super) async fn update(
    State(state): State<ConsoleState>,
    person: Person<ReplaceAttribute>,
    PathId(name): PathId<AttributeName>,
    Posted(mut form): Posted<AttributeForm>,
) -> Result<Response, Failure> {
    form.name = name.to_string();
    let refused = match form.attribute() {
        Ok(attribute) => {
            let change = put(PolicyPart::Attribute(attribute), false);
            match save(&state, &person, form.version, change, FIELDS).await? {
                Ok(done) => return Ok(done),
                Err(refused) => refused,
            }
        }
        Err(errors) => errors.into(),
    };
    answer(&state, &person, Some(&name), (form, refused)).await
}

pub(super) async fn delete(
    State(state): State<ConsoleState>,
    person: Person<DeleteAttribute>,
    PathId(name): PathId<AttributeName>,
    Posted(removal): Posted<Removal>,
) -> Result<Response, Failure> {
    let form = stored(&state, &person, &name).await?;
    let change = PartChange::Delete(PartName::Attribute(name.clone()));
    match save(&state, &person, removal.version, change, FIELDS).await? {
        Ok(done) => Ok(done),
        Err(refused) => answer(&state, &person, Some(&name), (form, refused)).await,
    }
}

async fn stored<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: &AttributeName,
) -> Result<AttributeForm, Failure> {
    let policies = &state.services.policy;
    let found = policies
        .get_attribute(person.organization_id(), name)
        .await?;
    Ok(AttributeForm::of(&found.ok_or_else(not_found)?))
}

/// The form again, with what is wrong with it.
async fn answer<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: Option<&AttributeName>,
    (form, refused): (AttributeForm, Refused),
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
    name: Option<&AttributeName>,
    form: AttributeForm,
) -> Result<AttributePage, Failure> {
    let organization = person.organization_id();
    let (document, version) = state.services.policy.document(organization).await?;
    let others = document.attributes.iter().map(|it| it.name.to_string());
    let others = others.filter(|other| name.is_none_or(|name| name.as_str() != *other));
    let title = name.map_or_else(
        || "Declare an attribute".to_owned(),
        |name| format!("Attribute {name}"),
    );
    let normalizations = NORMALIZATIONS.iter().map(|(name, _, meaning)| {
        let chosen = form.normalize.iter().any(|it| it == name);
        (*name, *meaning, chosen)
    });
    Ok(AttributePage {
        frame: person.frame(Section::Policy, title),
        context: FormContext::new(person, version, name.map(ToString::to_string)),
        types: TYPES.iter().map(|(name, _)| *name).collect(),
        normalizations: normalizations.collect(),
        requires: Ticks::new(
            (
                "requires",
                "Goes with",
                "A token with this attribute must carry these as well.",
            ),
            others,
            &form.requires,
        ),
        form,
    })
}

impl AttributeForm {
    fn of(attribute: &AttributeDeclaration) -> Self {
        let named = TYPES.iter().find(|(_, it)| *it == attribute.value_type);
        let chosen = NORMALIZATIONS.iter();
        let chosen = chosen.filter(|(_, it, _)| attribute.normalize.contains(it));
        let allowed = attribute.allowed_values.clone().unwrap_or_default();
        let from_role: Vec<_> = attribute
            .from_role
            .iter()
            .map(|(role, value)| format!("{role} = {}", typed::text(value).replace('\n', ", ")))
            .collect();
        let unless = |value: u32, usual: u32| {
            let said = (value != usual).then_some(value);
            super::part::number(said)
        };
        Self {
            version: 0,
            name: attribute.name.to_string(),
            description: attribute.description.clone(),
            value_type: named.map_or("", |(name, _)| name).to_owned(),
            list: attribute.list,
            required: attribute.required,
            sensitive: attribute.sensitive,
            normalize: chosen.map(|(name, ..)| (*name).to_owned()).collect(),
            requires: attribute.requires.iter().map(ToString::to_string).collect(),
            from_role: from_role.join("\n"),
            allowed_values: typed::text(&Value::Array(allowed)),
            pattern: attribute.pattern.clone().unwrap_or_default(),
            max_length: unless(attribute.max_length, DEFAULT_MAX_LENGTH),
            max_items: unless(attribute.max_items, MAX_ITEMS),
        }
    }

    /// The declaration; what the policy as a whole says of it comes later.
    fn attribute(&self) -> Result<AttributeDeclaration, FormErrors> {
        let mut errors = FormErrors::default();
        let name = AttributeName::parse(self.name.trim());
        let name = errors.take("name", name.map_err(|error| sentence(&error)));
        let value_type = TYPES.iter().find(|(name, _)| *name == self.value_type);
        let value_type = value_type.ok_or_else(|| "Choose the type of its values.".to_owned());
        let value_type = errors.take("value_type", value_type.map(|(_, it)| *it));
        let requires = errors.take("requires", names(&self.requires, AttributeName::parse));
        let max_length = errors.take("max_length", whole(&self.max_length));
        let max_items = errors.take("max_items", whole(&self.max_items));
        let chosen = NORMALIZATIONS.iter();
        let chosen = chosen.filter(|(name, ..)| self.normalize.iter().any(|it| it == name));
        let bare = (|| {
            Some(AttributeDeclaration {
                name: name?,
                value_type: value_type?,
                list: self.list,
                required: self.required,
                sensitive: self.sensitive,
                normalize: chosen.map(|(_, it, _)| *it).collect(),
                requires: requires?,
                from_role: BTreeMap::new(),
                allowed_values: None,
                pattern: (!self.pattern.is_empty()).then(|| self.pattern.clone()),
                max_length: max_length?.unwrap_or(DEFAULT_MAX_LENGTH),
                max_items: max_items?.unwrap_or(MAX_ITEMS),
                description: self.description.trim().to_owned(),
            })
        })();
        let Some(mut whole) = bare else {
            return Err(errors);
        };
        let allowed = typed::items(&whole, &self.allowed_values);
        whole.allowed_values = (!allowed.is_empty()).then_some(allowed);
        if let Some(from_role) = errors.take("from_role", self.from_role(&whole)) {
            whole.from_role = from_role;
        }
        if errors.is_empty() {
            Ok(whole)
        } else {
            Err(errors)
        }
    }

    fn from_role(
        &self,
        declaration: &AttributeDeclaration,
    ) -> Result<BTreeMap<RoleName, Value>, String> {
        let fields = [self.from_role.clone()];
        let mut values = BTreeMap::new();
        for line in entries(&fields) {
            let Some((role, text)) = line.split_once('=') else {
                return Err(format!("`{line}`: write it as `role = value`."));
            };
            let role =
                RoleName::parse(role.trim()).map_err(|error| format!("`{line}`: {error}."))?;
            let text = text.trim();
            let text = if declaration.list {
                let items: Vec<_> = text.split(',').map(str::trim).collect();
                items.join("\n")
            } else {
                text.to_owned()
            };
            let value = typed::value(declaration, &text);
            let value = value.ok_or_else(|| format!("`{line}`: there is no value."))?;
            if values.insert(role.clone(), value).is_some() {
                return Err(format!("`{role}` is there twice."));
            }
        }
        Ok(values)
    }
}
