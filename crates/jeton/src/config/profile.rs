//! Which server the command line talks to, and with which API key.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use figment::providers::Env;
use key_admin::PresentedKey;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{is_loopback, read_secret_file};
use crate::failure::Failure;
use crate::private_file;

/// A server and a key for it. Never half from one source and half from another: a key goes only where it was meant to.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) url: ServerUrl,
    pub(crate) api_key: SecretString,
}

/// The address of a server: `https`, or on this machine itself also `http`.
#[derive(Clone, Debug)]
pub(crate) struct ServerUrl(Url);

/// A profile as it is kept in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    url: String,
    api_key: String,
}

impl ServerUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "a server's URL is like https://tokens.example.com".to_owned();
        let mut url = Url::parse(text).map_err(|_| wrong())?;
        let extra = url.query().is_some() || url.fragment().is_some();
        if url.host().is_none() || extra || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a server's URL holds no user name and no password".into());
        }
        if url.scheme() == "http" && !is_loopback(url.as_str()) {
            return Err(
                "the server's URL must be https: over plain http anybody on the way could read the key"
                    .into(),
            );
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.0.as_str())
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address of something that this server has; every segment is quoted.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl Profile {
    pub(crate) fn new(url: ServerUrl, api_key: SecretString) -> Result<Self, Failure> {
        PresentedKey::parse(api_key.expose_secret())
            .map_err(|_| Failure::input(anyhow!("the API key is not a well-formed one (jtn_…)")))?;
        Ok(Self { url, api_key })
    }

    /// The profile of the environment, else that of the file; `None` when there is neither.
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        match (set("JETON_URL"), set("JETON_API_KEY")) {
            (Some(url), Some(key)) => {
                let url = ServerUrl::parse(&url)
                    .map_err(|fault| Failure::input(anyhow!("JETON_URL: {fault}")))?;
                Self::new(url, key.into()).map(Some)
            }
            (None, None) => match file() {
                Some(file) => Self::read(&file),
                None => Ok(None),
            },
            _ => Err(Failure::input(anyhow!(
                "set both JETON_URL and JETON_API_KEY, or neither: a key goes only to the server it is for"
            ))),
        }
    }

    fn read(file: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let text = read_secret_file(file).map_err(|fault| Failure::input(anyhow!(fault)))?;
        // The parser's own text quotes the line, which may hold the key.
        let unusable = |why: &str| {
            let file = file.display();
            Failure::input(anyhow!("{file}: {why}; `jeton login` writes it anew"))
        };
        let stored: Stored =
            toml::from_str(text.expose_secret()).map_err(|_| unusable("not a profile"))?;
        let url = ServerUrl::parse(&stored.url).map_err(|fault| unusable(&fault))?;
        Self::new(url, stored.api_key.into())
            .map(Some)
            .map_err(|fault| unusable(&fault.to_string()))
    }

    /// Writes the profile file, and says where that is.
    pub(crate) fn store(&self) -> Result<PathBuf, Failure> {
        let file = file().ok_or_else(|| {
            Failure::input(anyhow!(
                "there is no place for a profile: set HOME or XDG_CONFIG_HOME"
            ))
        })?;
        if let Some(directory) = file.parent() {
            private_file::create_directory(directory)?;
        }
        let stored = Stored {
            url: self.url.as_str().to_owned(),
            api_key: self.api_key.expose_secret().to_owned(),
        };
        private_file::write(&file, &toml::to_string(&stored).map_err(Failure::server)?)?;
        Ok(file)
    }

    /// Removes the profile file; `None` when there is none.
    pub(crate) fn remove() -> Result<Option<PathBuf>, Failure> {
        let Some(file) = file() else { return Ok(None) };
        match std::fs::remove_file(&file) {
            Ok(()) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::input(anyhow!("{}: {error}", file.display()))),
        }
    }

    /// Does the environment win over the file?
    pub(crate) fn is_in_the_environment() -> bool {
        set("JETON_URL").is_some() || set("JETON_API_KEY").is_some()
    }
}

/// Where the profile is kept, by the XDG base directory specification.
fn file() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let configured = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(absolute);
    let home = || set("HOME").map(PathBuf::from).filter(absolute);
    let base = configured.or_else(|| home().map(|home| home.join(".config")))?;
    Some(base.join("jeton").join("profile.toml"))
}

fn set(variable: &str) -> Option<String> {
    Env::var(variable).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_travels_encrypted_or_not_at_all() {
        for good in [
            "https://tokens.example.com",
            "http://127.0.0.1:8080/",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(ServerUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://tokens.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "https://user:word@tokens.example.com",
            "https://tokens.example.com?x=1",
            "tokens.example.com",
            "",
        ] {
            assert!(ServerUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_added_to_the_servers_own() {
        let root = ServerUrl::parse("https://t.example/").unwrap();
        assert_eq!(root.as_str(), "https://t.example");
        let account = root.join(&["v1", "a/b"]);
        assert_eq!(account.as_str(), "https://t.example/v1/a%2Fb");
        let below = ServerUrl::parse("https://t.example/jeton/").unwrap();
        assert_eq!(below.join(&["v1"]).as_str(), "https://t.example/jeton/v1");
    }
}
