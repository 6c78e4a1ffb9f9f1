use std::collections::BTreeSet;

use anyhow::anyhow;
use http_api::routes::api_keys::types::ApiKeyView;
use key_admin::api_keys::MAX_PAGE;
use key_admin::users::first_owner;
use key_admin::{
    Act, Asker, CreateKeyError, KeyCeiling, KeyFilter, KeyState, ListedKey, NewApiKey,
    Organization, Permission,
};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use storage::{OrganizationId, PrincipalId};
use token_issuer::Services;

use super::limits;
use super::shared::{self, COLUMNS, key_id, show_secret};
use crate::cli::{CreateApikeyArgs, GetApikeyArgs};
use crate::commands::installation;
use crate::failure::Failure;
use crate::output;

pub(super) async fn create(args: CreateApikeyArgs) -> Result<(), Failure> {
    let services = installation::open(&args.installation).await?;
    let organization = installation::organization(&services, args.organization.as_deref()).await?;
    let owner = owner(&services, &organization, args.owner.as_deref()).await?;
    let ceiling = limits::applied(&limits::given(&args.limits)?, Map::new());
    let ceiling: KeyCeiling = serde_json::from_value(ceiling.into()).map_err(Failure::server)?;
    let new = NewApiKey {
        organization: organization.id,
        owner,
        created_by: None,
        name: args.name,
        expires_at: args.expires_in.from(services.clock.now()),
        permissions: permissions(&args.permissions)?,
        ceiling,
        allowed_networks: args.limits.networks,
        rate_limit: args.limits.rate_limit,
    };
    let created = services
        .create_api_key(&Act::on_command_line(), Asker::Machine, new)
        .await
        .map_err(blame)?;
    let read_back = services.keys.get_key(organization.id, created.key.id).await;
    services.database.close().await;
    let fresh = || ListedKey::of(created.key.clone(), services.clock.now());
    let key = read_back.ok().flatten().unwrap_or_else(fresh);
    let secret = created.secret.expose_secret();
    let created = json!({ "api_key": as_json(key)?, "secret": secret });
    show_secret(&created, args.output)
}

async fn owner(
    services: &Services,
    organization: &Organization,
    named: Option<&str>,
) -> Result<PrincipalId, Failure> {
    match named {
        Some(id) => owner_id(id),
        None => first_owner(&services.database, organization.id)
            .await?
            .ok_or_else(|| {
                Failure::input(anyhow!(
                    "the organization has no owner: name one with --owner"
                ))
            }),
    }
}

fn owner_id(text: &str) -> Result<PrincipalId, Failure> {
    text.parse()
        .map_err(|_| Failure::input(anyhow!("--owner takes an id such as own_…")))
}

fn permissions(names: &[String]) -> Result<Vec<Permission>, Failure> {
    let mut permissions = BTreeSet::new();
    for name in shared::permissions(names) {
        permissions.extend(Permission::expand(name).map_err(Failure::input)?);
    }
    Ok(permissions.into_iter().collect())
}

pub(super) async fn get(args: GetApikeyArgs) -> Result<(), Failure> {
    let services = installation::open(&args.installation).await?;
    let organization = installation::organization(&services, args.organization.as_deref()).await?;
    if let Some(id) = &args.id {
        let found = services.keys.get_key(organization.id, key_id(id)?).await?;
        services.database.close().await;
        let key = found.ok_or_else(|| Failure::input(anyhow!("there is no such API key")))?;
        return output::entry(&as_json(key)?, COLUMNS, args.output);
    }
    let filter = KeyFilter {
        search: args.search,
        owner: args.owner.as_deref().map(owner_id).transpose()?,
        state: KeyState::ALL
            .iter()
            .copied()
            .find(|state| Some(state.as_str()) == args.state.as_deref()),
    };
    let keys = all_keys(&services, organization.id, &filter).await?;
    services.database.close().await;
    let keys: Vec<Value> = keys.into_iter().map(as_json).collect::<Result<_, _>>()?;
    output::list(&keys, COLUMNS, args.output)
}

/// Page by page.
async fn all_keys(
    services: &Services,
    organization: OrganizationId,
    filter: &KeyFilter,
) -> Result<Vec<ListedKey>, Failure> {
    let mut keys: Vec<ListedKey> = Vec::new();
    loop {
        let before = keys
            .last()
            .map(|listed| (listed.key.created_at, listed.key.id));
        let page = services
            .keys
            .list_keys(organization, filter, before, MAX_PAGE)
            .await?;
        let full = page.len() == MAX_PAGE as usize;
        keys.extend(page);
        if !full {
            return Ok(keys);
        }
    }
}

/// As the API answers.
fn as_json(key: ListedKey) -> Result<Value, Failure> {
    serde_json::to_value(ApiKeyView::from(key)).map_err(Failure::server)
}

fn blame(error: token_issuer::services::CreateApiKeyError) -> Failure {
    use token_issuer::services::CreateApiKeyError as E;
    match error {
        E::Key(CreateKeyError::Storage(error)) => error.into(),
        E::Key(CreateKeyError::NoRandomness(_) | CreateKeyError::Hash(_)) | E::Policy(_) => {
            Failure::server(error)
        }
        E::Key(_) | E::Ceiling(_) => Failure::input(error),
    }
}
