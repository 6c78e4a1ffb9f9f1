//! One role.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http_api::errors::sentence;
use http_api::middleware::not_found;
use http_api::query::PathId;
use policy::operations::markers::{CreateRole, DeleteRole, GetRole, ReplaceRole};
use policy::{
    ActionPattern, AttributeName, AudienceName, Effect, PartChange, PartName, PolicyDocument,
    PolicyPart, ResourcePattern, Role, RoleName, RolePermission,
};
use serde::Deserialize;

use super::part::{FormContext, Refused, Removal, Ticks, entries, names, number, put, save, whole};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

const FIELDS: &[(&str, &str)] = &[
    ("/name", "name"),
    ("/description", "description"),
    ("/inherits", "inherits"),
    ("/permissions", "permissions"),
    ("/required_attributes", "required"),
    ("/audiences", "audience"),
    ("/default_ttl_seconds", "default_ttl"),
    ("/max_ttl_seconds", "max_ttl"),
];

/// The form as it was sent, or as it is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RoleForm {
    version: i64,
    name: String,
    description: String,
    inherits: Vec<String>,
    /// `resource:action` on each line; a denial begins with `!`.
    permissions: String,
    required: Vec<String>,
    limit_audiences: bool,
    audience: Vec<String>,
    default_ttl: String,
    max_ttl: String,
}

#[derive(Template)]
#[template(path = "policy/role.html")]
struct RolePage {
    frame: Frame,
    context: FormContext,
    form: RoleForm,
    inherits: Ticks,
    required: Ticks,
    audiences: Ticks,
}

pub(super) async fn fresh(
    State(state): State<ConsoleState>,
    person: Person<CreateRole>,
) -> Result<Response, Failure> {
    Ok(ok(&shown(&state, &person, None, RoleForm::default()).await?))
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetRole>,
    PathId(name): PathId<RoleName>,
) -> Result<Response, Failure> {
    let policies = &state.services.policy;
    let found = policies.get_role(person.organization_id(), &name).await?;
    let form = RoleForm::of(&found.ok_or_else(not_found)?);
    Ok(ok(&shown(&state, &person, Some(&name), form).await?))
}

pub(super) async fn create(
    State(state): State<ConsoleState>,
    person: Person<CreateRole>,
    Posted(form): Posted<RoleForm>,
) -> Result<Response, Failure> {
    let refused = match form.role() {
        Ok(role) => {
            let change = put(PolicyPart::Role(role), true);
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
    person: Person<ReplaceRole>,
    PathId(name): PathId<RoleName>,
    Posted(mut form): Posted<RoleForm>,
) -> Result<Response, Failure> {
    form.name = name.to_string();
    let refused = match form.role() {
        Ok(role) => {
            let change = put(PolicyPart::Role(role), false);
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
    person: Person<DeleteRole>,
    PathId(name): PathId<RoleName>,
    Posted(removal): Posted<Removal>,
) -> Result<Response, Failure> {
    let policies = &state.services.policy;
    let found = policies.get_role(person.organization_id(), &name).await?;
    let form = RoleForm::of(&found.ok_or_else(not_found)?);
    let change = PartChange::Delete(PartName::Role(name.clone()));
    match save(&state, &person, removal.version, change, FIELDS).await? {
        Ok(done) => Ok(done),
        Err(refused) => answer(&state, &person, Some(&name), (form, refused)).await,
    }
}

/// The form again, with what is wrong with it.
async fn answer<M>(
    state: &ConsoleState,
    person: &Person<M>,
    name: Option<&RoleName>,
    (form, refused): (RoleForm, Refused),
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
    name: Option<&RoleName>,
    form: RoleForm,
) -> Result<RolePage, Failure> {
    let organization = person.organization_id();
    let (document, version) = state.services.policy.document(organization).await?;
    let audiences = state.services.issuer.audiences(organization).await?;
    let PolicyDocument {
        roles, attributes, ..
    } = document;
    let others = roles.iter().map(|role| role.name.to_string());
    let title = name.map_or_else(
        || "Declare a role".to_owned(),
        |name| format!("Role {name}"),
    );
    Ok(RolePage {
        frame: person.frame(Section::Policy, title),
        context: FormContext::new(person, version, name.map(ToString::to_string)),
        inherits: Ticks::new(
            (
                "inherits",
                "Inherits",
                "Their permissions, required attributes and limits count for this role, too.",
            ),
            others.filter(|other| name.is_none_or(|name| name.as_str() != *other)),
            &form.inherits,
        ),
        required: Ticks::new(
            (
                "required",
                "Required attributes",
                "A token with this role must carry them.",
            ),
            attributes.iter().map(|it| it.name.to_string()),
            &form.required,
        ),
        audiences: Ticks::new(
            ("audience", "These audiences", ""),
            audiences.iter().map(|it| it.name.to_string()),
            &form.audience,
        ),
        form,
    })
}

impl RoleForm {
    fn of(role: &Role) -> Self {
        let permissions: Vec<_> = role.permissions.iter().map(ToString::to_string).collect();
        let audiences = role.audiences.iter().flatten();
        Self {
            version: 0,
            name: role.name.to_string(),
            description: role.description.clone(),
            inherits: role.inherits.iter().map(ToString::to_string).collect(),
            permissions: permissions.join("\n"),
            required: role
                .required_attributes
                .iter()
                .map(ToString::to_string)
                .collect(),
            limit_audiences: role.audiences.is_some(),
            audience: audiences.map(ToString::to_string).collect(),
            default_ttl: number(role.default_ttl_seconds),
            max_ttl: number(role.max_ttl_seconds),
        }
    }

    /// The role; what the policy as a whole says of it comes later.
    fn role(&self) -> Result<Role, FormErrors> {
        let mut errors = FormErrors::default();
        let name = RoleName::parse(self.name.trim());
        let name = errors.take("name", name.map_err(|error| sentence(&error)));
        let inherits = errors.take("inherits", names(&self.inherits, RoleName::parse));
        let permissions = errors.take("permissions", self.permissions());
        let required = errors.take("required", names(&self.required, AttributeName::parse));
        let audiences = errors.take("audience", names(&self.audience, AudienceName::parse));
        let default_ttl = errors.take("default_ttl", whole(&self.default_ttl));
        let max_ttl = errors.take("max_ttl", whole(&self.max_ttl));
        let whole = (|| {
            Some(Role {
                name: name?,
                description: self.description.trim().to_owned(),
                inherits: inherits?,
                permissions: permissions?.into_iter().collect(),
                required_attributes: required?,
                audiences: audiences.filter(|_| self.limit_audiences),
                default_ttl_seconds: default_ttl?,
                max_ttl_seconds: max_ttl?,
            })
        })();
        whole.filter(|_| errors.is_empty()).ok_or(errors)
    }

    fn permissions(&self) -> Result<Vec<RolePermission>, String> {
        let fields = [self.permissions.clone()];
        let lines: Vec<String> = entries(&fields).collect();
        lines.iter().map(|line| permission(line)).collect()
    }
}

fn permission(line: &str) -> Result<RolePermission, String> {
    let (effect, rest) = match line.strip_prefix('!') {
        Some(rest) => (Effect::Deny, rest.trim()),
        None => (Effect::Allow, line),
    };
    let Some((resource, action)) = rest.rsplit_once(':') else {
        return Err(format!("`{line}`: write it as `resource:action`."));
    };
    let said = |error| format!("`{line}`: {error}.");
    Ok(RolePermission {
        resource: ResourcePattern::parse(resource.trim()).map_err(said)?,
        action: ActionPattern::parse(action.trim()).map_err(said)?,
        effect,
    })
}
