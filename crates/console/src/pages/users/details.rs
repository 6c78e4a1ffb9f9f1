//! One user: name and role, and what can be done.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::{PathId, Query};
use key_admin::{Permission, PrincipalState, UserChange};
use policy::operations::markers::{GetUser, UpdateUser};
use serde::Deserialize;
use storage::PrincipalId;

use super::{PATH, RoleChoice, errors, role, roles};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::pages::owner::OwnedKeys;
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// What the page was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// What a redirect tells; the frame shows it.
    #[serde(rename = "done")]
    _done: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EditForm {
    name: String,
    #[serde(default)]
    role: String,
}

#[derive(Template)]
#[template(path = "users/details.html")]
pub(super) struct DetailsPage {
    frame: Frame,
    id: String,
    name: String,
    email: String,
    role: &'static str,
    state: PrincipalState,
    second_factor: bool,
    created: When,
    keys: OwnedKeys,
    /// The person who looks.
    own: bool,
    may_write: bool,
    form: EditForm,
    roles: Vec<RoleChoice>,
    pub(super) errors: FormErrors,
    pub(super) action_errors: FormErrors,
}

impl DetailsPage {
    fn suspended(&self) -> bool {
        self.state == PrincipalState::Suspended
    }
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<GetUser>,
    PathId(id): PathId<PrincipalId>,
    Query(_): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&details(&state, &person, id, None).await?))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    Posted(form): Posted<EditForm>,
) -> Result<Response, Failure> {
    let refused = match role(&form.role) {
        Ok(role) => {
            let change = UserChange {
                name: Some(form.name.clone()),
                role: Some(role),
                ..UserChange::default()
            };
            let (act, by) = (person.act(), Some(person.user().role));
            let keys = &state.services.keys;
            let changed = keys.update_user(&act, by, person.organization_id(), id, change);
            match changed.await {
                Ok(_) => {
                    let path = format!("{PATH}/{id}?done=user-changed");
                    return Ok(Redirect::to(&path).into_response());
                }
                Err(error) => errors(error)?,
            }
        }
        Err(errors) => errors,
    };
    let mut page = details(&state, &person, id, Some(form)).await?;
    page.errors = refused;
    Ok(again(&page))
}

/// The page; `form` is what somebody typed and did not get through with.
pub(super) async fn details<M>(
    state: &ConsoleState,
    person: &Person<M>,
    id: PrincipalId,
    form: Option<EditForm>,
) -> Result<DetailsPage, Failure> {
    let (services, organization) = (&state.services, person.organization_id());
    let user = services.keys.get_user(organization, id).await?;
    let second_factor = services.keys.has_second_factor(organization, id).await?;
    let saved = EditForm {
        name: user.name.clone(),
        role: user.role.as_str().to_owned(),
    };
    let mut offered = roles(person.user().role);
    let role = user.role.as_str();
    // The role that the user has is shown, whoever looks.
    if !offered.iter().any(|choice| choice.name == role) {
        let about = super::about(user.role);
        offered.insert(0, RoleChoice { name: role, about });
    }
    Ok(DetailsPage {
        frame: person.frame(Section::Users, user.name.clone()),
        id: id.to_string(),
        email: user.email.as_str().to_owned(),
        role,
        state: user.state,
        second_factor,
        created: When::new(user.created_at, services.clock.now()),
        keys: OwnedKeys::of(state, organization, id).await?,
        own: person.user().id == id,
        may_write: person.may(Permission::UsersWrite),
        form: form.unwrap_or(saved),
        roles: offered,
        errors: FormErrors::default(),
        action_errors: FormErrors::default(),
        name: user.name,
    })
}
