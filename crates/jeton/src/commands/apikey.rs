use std::collections::BTreeMap;

use anyhow::anyhow;
use key_admin::users::first_owner;
use key_admin::{ApiKey, CreateKeyError, CreatedKey, KeyCeiling, NewApiKey, Organization};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::PrincipalId;
use token_issuer::Services;

use super::duration::Expiry;
use super::installation;
use crate::cli::{
    ApikeyAction, ApikeyCommand, CreateApikeyArgs, CreateOutput, GetApikeyArgs, ListOutput,
};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(command: ApikeyCommand) -> Result<(), Failure> {
    match command.action {
        ApikeyAction::Create(args) => create(args).await,
        ApikeyAction::Get(args) => get(args).await,
    }
}

async fn create(args: CreateApikeyArgs) -> Result<(), Failure> {
    let services = installation::open(&args.installation).await?;
    let organization = installation::organization(&services, args.organization.as_deref()).await?;
    let owner = owner(&services, &organization, args.owner.as_deref()).await?;
    let expires_at = match args.expires_in {
        Expiry::Never => None,
        Expiry::AfterSeconds(seconds) => Some(services.clock.now().plus_seconds(seconds.into())),
    };
    let new = NewApiKey {
        organization: organization.id,
        owner,
        created_by: None,
        name: args.name,
        expires_at,
        permissions: args.permissions,
        ceiling: KeyCeiling {
            roles: (!args.roles.is_empty()).then(|| args.roles.into_iter().collect()),
            audiences: (!args.audiences.is_empty()).then(|| args.audiences.into_iter().collect()),
            fixed_attributes: fixed_attributes(&args.fixed)?,
            max_ttl_seconds: args.max_ttl,
        },
        allowed_networks: args.networks,
        rate_limit: None,
    };
    let created = services.create_api_key(new).await.map_err(blame)?;
    services.database.close().await;
    show_created(&created, args.output);
    Ok(())
}

async fn owner(
    services: &Services,
    organization: &Organization,
    named: Option<&str>,
) -> Result<PrincipalId, Failure> {
    match named {
        Some(id) => id
            .parse()
            .map_err(|_| Failure::input(anyhow!("--owner takes an id such as own_…"))),
        None => first_owner(&services.database, organization.id)
            .await?
            .ok_or_else(|| {
                Failure::input(anyhow!(
                    "the organization has no owner: name one with --owner"
                ))
            }),
    }
}

/// `tenant_id=t-1`, `regions=["eu","us"]`: JSON where it is JSON, a plain string otherwise.
fn fixed_attributes(pairs: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    pairs
        .iter()
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::input(anyhow!("--fix takes NAME=VALUE")))?;
            let value =
                serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn show_created(created: &CreatedKey, format: CreateOutput) {
    let key = &created.key;
    let secret = created.secret.expose_secret();
    match format {
        CreateOutput::Secret => output::data(secret),
        CreateOutput::Json => {
            output::data(&json!({ "api_key": as_json(key), "secret": secret }).to_string());
        }
        CreateOutput::Table => {
            output::data(&output::table(
                ["TOKEN", "TYPE", "EXPIRATION", "NAME"],
                &[[
                    secret.to_owned(),
                    "apikey".into(),
                    expiration(key),
                    key.name.clone(),
                ]],
            ));
            output::talk("Copy the token now: it cannot be shown again.");
        }
    }
}

async fn get(args: GetApikeyArgs) -> Result<(), Failure> {
    let services = installation::open(&args.installation).await?;
    let organization = installation::organization(&services, args.organization.as_deref()).await?;
    let keys = services.keys.list_keys(organization.id).await?;
    match args.output {
        ListOutput::Json => {
            let keys: Vec<Value> = keys.iter().map(as_json).collect();
            output::data(&json!({ "data": keys }).to_string());
        }
        ListOutput::Table => {
            let rows: Vec<_> = keys
                .iter()
                .map(|key| {
                    [
                        key.prefix(),
                        "apikey".into(),
                        expiration(key),
                        key.name.clone(),
                    ]
                })
                .collect();
            output::data(&output::table(
                ["TOKEN", "TYPE", "EXPIRATION", "NAME"],
                &rows,
            ));
        }
    }
    services.database.close().await;
    Ok(())
}

fn as_json(key: &ApiKey) -> Value {
    let mut value = serde_json::to_value(key).unwrap_or_default();
    value["prefix"] = key.prefix().into();
    value
}

fn expiration(key: &ApiKey) -> String {
    key.expires_at.map_or_else(
        || "never".to_owned(),
        |at| at.truncated_to_seconds().to_string(),
    )
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
