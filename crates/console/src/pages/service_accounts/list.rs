//! The accounts, and the form of a new one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http_api::query::Query;
use key_admin::service_accounts::ListedServiceAccount;
use key_admin::{Permission, PrincipalState};
use policy::operations::markers::{CreateServiceAccount, ListServiceAccounts};
use serde::Deserialize;
use storage::Timestamp;
use url::form_urlencoded;

use super::{PATH, errors};
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::form::Posted;
use crate::page::{Frame, Section, again, ok};
use crate::pages::owner::{self, PAGE};
use crate::person::Person;
use crate::state::ConsoleState;
use crate::when::When;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    search: String,
    /// The last account of the page before.
    after: String,
    /// What a redirect tells; the frame shows it.
    #[serde(rename = "done")]
    _done: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountForm {
    name: String,
}

#[derive(Template)]
#[template(path = "service_accounts/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    form: AccountForm,
    errors: FormErrors,
    rows: Vec<Row>,
    may_write: bool,
    first: bool,
    next: Option<String>,
}

struct Row {
    id: String,
    name: String,
    suspended: bool,
    live_keys: i64,
    created: When,
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<ListServiceAccounts>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    Ok(ok(&list(&state, &person, asked).await?))
}

pub(super) async fn submit(
    State(state): State<ConsoleState>,
    person: Person<CreateServiceAccount>,
    Posted(form): Posted<AccountForm>,
) -> Result<Response, Failure> {
    let act = person.act();
    let keys = &state.services.keys;
    let created = keys.create_service_account(&act, person.organization_id(), &form.name);
    match created.await {
        Ok(account) => {
            let path = format!("{PATH}/{}?done=account-created", account.id);
            Ok(Redirect::to(&path).into_response())
        }
        Err(error) => {
            let mut page = list(&state, &person, Asked::default()).await?;
            (page.form, page.errors) = (form, errors(error)?);
            Ok(again(&page))
        }
    }
}

async fn list<M>(
    state: &ConsoleState,
    person: &Person<M>,
    asked: Asked,
) -> Result<ListPage, Failure> {
    let search = Some(asked.search.trim()).filter(|text| !text.is_empty() && !text.contains('\0'));
    let (keys, organization) = (&state.services.keys, person.organization_id());
    let page = owner::after(&asked.after);
    let mut found = keys
        .find_service_accounts(organization, search, page)
        .await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("search", &asked.search);
        query.append_pair("after", &last.account.id.to_string());
        format!("{PATH}?{}", query.finish())
    });
    let now = state.services.clock.now();
    let rows = found.into_iter().map(|listed| Row::new(listed, now));
    Ok(ListPage {
        frame: person.frame(Section::ServiceAccounts, "Service accounts"),
        form: AccountForm::default(),
        errors: FormErrors::default(),
        rows: rows.collect(),
        may_write: person.may(Permission::UsersWrite),
        first: asked.after.is_empty(),
        next,
        asked,
    })
}

impl Row {
    fn new(listed: ListedServiceAccount, now: Timestamp) -> Self {
        let account = listed.account;
        Self {
            id: account.id.to_string(),
            name: account.name,
            suspended: account.state == PrincipalState::Suspended,
            live_keys: listed.live_keys,
            created: When::new(account.created_at, now),
        }
    }
}
