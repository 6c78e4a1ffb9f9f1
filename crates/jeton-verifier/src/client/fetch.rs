//! One HTTP GET, with limits.

use std::time::Duration;

use reqwest::header::{
    AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH,
};
use reqwest::{Client, Response, StatusCode, redirect};
use url::{Host, Url};

use super::SettingsError;
use crate::jwk::JwksError;
use crate::revocations::SnapshotError;

/// How many redirects are followed, within one host.
const MAX_REDIRECTS: usize = 3;

/// Why a document could not be had. What is held stays in use until it is too old.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No answer: no connection, no trusted certificate, too slow, or a redirect to elsewhere.
    #[error("the issuer did not answer: {0}")]
    Transport(#[source] reqwest::Error),
    /// An answer of another status than 200 or an expected 304.
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// A body above the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A body of another media type, or that is not text.
    #[error("the answer is of another media type")]
    MediaType,
    /// Not a JWKS of use.
    #[error(transparent)]
    Keys(#[from] JwksError),
    /// Not a snapshot of use.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A token asked for a fetch too soon after the last one.
    #[error("too soon after the last attempt")]
    CoolingDown,
}

/// What the issuer answered.
pub(super) struct Answer {
    /// `None` if the document has not changed.
    pub(super) body: Option<String>,
    pub(super) etag: Option<String>,
    /// What is left of `max-age`, if the issuer gave one.
    pub(super) fresh_for: Option<Duration>,
}

/// Fetches one URL.
pub(super) struct Fetcher {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) max_bytes: usize,
    /// The media type that the answer must have, if any.
    pub(super) media_type: Option<&'static str>,
}

impl Fetcher {
    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Gets the document, unless it still is the one that `etag` names. With `revalidate`, caches on the way are told
    /// to ask the issuer.
    pub(super) async fn get(
        &self,
        etag: Option<&str>,
        revalidate: bool,
    ) -> Result<Answer, FetchError> {
        let mut request = self.client.get(self.url.clone());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if revalidate {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        let response = request.send().await.map_err(transport)?;
        let fresh_for = fresh_for(response.headers());
        let new_etag = text(response.headers(), &ETAG).map(str::to_owned);
        let body = match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => None,
            StatusCode::OK => Some(self.body(response).await?),
            status => return Err(FetchError::Status(status.as_u16())),
        };
        let etag = new_etag.or_else(|| etag.filter(|_| body.is_none()).map(str::to_owned));
        Ok(Answer {
            body,
            etag,
            fresh_for,
        })
    }

    async fn body(&self, mut response: Response) -> Result<String, FetchError> {
        let given = text(response.headers(), &CONTENT_TYPE)
            .map(|given| given.split(';').next().unwrap_or_default().trim());
        if let Some(expected) = self.media_type
            && !given.is_some_and(|given| given.eq_ignore_ascii_case(expected))
        {
            return Err(FetchError::MediaType);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(FetchError::TooLarge(self.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| FetchError::MediaType)
    }
}

/// A URL that may be fetched: https, or http to this machine.
pub(super) fn allowed(url: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(url).map_err(|_| SettingsError::Url)?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    if !secure {
        return Err(SettingsError::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SettingsError::Url);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A client for one URL. `timeout` is for the whole exchange.
pub(super) fn client(url: &Url, timeout: Duration) -> Result<Client, SettingsError> {
    let builder = Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::custom(same_host));
    // A proxy of the environment has no business between two programs of one machine.
    let builder = if is_loopback(url) {
        builder.no_proxy()
    } else {
        builder.https_only(true)
    };
    builder.build().map_err(SettingsError::Client)
}

/// Follows a redirect only to the same scheme, host and port.
fn same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let elsewhere = attempt
        .previous()
        .first()
        .is_none_or(|first| first.origin() != attempt.url().origin());
    if elsewhere || attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("a redirect to elsewhere")
    } else {
        attempt.follow()
    }
}

/// RFC 9111 section 4.2: `max-age` less the `Age` that caches on the way have added. `no-store` and `no-cache` ask to
/// be asked again at once.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for directives in headers.get_all(CACHE_CONTROL) {
        for directive in directives.to_str().ok()?.split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            match directive.split_once('=') {
                Some(("max-age", seconds)) => {
                    max_age = Some(seconds.trim_matches('"').parse::<u64>().ok()?);
                }
                None if directive == "no-store" || directive == "no-cache" => {
                    return Some(Duration::ZERO);
                }
                _ => {}
            }
        }
    }
    let age = text(headers, &AGE).map_or(Ok(0), str::parse::<u64>).ok()?;
    Some(Duration::from_secs(max_age?.saturating_sub(age)))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn transport(error: reqwest::Error) -> FetchError {
    FetchError::Transport(error.without_url())
}
