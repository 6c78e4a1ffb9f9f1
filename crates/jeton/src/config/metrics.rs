//! Who may read `/metrics`.

use std::path::PathBuf;

use http_api::MetricsAccess;
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::secret::{ConfiguredSecret, one_of};

/// The fewest characters of a token: what is shorter can be guessed.
const MIN_TOKEN: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsSettings {
    /// What readers present as a bearer token.
    pub(crate) token: Option<ConfiguredSecret>,
    /// A file that holds it.
    pub(crate) token_file: Option<PathBuf>,
    /// The networks whose readers need no token.
    pub(crate) allow: Vec<IpNet>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            token: None,
            token_file: None,
            allow: MetricsAccess::this_machine(),
        }
    }
}

impl MetricsSettings {
    /// The same, with the token read.
    pub(crate) fn access(&self) -> Result<MetricsAccess, String> {
        let name = "metrics.token";
        let token = one_of(name, self.token.as_ref(), self.token_file.as_deref())?;
        let is_short = |it: &secrecy::SecretString| it.expose_secret().len() < MIN_TOKEN;
        if token.as_ref().is_some_and(is_short) {
            return Err(format!(
                "{name} has at least {MIN_TOKEN} characters: make one with `openssl rand -hex 32`"
            ));
        }
        Ok(MetricsAccess {
            token,
            allow: self.allow.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_said_in_one_place() {
        let with = |token: &str, file: Option<&str>| {
            let settings = MetricsSettings {
                token: Some(token.to_owned().into()),
                token_file: file.map(PathBuf::from),
                ..MetricsSettings::default()
            };
            settings.access()
        };
        assert!(with("0123456789abcdef", None).is_ok());
        let short = with("0123456789abcde", None).unwrap_err();
        assert!(!short.contains("0123456789"), "{short}");
        assert!(with("0123456789abcdef", Some("token")).is_err());
        let access = MetricsSettings::default().access().unwrap();
        assert!(access.token.is_none() && !access.allow.is_empty());
    }
}
