use serde::{Deserialize, Serialize};
use url::Url;

/// The origin of a web page ([RFC 6454](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)), written exactly as
/// browsers send it: `https://app.example.com`, lower case, no default port, no path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WebOrigin(String);

/// The text is no [`WebOrigin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is written as browsers send it, like https://app.example.com or http://localhost:3000: no path, no default port, no wildcard"
)]
pub struct InvalidOrigin;

impl WebOrigin {
    /// Takes exactly what a browser could send. Plain HTTP is for the machine itself.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let secure = url.scheme() == "https" || (url.scheme() == "http" && local);
        let exact = url.origin().ascii_serialization() == text && !text.contains('*');
        if secure && exact {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOrigin)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for WebOrigin {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_sends_is_an_origin() {
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "https://xn--bcher-kva.example",
        ] {
            assert!(WebOrigin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://APP.example.com",
            "https://user@app.example.com",
            "http://app.example.com",
            "http://localhost.example.com",
            "ftp://app.example.com",
            "file:///tmp",
            "https://app.example.com ",
            "https://bücher.example",
        ] {
            assert_eq!(WebOrigin::parse(bad), Err(InvalidOrigin), "{bad}");
        }
    }
}
