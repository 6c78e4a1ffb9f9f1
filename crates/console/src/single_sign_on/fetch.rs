use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect;
use url::Url;

use super::settings::is_usable;

/// How long one request may take as a whole.
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read: 512 KiB.
const MAX_BYTES: usize = 512 * 1024;

/// HTTP to one provider.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    http: reqwest::Client,
    plain: bool,
}

/// Why there is no answer. None of the texts holds anything that was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// An address of the provider that is not https.
    #[error("an address of the provider is not https")]
    Address,
    /// The request could not be put together.
    #[error("the request could not be made")]
    Request,
    /// The provider is not reached, or does not answer in time.
    #[error("{}", described(.0))]
    Transport(#[source] reqwest::Error),
    /// More than anybody needs to say.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

/// The error without its address, and with its causes: the first line alone says little.
fn described(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Fetcher {
    /// `plain` allows http on this machine.
    pub(super) fn new(plain: bool) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("jeton/", env!("CARGO_PKG_VERSION")))
            // Wherever a redirect leads, codes, secrets and tokens were not meant for it.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        builder = if plain {
            builder.no_proxy()
        } else {
            builder.https_only(true)
        };
        let http = builder.build()?;
        Ok(Self { http, plain })
    }

    /// May this address be asked, or a browser be sent there?
    pub(super) fn may_ask(&self, url: &Url) -> bool {
        is_usable(url, self.plain)
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let request = reqwest::Request::try_from(request).map_err(|_| FetchError::Request)?;
        if !self.may_ask(request.url()) {
            return Err(FetchError::Address);
        }
        let transport = |error: reqwest::Error| FetchError::Transport(error.without_url());
        let mut answer = self.http.execute(request).await.map_err(transport)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetcher {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}
