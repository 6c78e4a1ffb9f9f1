use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use jeton_verifier::Verifier;
use serde::Deserialize;
use storage::{Clock, SystemClock};

use super::credentials::Credentials;

const REQUEST: &str =
    r#"{"user":{"id":"user-42","roles":["viewer"],"attributes":{"tenant_id":"t-1"}}}"#;

/// The first token, verified.
pub(super) struct FirstToken {
    claims: String,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

/// Fetches a token as a backend would, and verifies it as a resource server would.
pub(super) async fn fetch(credentials: &Credentials) -> anyhow::Result<FirstToken> {
    // This talks to the server in the same process; a proxy in the environment must not get between.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()?;
    let response = client
        .post(format!("{}/v1/session-tokens", credentials.url))
        .header("authorization", format!("ApiKey {}", credentials.api_key))
        .header("content-type", "application/json")
        .body(REQUEST)
        .send()
        .await?;
    let status = response.status();
    let body = response.text().await?;
    ensure!(
        status == 201,
        "the first token was refused with {status}: {body}"
    );
    let token = serde_json::from_str::<Answer>(&body)
        .context("the answer has no token")?
        .token;

    let issuer = credentials.issuer();
    let jwks = client
        .get(format!("{issuer}/.well-known/jwks.json"))
        .send()
        .await?
        .text()
        .await?;
    let now = u64::try_from(SystemClock.now().unix_seconds())?;
    let verified = Verifier::new(&issuer, "default", &jwks)?.verify(&token, now)?;
    Ok(FirstToken {
        claims: serde_json::to_string_pretty(&verified)?,
    })
}

/// What the developer sees.
pub(super) fn greeting(credentials: &Credentials, first: &FirstToken, file: &Path) -> String {
    let Credentials {
        url,
        api_key,
        console_email: email,
        ..
    } = credentials;
    format!(
        "\
Jeton is running at {url}

The first session token was issued and verified against the published keys. Its claims:

{claims}

Issue another:

curl -sS {url}/v1/session-tokens \\
  -H 'Authorization: ApiKey {api_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{REQUEST}'

Console       {url}/console  ({email}, password in the file below)
API explorer  {url}/docs
Public keys   {issuer}/.well-known/jwks.json
Credentials   {file}",
        claims = first.claims,
        issuer = credentials.issuer(),
        file = file.display(),
    )
}
