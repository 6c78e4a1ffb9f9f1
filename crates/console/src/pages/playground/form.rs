//! A request for a token as a form holds it: a field for every attribute that the policy declares.

use std::collections::BTreeMap;

use http::StatusCode;
use http_api::problem::Problem;
use key_admin::api_keys::MAX_PAGE;
use key_admin::{ApiKeyId, KeyFilter, KeyState, Permission};
use policy::{AttributeDeclaration, GrantRequest, PolicyDocument, Resource, ValueType};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::field::FormErrors;
use crate::person::Person;
use crate::state::ConsoleState;
use crate::typed;
use crate::when::Seconds;

/// What stands before an attribute's name in the name of its field.
pub(super) const ATTRIBUTE: &str = "attribute-";
/// More roles than these are typed, not ticked.
const MAX_TICKED: usize = 100;
/// More values than these are typed, not chosen.
const MAX_CHOSEN: usize = 50;

/// Which field stands for which part of a request, attributes apart.
const FIELDS: &[(&str, &str)] = &[
    ("/user/id", "subject"),
    ("/user/roles", "role"),
    ("/audience", "audience"),
    ("/ttl_seconds", "ttl"),
    ("/resources", "resources"),
];

/// What there is to choose from.
pub(super) struct Choices {
    pub(super) keys: Vec<KeyChoice>,
    pub(super) roles: Vec<RoleChoice>,
    pub(super) audiences: Vec<AudienceChoice>,
    pub(super) attributes: Vec<AttributeDeclaration>,
}

pub(super) struct KeyChoice {
    pub(super) id: String,
    pub(super) label: String,
}

pub(super) struct RoleChoice {
    pub(super) name: String,
    pub(super) description: String,
}

pub(super) struct AudienceChoice {
    pub(super) name: String,
    /// How long its tokens live when nothing else is said, in words.
    pub(super) lifetime: String,
}

/// The form as it was sent, or as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct PlaygroundForm {
    /// Empty for none.
    pub(super) key: String,
    pub(super) subject: String,
    pub(super) roles: Vec<String>,
    pub(super) audience: String,
    pub(super) ttl: String,
    pub(super) resources: String,
    /// What was typed or chosen for each attribute.
    attributes: BTreeMap<String, Vec<String>>,
}

/// How the value of an attribute is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// A line of this kind of input.
    Line(&'static str),
    /// A value on each line.
    Lines,
    /// One of some.
    Choice,
    /// Some of some.
    Choices,
    /// Hidden while it is typed.
    Secret,
}

/// The field of one attribute.
pub(super) struct AttributeField {
    pub(super) field: String,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) required: bool,
    pub(super) control: Control,
    pub(super) value: String,
    /// What there is to choose from, and whether it is chosen.
    pub(super) options: Vec<(String, bool)>,
}

impl AttributeField {
    pub(super) fn is_choice(&self) -> bool {
        self.control == Control::Choice
    }

    pub(super) fn is_choices(&self) -> bool {
        self.control == Control::Choices
    }

    pub(super) fn is_lines(&self) -> bool {
        self.control == Control::Lines
    }

    pub(super) fn is_secret(&self) -> bool {
        self.control == Control::Secret
    }

    /// The `type` of an input.
    pub(super) fn kind(&self) -> &'static str {
        match self.control {
            Control::Line(kind) => kind,
            Control::Secret => "password",
            Control::Lines | Control::Choice | Control::Choices => "text",
        }
    }
}

impl Choices {
    pub(super) async fn of<M>(state: &ConsoleState, person: &Person<M>) -> Result<Self, Failure> {
        let services = &state.services;
        let organization = person.organization_id();
        let (document, _) = services.policy.document(organization).await?;
        let PolicyDocument {
            roles,
            mut attributes,
            ..
        } = document;
        attributes.sort_by_key(|declaration| !declaration.required);
        let audiences = services.issuer.audiences(organization).await?;
        Ok(Self {
            keys: keys(state, person).await?,
            roles: roles
                .into_iter()
                .map(|role| RoleChoice {
                    name: role.name.to_string(),
                    description: role.description,
                })
                .collect(),
            audiences: audiences
                .into_iter()
                .map(|audience| AudienceChoice {
                    name: audience.name.to_string(),
                    lifetime: Seconds(audience.limits.default_ttl_seconds.into()).to_string(),
                })
                .collect(),
            attributes,
        })
    }

