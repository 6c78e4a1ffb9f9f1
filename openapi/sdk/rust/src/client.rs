//! The configuration that all operations take.

use std::time::Duration;

use http::Extensions;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next};

use crate::Error;
use crate::apis::configuration::Configuration;
use crate::problem::Problems;
use crate::retry::{Retry, Retrying};

/// What the operations of [`crate::apis`] take, for the server at this address: it presents the API key, sends again
/// what the server could not answer, and makes a [`crate::Problem`] of every error answer.
///
/// # Errors
///
/// The key cannot stand in a header, or there is no TLS to be had.
pub fn connect(url: &str, api_key: &str) -> Result<Configuration, Error> {
    Builder::default().connect(url, api_key)
}

/// [`connect`] with other settings.
#[derive(Clone)]
pub struct Builder {
    /// How often and when requests are sent again.
    pub retry: Retry,
    /// How long one attempt may take; 30 seconds unless changed.
    pub timeout: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

impl Builder {
    /// As the function [`connect`].
    ///
    /// # Errors
    ///
    /// As the function [`connect`].
    pub fn connect(self, url: &str, api_key: &str) -> Result<Configuration, Error> {
        let mut key = HeaderValue::from_str(api_key)
            .map_err(|_| Error::Answer("the API key cannot stand in a header".to_owned()))?;
        key.set_sensitive(true);
        let client = reqwest::Client::builder()
            .timeout(self.timeout)
            // The API redirects nowhere, and the key is for this server alone.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::Transport(error.into()))?;
        let client = ClientBuilder::new(client)
            .with(Problems)
            .with(Retrying(self.retry))
            .with(Authentication(key))
            .build();
        Ok(Configuration {
            base_path: url.trim_end_matches('/').to_owned(),
            user_agent: Some(concat!("jeton-rust/", env!("CARGO_PKG_VERSION")).to_owned()),
            client,
            ..Configuration::default()
        })
    }
}

/// Adds the API key to requests that bring no credential of their own.
struct Authentication(HeaderValue);

#[async_trait::async_trait]
impl Middleware for Authentication {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if !request.headers().contains_key(AUTHORIZATION) {
            let name = HeaderName::from_static("x-api-key");
            request.headers_mut().insert(name, self.0.clone());
        }
        next.run(request, extensions).await
    }
}
