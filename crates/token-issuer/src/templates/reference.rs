//! What a template can name, and its value in a token.

use std::borrow::Cow;

use policy::{AttributeName, AttributeValue, Identifier, Resource, Scalar};
use serde_json::{Map, Value};

use super::context::{SupersetRule, TemplateContext};
use super::faults::{Problem, TemplateError};
use super::filter::Filter;

/// A compiled `{{ … }}`.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// As it was written, without `?` and filters: for refusals.
    pub(super) name: Box<str>,
    pub(super) source: Source,
    pub(super) optional: bool,
    pub(super) filters: Vec<Filter>,
    /// What it yields, as far as that is known without a token.
    pub(super) shape: Shape,
}

/// What is known of a value before there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Integer,
    /// A list of texts.
    List,
    /// Objects, or lists of them.
    Structure,
    /// A scalar or a list of scalars, as the policy declares it.
    Attribute,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    UserId,
    /// The token's only role.
    Role,
    /// The role that the request named first.
    FirstRole,
    Roles,
    Attributes,
    Attribute(AttributeName),
    Resources,
    /// The identifier of the token's only resource, when it is of this kind.
    Resource(Identifier),
    Scope,
    SessionId,
    Audience,
    OrganizationId,
    OrganizationSlug,
    ClientId,
    IssuedAt,
    ExpiresAt,
    SupersetRules,
}

/// A value on its way into the claims.
#[derive(Debug)]
pub(super) enum Resolved<'a> {
    Scalar(Item<'a>),
    List(Vec<Item<'a>>),
    Structure(Value),
}

/// A scalar.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Text(Cow<'a, str>),
    /// A number or a truth value.
    Plain(Value),
}

impl Source {
    pub(super) fn parse(name: &str) -> Result<(Self, Shape), Problem> {
        if let Some(attribute) = name.strip_prefix("attributes.") {
            let attribute = AttributeName::parse(attribute).map_err(|reason| bad(name, reason))?;
            return Ok((Self::Attribute(attribute), Shape::Attribute));
        }
        if let Some(kind) = name.strip_prefix("resource.") {
            let kind = Identifier::parse(kind).map_err(|reason| bad(name, reason))?;
            return Ok((Self::Resource(kind), Shape::Text));
        }
        Ok(match name {
            "user.id" => (Self::UserId, Shape::Text),
            "role" => (Self::Role, Shape::Text),
            "roles.first" => (Self::FirstRole, Shape::Text),
            "roles" => (Self::Roles, Shape::List),
            "attributes" => (Self::Attributes, Shape::Structure),
            "resources" => (Self::Resources, Shape::Structure),
            "scope" => (Self::Scope, Shape::Text),
            "session.id" => (Self::SessionId, Shape::Text),
            "audience" => (Self::Audience, Shape::Text),
            "organization.id" => (Self::OrganizationId, Shape::Text),
            "organization.slug" => (Self::OrganizationSlug, Shape::Text),
            "client_id" => (Self::ClientId, Shape::Text),
            "issued_at" => (Self::IssuedAt, Shape::Integer),
            "expires_at" => (Self::ExpiresAt, Shape::Integer),
            "row_filters.superset" => (Self::SupersetRules, Shape::Structure),
            "" => return Err(Problem::Syntax),
            _ => {
                return Err(Problem::UnknownReference {
                    reference: name.to_owned(),
                });
            }
        })
    }
}

fn bad(reference: &str, reason: policy::NameError) -> Problem {
    Problem::Name {
        reference: reference.to_owned(),
        reason,
    }
}

