//! Which server and key this machine uses: `login`, `logout`, `account`.

use anyhow::anyhow;
use serde_json::Value;

use super::secret_input;
use crate::cli::{AccountArgs, LoginArgs};
use crate::client::Client;
use crate::config::{Profile, ServerUrl};
use crate::failure::Failure;
use crate::output::{self, Column, plain};

const ACCOUNT: &[Column] = &[
    Column::text("ORGANIZATION", "/organization/slug"),
    Column::text("OWNER", "/owner/name"),
    Column::text("TOKEN", "/api_key/prefix"),
    Column::text("NAME", "/api_key/name"),
    Column::time("EXPIRATION", "/api_key/expires_at").otherwise("never"),
    Column::text("PERMISSIONS", "/api_key/permissions"),
    Column::text("ISSUER", "/organization/issuer").only_in_csv(),
    Column::text("OWNER ID", "/owner/id").only_in_csv(),
    Column::text("OWNER KIND", "/owner/kind").only_in_csv(),
    Column::text("KEY ID", "/api_key/id").only_in_csv(),
];

/// Tries the key before it is stored.
pub(crate) async fn login(args: LoginArgs) -> Result<(), Failure> {
    let url = ServerUrl::parse(&args.url).map_err(|fault| Failure::input(anyhow!(fault)))?;
    let key = secret_input::read(args.key_file.as_deref(), "API key: ", "--key-file")?;
    let profile = Profile::new(url, key)?;
    let account = Client::new(&profile)?.get(&["v1", "account"], &[]).await?;
    let member = |at: &str| account.pointer(at).and_then(Value::as_str).map(plain);
    let (Some(owner), Some(organization)) = (member("/owner/name"), member("/organization/slug"))
    else {
        return Err(Failure::server(anyhow!("this is no answer of Jeton")));
    };
    let file = profile.store()?;
    let (server, file) = (profile.url.as_str(), file.display());
    output::talk(&format!(
        "logged in to {server} as {owner} of {organization}; the key is in {file}"
    ));
    if Profile::is_in_the_environment() {
        output::talk("JETON_URL and JETON_API_KEY are set, and win over it");
    }
    Ok(())
}

pub(crate) fn logout() -> Result<(), Failure> {
    match Profile::remove()? {
        Some(file) => output::talk(&format!(
            "{} is gone; the key itself works until it is revoked",
            file.display()
        )),
        None => output::talk("nobody is logged in"),
    }
    Ok(())
}

pub(crate) async fn account(args: AccountArgs) -> Result<(), Failure> {
    let account = Client::configured()?.get(&["v1", "account"], &[]).await?;
    output::entry(&account, ACCOUNT, args.output)
}
