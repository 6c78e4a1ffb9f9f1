use reqwest::{Response, StatusCode, header::HeaderMap};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        Self::read(response).await.unwrap()
    }

    /// The same, where the server may end in the middle of it.
    pub(crate) async fn read(response: Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Self {
            status,
            headers,
            text: response.text().await?,
        })
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    /// The answer of a granted issuance.
    #[track_caller]
    pub(crate) fn issued(&self) -> Value {
        assert_eq!(self.status, 201, "{}", self.text);
        self.json()
    }

    /// The token of a granted issuance.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.issued()["token"].as_str().unwrap().to_owned()
    }

    /// Checks that this is a complete problem document of this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: StatusCode, code: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(
            (self.status, body["code"].as_str()),
            (status.as_u16(), Some(code)),
            "{}",
            self.text
        );
        assert_eq!(body["status"], status.as_u16());
        assert_eq!(body["type"], format!("urn:jeton:problem:{code}"));
        assert_eq!(body["request_id"], self.header("x-request-id"));
        for member in ["title", "detail", "request_id"] {
            assert!(
                body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {}",
                self.text
            );
        }
        assert_eq!(self.header("cache-control"), "no-store");
        body
    }
}
