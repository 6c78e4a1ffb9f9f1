use std::path::Path;

use key_admin::MasterSecret;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// A configured value that is shown as `***`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct ConfiguredSecret(SecretString);

impl From<String> for ConfiguredSecret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Serialize for ConfiguredSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl ConfiguredSecret {
    pub(crate) fn to_secret(&self) -> SecretString {
        self.0.clone()
    }
}

/// What marks the master secret of `jeton dev`, so that production refuses it.
pub(crate) const DEV_MARK: &str = "jeton-dev:";

/// Reads a secret from a file that only its owner can read.
pub(crate) fn read_secret_file(file: &Path) -> Result<SecretString, String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata =
            std::fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(format!(
                "{} can be read by others: chmod 600 it",
                file.display()
            ));
        }
    }
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.trim().into())
}

/// A secret: the setting of this name, or the content of the file that the setting beside it names.
pub(super) fn one_of(
    name: &str,
    text: Option<&ConfiguredSecret>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, String> {
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("set {name} or {name}_file, not both")),
        (Some(secret), None) => Ok(Some(secret.to_secret())),
        (None, Some(file)) => read_secret_file(file).map(Some),
        (None, None) => Ok(None),
    }
}

/// A production master secret: the setting of this name, or the file that the setting beside it names.
pub(super) fn master(
    name: &str,
    text: Option<&ConfiguredSecret>,
    file: Option<&Path>,
) -> Result<Option<MasterSecret>, String> {
    let Some(text) = one_of(name, text, file)? else {
        return Ok(None);
    };
    let master = parse_master(&text).map_err(|fault| format!("{name}: {fault}"))?;
    Ok(Some(master))
}

fn parse_master(text: &SecretString) -> Result<MasterSecret, String> {
    if text.expose_secret().starts_with(DEV_MARK) {
        return Err(
            "this master secret was made by `jeton dev`: make one with `openssl rand -hex 32`"
                .into(),
        );
    }
    MasterSecret::parse(text.expose_secret()).map_err(|error| error.to_string())
}