    /// Which field stands for which part of a request.
    pub(super) fn places(&self) -> Vec<(String, String)> {
        let fixed = FIELDS.iter();
        let fixed = fixed.map(|(pointer, field)| ((*pointer).to_owned(), (*field).to_owned()));
        let attributes = self.attributes.iter().map(|declaration| {
            let name = &declaration.name;
            (
                format!("/user/attributes/{name}"),
                format!("{ATTRIBUTE}{name}"),
            )
        });
        fixed.chain(attributes).collect()
    }

    /// Every field that can have an error beside it.
    pub(super) fn fields(&self) -> Vec<String> {
        let fields = self.places().into_iter().map(|(_, field)| field);
        std::iter::once("key".to_owned()).chain(fields).collect()
    }

    /// Are there few enough roles to tick?
    pub(super) fn roles_are_ticked(&self) -> bool {
        self.roles.len() <= MAX_TICKED
    }
}

/// The keys that work and may issue; none for who may not see keys.
async fn keys<M>(state: &ConsoleState, person: &Person<M>) -> Result<Vec<KeyChoice>, Failure> {
    if !person.may(Permission::KeysRead) {
        return Ok(Vec::new());
    }
    let filter = KeyFilter {
        state: Some(KeyState::Active),
        ..KeyFilter::default()
    };
    let keys = &state.services.keys;
    let found = keys.list_keys(person.organization_id(), &filter, None, MAX_PAGE);
    let found = found.await?.into_iter();
    let issuing = found.filter(|it| it.key.permissions.contains(&Permission::TokensIssue));
    Ok(issuing
        .map(|listed| KeyChoice {
            id: listed.key.id.to_string(),
            label: format!(
                "{} · {} · {}",
                listed.key.name,
                listed.key.prefix(),
                listed.owner_name
            ),
        })
        .collect())
}

impl PlaygroundForm {
    /// A request to begin with.
    pub(super) fn fresh(choices: &Choices, key: String) -> Self {
        let first = choices.roles.iter().find(|role| role.name == "viewer");
        let first = first.or(choices.roles.first());
        let mut attributes = BTreeMap::new();
        for declaration in &choices.attributes {
            // A sensitive value is for the person to give.
            if declaration.required && !declaration.sensitive {
                let sample = typed::text(&typed::sample(declaration));
                attributes.insert(declaration.name.to_string(), vec![sample]);
            }
        }
        Self {
            key,
            subject: "user-42".into(),
            roles: first.map(|role| role.name.clone()).into_iter().collect(),
            audience: token_issuer::audiences::DEFAULT_AUDIENCE.into(),
            attributes,
            ..Self::default()
        }
    }

