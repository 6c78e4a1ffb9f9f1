//! The API as the command line calls it.

mod problem;

use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use crate::config::{Profile, ServerUrl};
use crate::failure::Failure;

/// The longest answer that is read: far above a page of anything.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// The most entries of one page.
const PAGE: usize = 100;

/// Calls one server with one key.
pub(crate) struct Client {
    http: reqwest::Client,
    url: ServerUrl,
}

/// A body that is not made of parts, such as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Its kind, for `Content-Type`.
    pub(crate) media_type: &'static str,
    /// The text itself.
    pub(crate) body: String,
    /// The version that must be there, for `If-Match`.
    pub(crate) if_match: Option<i64>,
}

/// The parameters of a query; what is absent is left out.
pub(crate) type Query<'a> = &'a [(&'a str, Option<String>)];

impl Client {
    /// A client of the configured profile.
    pub(crate) fn configured() -> Result<Self, Failure> {
        match Profile::find()? {
            Some(profile) => Self::new(&profile),
            None => Err(no_profile()),
        }
    }

    pub(crate) fn new(profile: &Profile) -> Result<Self, Failure> {
        let credential = format!("ApiKey {}", profile.api_key.expose_secret());
        let mut credential = HeaderValue::try_from(credential).map_err(Failure::input)?;
        credential.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, credential)]))
            .user_agent(concat!("jeton/", env!("CARGO_PKG_VERSION")))
            // Wherever a redirect leads, the key was not meant for it.
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1));
        builder = if profile.url.is_loopback() {
            builder.no_proxy()
        } else {
            builder.https_only(true)
        };
        Ok(Self {
            http: builder.build().map_err(Failure::server)?,
            url: profile.url.clone(),
        })
    }

    pub(crate) async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Value, Failure> {
        self.call(Method::GET, path, query, None).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: Option<Value>) -> Result<Value, Failure> {
        self.call(Method::POST, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &[&str], body: Value) -> Result<Value, Failure> {
        self.call(Method::PATCH, path, &[], Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: Query<'_>) -> Result<(), Failure> {
        self.call(Method::DELETE, path, query, None).await.map(drop)
    }

    /// The entries of a list, page by page, `most` at most.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: Query<'_>,
        most: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut entries = Vec::new();
        let mut cursor = None;
        while entries.len() < most {
            let limit = (most - entries.len()).min(PAGE).to_string();
            let page = [("limit", Some(limit)), ("cursor", cursor)];
            let mut answer = self.get(path, &[query, &page].concat()).await?;
            let Value::Array(mut found) = answer["data"].take() else {
                return Err(Failure::server(anyhow!("the answer has no list in it")));
            };
            let empty = found.is_empty();
            entries.append(&mut found);
            cursor = answer["next_cursor"].as_str().map(ToOwned::to_owned);
            if cursor.is_none() || empty {
                break;
            }
        }
        Ok(entries)
    }

    /// Puts a text in place of what is there.
    pub(crate) async fn put(
        &self,
        path: &[&str],
        query: Query<'_>,
        text: Text,
    ) -> Result<Value, Failure> {
        let mut request = self
            .http
            .request(Method::PUT, self.address(path, query))
            .header(CONTENT_TYPE, text.media_type)
            .body(text.body);
        if let Some(version) = text.if_match {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        self.send(request).await
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.http.request(method, self.address(path, query));
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        self.send(request).await
    }

    fn address(&self, path: &[&str], query: Query<'_>) -> Url {
        let mut url = self.url.join(path);
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let unreachable = || format!("{} cannot be reached", self.url.as_str());
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let response = sent.with_context(unreachable).map_err(Failure::server)?;
        answer(response).await
    }
}

/// Nobody has said which server to talk to.
pub(crate) fn no_profile() -> Failure {
    Failure::input(anyhow!(
        "no server is configured: run `jeton login --url URL`, or set JETON_URL and JETON_API_KEY"
    ))
}

/// The JSON of an answer that says yes.
async fn answer(mut response: Response) -> Result<Value, Failure> {
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location");
        let to = to.and_then(|to| to.to_str().ok()).unwrap_or_default();
        return Err(Failure::server(anyhow!(
            "the server redirects to `{}`, where the key is not sent: is that the server's URL?",
            crate::output::plain(to)
        )));
    }
    let body = read(&mut response).await?;
    if status == StatusCode::NO_CONTENT && body.is_empty() {
        return Ok(Value::Null);
    }
    let json: Option<Value> = serde_json::from_slice(&body).ok();
    match json {
        Some(json) if status.is_success() => Ok(json),
        Some(json) => Err(problem::failure(status, &json)),
        None => Err(Failure::server(anyhow!(
            "this is no answer of Jeton: HTTP {status}, and not JSON"
        ))),
    }
}

async fn read(response: &mut Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let broken = "the answer broke off";
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)
        .context(broken)
        .map_err(Failure::server)?
    {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Err(Failure::server(anyhow!("the answer does not end")));
        }
    }
    Ok(body)
}
