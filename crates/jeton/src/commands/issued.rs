//! Issued sessions: found, shown and revoked, over HTTP.

use anyhow::anyhow;
use serde_json::{Value, json};
use storage::SessionId;

use super::apikey::{attributes_of, key_id};
use crate::cli::{
    GetSessionArgs, ListSessionsArgs, RevokeSessionsArgs, SessionAction, SessionCommand,
};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ID", "/id"),
    Column::text("STATE", "/state"),
    Column::text("SUBJECT", "/subject"),
    Column::text("AUDIENCE", "/audience"),
    Column::text("ROLES", "/roles"),
    Column::time("ISSUED", "/issued_at"),
    Column::time("ENDS", "/expires_at"),
    Column::text("API KEY", "/api_key_id"),
    Column::text("REVOKED BY", "/revoked_by").only_in_csv(),
    Column::text("ATTRIBUTES", "/attributes").only_in_csv(),
    Column::text("RESOURCES", "/resources").only_in_csv(),
    Column::text("CHAIN", "/chain_id").only_in_csv(),
    Column::time("SESSION ENDS", "/session_expires_at").only_in_csv(),
    Column::time("RENEWED", "/renewed_at").only_in_csv(),
    Column::time("REVOKED", "/revoked_at").only_in_csv(),
    Column::text("FROM", "/client_address").only_in_csv(),
    Column::text("REQUEST ID", "/request_id").only_in_csv(),
    Column::text("SIGNING KEY", "/signing_key").only_in_csv(),
];

pub(crate) async fn run(command: SessionCommand) -> Result<(), Failure> {
    match command.action {
        SessionAction::List(args) => list(args).await,
        SessionAction::Get(args) => get(args).await,
        SessionAction::Revoke(args) => revoke(args).await,
    }
}

async fn list(args: ListSessionsArgs) -> Result<(), Failure> {
    let active = match (args.active, args.inactive) {
        (true, _) => Some("true".to_owned()),
        (_, true) => Some("false".to_owned()),
        _ => None,
    };
    let attribute = args.attribute.as_deref().map(colon).transpose()?;
    let query = [
        ("subject", args.subject),
        ("api_key_id", api_key(args.issued_by.as_deref())?),
        ("audience", args.audience),
        ("attribute", attribute),
        ("active", active),
        ("since", args.since),
        ("until", args.until),
    ];
    let sessions = Client::configured()?
        .list(&["v1", "sessions"], &query, args.limit as usize)
        .await?;
    output::list(&sessions, COLUMNS, args.output)
}

async fn get(args: GetSessionArgs) -> Result<(), Failure> {
    let path = ["v1", "sessions", &id(&args.id)?];
    let session = Client::configured()?.get(&path, &[]).await?;
    output::entry(&session, COLUMNS, args.output)
}

async fn revoke(args: RevokeSessionsArgs) -> Result<(), Failure> {
    let target = args.target;
    if let Some(session) = &target.id {
        let session = id(session)?;
        let client = Client::configured()?;
        client.delete(&["v1", "sessions", &session], &[]).await?;
        output::talk(&format!("{session} is revoked"));
        return Ok(());
    }
    let attribute = match &target.attribute {
        Some(text) => {
            let given = attributes_of("--attribute", std::slice::from_ref(text))?;
            let only = given.into_iter().next();
            only.map(|(name, value)| json!({ "name": name, "value": value }))
        }
        None => None,
    };
    let mut body = json!({});
    let fields: [(&str, Option<Value>); 7] = [
        ("subject", target.subject.map(Value::from)),
        (
            "api_key_id",
            api_key(target.issued_by.as_deref())?.map(Value::from),
        ),
        ("audience", target.audience.map(Value::from)),
        ("role", target.role.map(Value::from)),
        ("attribute", attribute),
        ("all", target.all.then_some(Value::Bool(true))),
        ("before", args.before.map(Value::from)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    let path = ["v1", "sessions", "revoke"];
    Client::configured()?.post(&path, Some(body)).await?;
    output::talk("revoked");
    Ok(())
}

/// As the API writes it.
fn colon(text: &str) -> Result<String, Failure> {
    match text.split_once('=') {
        Some((name, value)) => Ok(format!("{name}:{value}")),
        None => Err(Failure::input(anyhow!("--attribute takes NAME=VALUE"))),
    }
}

fn api_key(text: Option<&str>) -> Result<Option<String>, Failure> {
    Ok(text.map(key_id).transpose()?.map(|id| id.to_string()))
}

fn id(text: &str) -> Result<String, Failure> {
    let id: Result<SessionId, _> = text.parse();
    id.map(|id| id.to_string())
        .map_err(|_| Failure::input(anyhow!("a session has an id such as 01a203ac-c363-7c44-…")))
}