impl Reference {
    /// The value in this token, through the filters. `None`: it is missing, and may be.
    pub(super) fn resolve<'a>(
        &self,
        context: &TemplateContext<'a>,
    ) -> Result<Option<Resolved<'a>>, TemplateError> {
        let Some(mut value) = self.look_up(context)? else {
            return if self.optional {
                Ok(None)
            } else {
                Err(TemplateError::Missing {
                    reference: self.name.to_string(),
                })
            };
        };
        for filter in &self.filters {
            value = filter
                .apply(value, context.hash_key)
                .ok_or_else(|| TemplateError::Filter {
                    reference: self.name.to_string(),
                    filter: filter.name(),
                })?;
        }
        Ok(Some(value))
    }

    fn look_up<'a>(
        &self,
        context: &TemplateContext<'a>,
    ) -> Result<Option<Resolved<'a>>, TemplateError> {
        let text = |text: &'a str| Some(Resolved::text(text));
        Ok(match &self.source {
            Source::UserId => text(context.user_id),
            Source::Role => self
                .only(context.roles)?
                .map(|role| Resolved::text(role.as_str())),
            Source::FirstRole => context
                .roles
                .first()
                .map(|role| Resolved::text(role.as_str())),
            Source::Roles => list(context.roles.iter().map(policy::RoleName::as_str)),
            Source::Attributes => Some(Resolved::Structure(all_attributes(context))),
            Source::Attribute(name) => context.attributes.get(name.as_str()).map(attribute),
            Source::Resources => resources(context.resources),
            Source::Resource(kind) => self
                .only(context.resources)?
                .filter(|resource| resource.kind == kind.as_str())
                .map(|resource| Resolved::text(&resource.id)),
            Source::Scope => {
                (!context.scope.is_empty()).then(|| Resolved::owned(context.scope.join(" ")))
            }
            Source::SessionId => Some(Resolved::owned(context.session_id.to_string())),
            Source::Audience => text(context.audience),
            Source::OrganizationId => Some(Resolved::owned(context.organization_id.to_string())),
            Source::OrganizationSlug => text(context.organization_slug),
            Source::ClientId => Some(Resolved::owned(context.client_id.to_string())),
            Source::IssuedAt => Some(Resolved::integer(context.issued_at)),
            Source::ExpiresAt => Some(Resolved::integer(context.expires_at)),
            Source::SupersetRules => context.superset_rules.and_then(superset_rules),
        })
    }

    fn only<'a, T>(&self, all: &'a [T]) -> Result<Option<&'a T>, TemplateError> {
        match all {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(TemplateError::NotOne {
                reference: self.name.to_string(),
            }),
        }
    }
}

fn all_attributes(context: &TemplateContext<'_>) -> Value {
    let members = context.attributes.iter();
    let object: Map<_, _> = members
        .map(|(name, value)| (name.to_string(), value.to_json()))
        .collect();
    Value::Object(object)
}

fn attribute(value: &AttributeValue) -> Resolved<'_> {
    match (value.as_scalar(), value.as_list()) {
        (Some(scalar), _) => Resolved::Scalar(Item::of(scalar)),
        (None, items) => Resolved::List(items.unwrap_or_default().iter().map(Item::of).collect()),
    }
}

/// A list, unless it is empty: to many consumers an empty list is no restriction.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Resolved<'a>> {
    let items: Vec<_> = texts.map(|text| Item::Text(text.into())).collect();
    (!items.is_empty()).then_some(Resolved::List(items))
}

fn resources(all: &[Resource]) -> Option<Resolved<'_>> {
    structure(all)
}

fn superset_rules(all: &[SupersetRule]) -> Option<Resolved<'_>> {
    if all.iter().any(|rule| rule.clause.trim().is_empty()) {
        return None;
    }
    structure(all)
}

fn structure<'a>(all: &[impl serde::Serialize]) -> Option<Resolved<'a>> {
    if all.is_empty() {
        return None;
    }
    serde_json::to_value(all).ok().map(Resolved::Structure)
}

impl<'a> Resolved<'a> {
    fn text(text: &'a str) -> Self {
        Self::Scalar(Item::Text(text.into()))
    }

    pub(super) fn owned(text: String) -> Self {
        Self::Scalar(Item::Text(text.into()))
    }

    pub(super) fn integer(number: i64) -> Self {
        Self::Scalar(Item::Plain(number.into()))
    }

    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Scalar(item) => item.into_json(),
            Self::List(items) => items.into_iter().map(Item::into_json).collect(),
            Self::Structure(value) => value,
        }
    }
}

impl<'a> Item<'a> {
    fn of(scalar: &'a Scalar) -> Self {
        if let Scalar::String(text) = scalar {
            return Self::Text(text.into());
        }
        // Days are texts in JSON.
        match scalar.to_json() {
            Value::String(text) => Self::Text(text.into()),
            plain => Self::Plain(plain),
        }
    }

    /// The scalar as text: numbers and truth values as JSON writes them.
    pub(super) fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Plain(value) => Cow::Owned(value.to_string()),
        }
    }

    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Plain(value) => value,
        }
    }
}
