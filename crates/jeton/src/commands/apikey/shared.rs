//! What both ways of working on API keys have in common.

use std::collections::BTreeMap;

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

/// `key_…` or `jtn_…`. What was typed is not quoted: it may be a whole key.
pub(super) fn key_id(text: &str) -> Result<ApiKeyId, Failure> {
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

/// The values that `--fix` gives.
pub(super) fn fixed_attributes(pairs: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    let mut attributes = BTreeMap::new();
    for pair in pairs {
        let (name, value) = attribute("--fix", pair)?;
        if attributes.contains_key(&name) {
            return Err(Failure::input(anyhow!("--fix names `{name}` twice")));
        }
        attributes.insert(name, value);
    }
    Ok(attributes)
}

/// The values that `--allow` gives, each attribute's together.
pub(super) fn allowed_attributes(
    pairs: &[String],
) -> Result<BTreeMap<String, Vec<Value>>, Failure> {
    let mut attributes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for pair in pairs {
        let (name, value) = attribute("--allow", pair)?;
        attributes.entry(name).or_default().push(value);
    }
    Ok(attributes)
}

/// `tenant_id=t-1` is a text, `regions:=["eu","us"]` is JSON.
fn attribute(flag: &str, pair: &str) -> Result<(String, Value), Failure> {
    let input = |fault: String| Failure::input(anyhow!(fault));
    let shape = || input(format!("{flag} takes NAME=TEXT or NAME:=JSON"));
    let (name, text) = pair.split_once('=').ok_or_else(shape)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(text)
                .map_err(|error| input(format!("{flag} {name}:= takes JSON: {error}")))?;
            (name, value)
        }
        None => (name, Value::String(text.to_owned())),
    };
    if name.is_empty() {
        return Err(shape());
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fixed(pairs: &[&str]) -> Result<Value, String> {
        let pairs: Vec<String> = pairs.iter().map(|it| (*it).to_owned()).collect();
        let attributes = fixed_attributes(&pairs).map_err(|fault| fault.to_string())?;
        Ok(json!(attributes))
    }

    #[test]
    fn attributes_are_texts_unless_they_say_otherwise() {
        let given = [
            "a=7",
            "b:=7",
            "c:=[\"x\",1]",
            "d=x=y",
            "e=true",
            "f=",
            "g=[1]",
        ];
        let read = json!({ "a": "7", "b": 7, "c": ["x", 1], "d": "x=y", "e": "true", "f": "", "g": "[1]" });
        assert_eq!(fixed(&given), Ok(read));
        for bad in [&["a"][..], &["=x"], &[":=1"], &["a:=x"], &["a:="]] {
            assert!(fixed(bad).is_err(), "{bad:?}");
        }
        assert!(fixed(&["a=1", "a:=1"]).unwrap_err().contains("twice"));
        let allowed = ["r=eu", "r=us", "n:=1"].map(ToOwned::to_owned);
        let read = allowed_attributes(&allowed).map_err(|fault| fault.to_string());
        assert_eq!(json!(read.unwrap()), json!({ "n": [1], "r": ["eu", "us"] }));
    }

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
