//! Session tokens, over HTTP.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::apikey::attributes_of;
use crate::cli::{IssueTokenArgs, TokenAction, TokenCommand, TokenRequestArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("SESSION", "/session_id"),
    Column::text("AUDIENCE", "/audience"),
    Column::text("ROLES", "/roles"),
    Column::time("ENDS", "/expires_at"),
    Column::text("TOKEN", "/token"),
];

pub(crate) async fn run(command: TokenCommand) -> Result<(), Failure> {
    match command.action {
        TokenAction::Issue(args) => issue(args).await,
    }
}

async fn issue(args: IssueTokenArgs) -> Result<(), Failure> {
    let body = request(&args.request)?;
    let answer = Client::configured()?
        .post(&["v1", "session-tokens"], Some(body))
        .await?;
    if let Some(format) = args.output {
        return output::entry(&answer, COLUMNS, format);
    }
    let member = |name: &str| answer[name].as_str();
    let (Some(token), Some(end)) = (member("token"), member("expires_at")) else {
        return Err(Failure::server(anyhow!("this is no answer of Jeton")));
    };
    output::data(token);
    output::talk(&format!("it ends at {end}"));
    Ok(())
}

/// The request as the API takes it.
pub(crate) fn request(args: &TokenRequestArgs) -> Result<Value, Failure> {
    let mut body = json!({
        "user": {
            "id": args.user,
            "roles": args.roles,
            "attributes": attributes_of("--attribute", &args.attributes)?,
        },
    });
    if let Some(audience) = &args.audience {
        body["audience"] = audience.as_str().into();
    }
    if let Some(ttl) = args.ttl {
        body["ttl_seconds"] = ttl.into();
    }
    Ok(body)
}
