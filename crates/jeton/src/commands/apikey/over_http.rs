use serde_json::{Map, Value, json};

use super::limits;
use super::shared::{COLUMNS, key_id, permissions, show_secret};
use crate::cli::{
    CreateApikeyArgs, DeleteApikeyArgs, GetApikeyArgs, LimitFlag, OneApikeyArgs, RevokeApikeyArgs,
    RotateApikeyArgs,
};
use crate::client::Client;
use crate::commands::duration::Expiry;
use crate::failure::Failure;
use crate::output::{self, Column};

const USAGE: &[Column] = &[
    Column::text("TODAY", "/tokens_issued/today"),
    Column::text("LAST 30 DAYS", "/tokens_issued/last_30_days"),
    Column::text("EVER", "/tokens_issued/ever"),
    Column::time("LAST USED", "/last_used_at").otherwise("never"),
    Column::text("FROM", "/last_used_address"),
];

pub(super) async fn create(client: &Client, args: CreateApikeyArgs) -> Result<(), Failure> {
    no_organization(args.organization.as_deref())?;
    let format = args.output;
    let created = client
        .post(&["v1", "api-keys"], Some(request(args)?))
        .await?;
    show_secret(&created, format)
}

/// The body of `POST /v1/api-keys`; what was not asked for is left out.
fn request(args: CreateApikeyArgs) -> Result<Value, Failure> {
    let limits = limits::given(&args.limits)?;
    let mut body = json!({
        "name": args.name,
        "permissions": permissions(&args.permissions),
        "ceiling": limits::applied(&limits, Map::new()),
        "allowed_networks": args.limits.networks,
    });
    if let Some(limit) = limits.get(&LimitFlag::RateLimit) {
        body["rate_limit"] = limit.clone();
    }
    if let Some(owner) = args.owner {
        body["owner_id"] = owner.into();
    }
    match args.expires_in {
        Expiry::Never => {}
        Expiry::AfterSeconds(seconds) => body["expires_in_seconds"] = seconds.into(),
        Expiry::At(at) => body["expires_at"] = json!(at),
    }
    Ok(body)
}

pub(super) async fn get(client: &Client, args: GetApikeyArgs) -> Result<(), Failure> {
    no_organization(args.organization.as_deref())?;
    if let Some(id) = args.id {
        let id = key_id(&id)?.to_string();
        let key = client.get(&["v1", "api-keys", &id], &[]).await?;
        return output::entry(&key, COLUMNS, args.output);
    }
    let query = [
        ("search", args.search),
        ("owner_id", args.owner),
        ("state", args.state),
    ];
    let keys = client.list(&["v1", "api-keys"], &query, usize::MAX).await?;
    output::list(&keys, COLUMNS, args.output)
}

pub(super) async fn rotate(client: &Client, args: RotateApikeyArgs) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let body = json!({ "grace_seconds": args.grace });
    let path = ["v1", "api-keys", &id, "rotate"];
    show_secret(&client.post(&path, Some(body)).await?, args.output)
}

pub(super) async fn switch(args: OneApikeyArgs, how: &str) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let path = ["v1", "api-keys", &id, how];
    let key = Client::configured()?.post(&path, None).await?;
    output::entry(&key, COLUMNS, args.output)
}

pub(super) async fn revoke(args: RevokeApikeyArgs) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let path = ["v1", "api-keys", &id, "revoke"];
    let body = json!({ "reason": args.reason, "keep_sessions": args.sessions.keep_sessions });
    let key = Client::configured()?.post(&path, Some(body)).await?;
    output::entry(&key, COLUMNS, args.output)
}

pub(super) async fn delete(args: DeleteApikeyArgs) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let keep = args.sessions.keep_sessions.then(|| "true".to_owned());
    let client = Client::configured()?;
    let query = [("keep_sessions", keep)];
    client.delete(&["v1", "api-keys", &id], &query).await?;
    output::talk(&format!("{id} is deleted"));
    Ok(())
}

pub(super) async fn usage(args: OneApikeyArgs) -> Result<(), Failure> {
    let id = key_id(&args.key.id)?.to_string();
    let path = ["v1", "api-keys", &id, "usage"];
    let usage = Client::configured()?.get(&path, &[]).await?;
    output::entry(&usage, USAGE, args.output)
}

/// A key belongs to one organization, which over HTTP decides.
fn no_organization(named: Option<&str>) -> Result<(), Failure> {
    match named {
        None => Ok(()),
        Some(_) => Err(Failure::input(anyhow::anyhow!(
            "--organization is for work on a database; on a server the API key decides"
        ))),
    }
}
