//! What both ways of working on API keys have in common.

use anyhow::anyhow;
use key_admin::{ApiKeyId, PresentedKey};
use serde_json::Value;

use crate::cli::SecretFormat;
use crate::failure::Failure;
use crate::output::{self, Column, Format};

/// The first four as people know them from other issuers of keys.
pub(super) const COLUMNS: &[Column] = &[
    Column::text("TOKEN", "/prefix"),
    Column::constant("TYPE", "apikey"),
    Column::time("EXPIRATION", "/expires_at").otherwise("never"),
    Column::text("NAME", "/name"),
    Column::text("STATE", "/state"),
    Column::time("LAST USED", "/last_used_at").otherwise("never"),
    Column::text("ID", "/id").only_in_csv(),
    Column::text("OWNER", "/owner/id").only_in_csv(),
    Column::text("OWNER NAME", "/owner/name").only_in_csv(),
    Column::text("CREATED BY", "/created_by").only_in_csv(),
    Column::time("CREATED", "/created_at").only_in_csv(),
    Column::text("PERMISSIONS", "/permissions").only_in_csv(),
    Column::text("LAST USED ADDRESS", "/last_used_address").only_in_csv(),
    Column::text("TOKENS TODAY", "/tokens_issued/today").only_in_csv(),
    Column::text("TOKENS LAST 30 DAYS", "/tokens_issued/last_30_days").only_in_csv(),
    Column::text("TOKENS EVER", "/tokens_issued/ever").only_in_csv(),
];

const FRESH: &[Column] = &[
    Column::text("TOKEN", "/secret"),
    Column::constant("TYPE", "apikey"),
    Column::time("EXPIRATION", "/api_key/expires_at").otherwise("never"),
    Column::text("NAME", "/api_key/name"),
];

/// Prints a fresh secret; this is the only time.
pub(super) fn show_secret(created: &Value, format: SecretFormat) -> Result<(), Failure> {
    let Some(secret) = created["secret"].as_str() else {
        return Err(Failure::server(anyhow!("the answer has no secret in it")));
    };
    match format {
        SecretFormat::Secret => output::data(secret),
        SecretFormat::Json => output::entry(created, FRESH, Format::Json)?,
        SecretFormat::Yaml => output::entry(created, FRESH, Format::Yaml)?,
        SecretFormat::Table => {
            output::entry(created, FRESH, Format::Table)?;
            output::talk("Copy the token now: it cannot be shown again.");
        }
    }
    Ok(())
}

/// The names of permissions, as the API takes them: `none` is an empty list.
pub(super) fn permissions(names: &[String]) -> &[String] {
    match names {
        [only] if only == "none" => &[],
        names => names,
    }
}

/// `key_…` or `jtn_…`. What was typed is not quoted: it may be a whole key.
pub(in crate::commands) fn key_id(text: &str) -> Result<ApiKeyId, Failure> {
    if PresentedKey::parse(text).is_ok() {
        return Err(Failure::input(anyhow!(
            "this is a whole API key, and other processes can read command lines: revoke it, \
             and name keys by their identifier (key_…)"
        )));
    }
    let id = match text.strip_prefix("jtn_") {
        Some(characters) => format!("key_{characters}").parse(),
        None => text.parse(),
    };
    id.map_err(|_| {
        Failure::input(anyhow!(
            "an API key is named by its identifier, like key_0Hq3VbN8tRzA"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_lists_show_them() {
        let id = key_id("key_0Hq3VbN8tRzA").unwrap();
        assert_eq!(key_id("jtn_0Hq3VbN8tRzA").unwrap(), id);
        for bad in [
            "",
            "0Hq3VbN8tRzA",
            "key_",
            "key_../../account",
            "jtn_0Hq3VbN8tRzA_x",
        ] {
            assert!(key_id(bad).is_err(), "{bad}");
        }
    }
}
