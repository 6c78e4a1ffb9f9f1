//! A new user, with a password that is made for it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use key_admin::NewUser;
use key_admin::users::{Email, generated_password};
use policy::operations::markers::CreateUser;
use serde::Deserialize;

use super::password::{Given, shown};
use super::{RoleChoice, errors, role, roles};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::person::Person;
use crate::state::ConsoleState;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserForm {
    email: String,
    name: String,
    #[serde(default)]
    role: String,
}

#[derive(Template)]
#[template(path = "users/new.html")]
struct NewPage {
    frame: Frame,
    form: UserForm,
    roles: Vec<RoleChoice>,
    errors: FormErrors,
}

pub(super) async fn page(person: Person<CreateUser>) -> Response {
    let form = UserForm {
        role: "member".to_owned(),
        ..UserForm::default()
    };
    ok(&new_page(&person, form, FormErrors::default()))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<CreateUser>,
    Posted(form): Posted<UserForm>,
) -> Result<Response, Failure> {
    let password = generated_password().map_err(|error| Failure::internal(&error))?;
    let new = match form.read(password.clone()) {
        Ok(new) => new,
        Err(errors) => return Ok(again(&new_page(&person, form, errors?))),
    };
    let (act, by) = (person.act(), Some(person.user().role));
    let keys = &state.services.keys;
    let created = keys.create_user(&act, by, person.organization_id(), new);
    match created.await {
        Ok(user) => Ok(shown(&state, &person, &user, (password, Given::New))),
        Err(error) => Ok(again(&new_page(&person, form, errors(error)?))),
    }
}

impl UserForm {
    fn read(
        &self,
        password: secrecy::SecretString,
    ) -> Result<NewUser, Result<FormErrors, Failure>> {
        let name = Some(self.name.trim()).filter(|name| !name.is_empty());
        Ok(NewUser {
            email: Email::parse(self.email.trim()).map_err(errors)?,
            name: name.map(str::to_owned),
            role: role(&self.role).map_err(Ok)?,
            password,
        })
    }
}

fn new_page(person: &Person<CreateUser>, form: UserForm, errors: FormErrors) -> NewPage {
    NewPage {
        frame: person.frame(Section::Users, "Add a user"),
        form,
        roles: roles(person.user().role),
        errors,
    }
}