    /// Reads what a page of ours sent.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "key" => form.key = value,
                "subject" => form.subject = value,
                "role" => form.roles.extend(lines(&value)),
                "audience" => form.audience = value,
                "ttl" => form.ttl = value,
                "resources" => form.resources = value,
                name => {
                    let Some(name) = name.strip_prefix(ATTRIBUTE) else {
                        return Err(unknown_field());
                    };
                    let values = form.attributes.entry(name.to_owned()).or_default();
                    values.push(value);
                }
            }
        }
        Ok(form)
    }

    /// The key; `None` for none.
    pub(super) fn key(&self) -> Result<Option<ApiKeyId>, FormErrors> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let id = self.key.parse();
        id.map(Some)
            .map_err(|_| FormErrors::of("key", "There is no such key."))
    }

    /// The request that the form describes. What a value must be is for the policy to say.
    pub(super) fn request(&self, choices: &Choices) -> Result<GrantRequest, FormErrors> {
        let ttl_seconds =
            match self.ttl.trim() {
                "" => None,
                text => Some(text.parse().map_err(|_| {
                    FormErrors::of("ttl", "A lifetime is a whole number of seconds.")
                })?),
            };
        Ok(GrantRequest {
            subject: self.subject.clone(),
            roles: self.roles.clone(),
            attributes: self.values(choices),
            audience: self.audience.clone(),
            ttl_seconds,
            resources: self.resources()?,
        })
    }

    fn values(&self, choices: &Choices) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, texts) in &self.attributes {
            let mut declarations = choices.attributes.iter();
            let declaration = declarations.find(|it| it.name.as_str() == name);
            let value = match declaration {
                Some(declaration) => {
                    let texts = texts.iter().filter(|text| !text.is_empty());
                    let mut text = texts.cloned().collect::<Vec<_>>().join("\n");
                    if declaration.list && control(declaration) == Control::Secret {
                        text = text.replace(',', "\n");
                    }
                    typed::value(declaration, &text)
                }
                // It has been removed since the page was made: the policy refuses it.
                None => Some(texts.join("\n").into()),
            };
            if let Some(value) = value {
                values.insert(name.clone(), value);
            }
        }
        values
    }

    fn resources(&self) -> Result<Vec<Resource>, FormErrors> {
        lines(&self.resources)
            .map(|line| {
                let parts = line.split_once(['/', ':']);
                let (kind, id) = parts.ok_or_else(|| {
                    let detail = "A resource is its type, a slash and its id: dashboard/sales.";
                    FormErrors::of("resources", detail)
                })?;
                Ok(Resource {
                    kind: kind.to_owned(),
                    id: id.to_owned(),
                })
            })
            .collect()
    }

    /// Is this role requested?
    pub(super) fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role == name)
    }

    /// The fields of the attributes.
    pub(super) fn fields(&self, choices: &Choices) -> Vec<AttributeField> {
        let fields = choices.attributes.iter().map(|it| self.field(it));
        fields.collect()
    }

    fn field(&self, declaration: &AttributeDeclaration) -> AttributeField {
        let name = declaration.name.to_string();
        let texts = self.attributes.get(&name);
        let control = control(declaration);
        let allowed: Vec<String> = match (&declaration.allowed_values, declaration.value_type) {
            (Some(values), _) => values.iter().map(typed::text).collect(),
            (None, ValueType::Boolean) => vec!["true".into(), "false".into()],
            (None, _) => Vec::new(),
        };
        let has = |value: &String| {
            let mut texts = texts.into_iter().flatten().flat_map(|text| lines(text));
            texts.any(|text| text == *value)
        };
        AttributeField {
            field: format!("{ATTRIBUTE}{name}"),
            hint: hint(declaration),
            required: declaration.required,
            control,
            value: texts.map(|texts| texts.join("\n")).unwrap_or_default(),
            options: match control {
                Control::Choice | Control::Choices => {
                    let options = allowed.into_iter().map(|value| {
                        let chosen = has(&value);
                        (value, chosen)
                    });
                    options.collect()
                }
                _ => Vec::new(),
            },
            name,
        }
    }
}

fn control(declaration: &AttributeDeclaration) -> Control {
    if declaration.sensitive {
        return Control::Secret;
    }
    let allowed = declaration.allowed_values.as_ref().map_or(0, Vec::len);
    let is_boolean = declaration.value_type == ValueType::Boolean;
    let chosen = (1..=MAX_CHOSEN).contains(&allowed) || (is_boolean && !declaration.list);
    match (chosen, declaration.list) {
        (true, true) => Control::Choices,
        (true, false) => Control::Choice,
        (false, true) => Control::Lines,
        (false, false) => Control::Line(match declaration.value_type {
            ValueType::Date => "date",
            // Not "number": a browser would send nothing for what is none, and an empty value would be left out.
            _ => "text",
        }),
    }
}

/// What a value must be, in a few words.
fn hint(declaration: &AttributeDeclaration) -> String {
    let kind = match declaration.value_type {
        ValueType::String => "text",
        ValueType::Integer => "whole number",
        ValueType::Number => "number",
        ValueType::Boolean => "true or false",
        ValueType::Date => "date",
    };
    let mut hint = if declaration.list {
        match control(declaration) {
            Control::Choices => format!("A list: {kind}."),
            Control::Secret => format!("A list, with commas between its values: {kind}."),
            _ => format!("A list, one value on each line: {kind}."),
        }
    } else {
        format!("{}.", capitalized(kind))
    };
    if declaration.sensitive {
        hint.push_str(" Sensitive: kept from logs and lists.");
    }
    if !declaration.description.is_empty() {
        hint = format!("{} {hint}", declaration.description);
    }
    hint
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
}

fn lines(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(ToOwned::to_owned)
}

fn unknown_field() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unreadable_form",
        "The form is not as this console's pages send it.",
    )
}
