//! Sending again what was answered with 429 or 503.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use http::Extensions;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Request, Response, StatusCode};
use reqwest_middleware::{Middleware, Next};

/// Waits for a time.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// How often and when a request is sent again that was answered with 429 or 503: nothing was done then, so this is
/// safe for every operation. Before each further attempt it waits as long as `Retry-After` says, and on top of that a
/// random time, so that clients that were refused together do not come back together.
#[derive(Clone)]
pub struct Retry {
    /// How often a request is sent at most; 1 for no retries.
    pub attempts: u32,
    /// The upper end of the first random time. It doubles with each attempt.
    pub base: Duration,
    /// The longest wait. When the server asks for more, its answer is handed on at once.
    pub max_wait: Duration,
    /// How to wait.
    pub sleep: Sleep,
}

impl Default for Retry {
    /// Four attempts, none after more than 30 seconds.
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            max_wait: Duration::from_secs(30),
            sleep: Arc::new(|wait| Box::pin(tokio::time::sleep(wait))),
        }
    }
}

impl Retry {
    /// No retries.
    #[must_use]
    pub fn none() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// How long to wait after the attempt of this number, counted from 1; `None` to leave it at that.
    fn wait(&self, attempt: u32, response: &Response) -> Option<Duration> {
        let retriable = matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let asked = retry_after(response.headers()).unwrap_or_default();
        if !retriable || attempt >= self.attempts || asked > self.max_wait {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt - 1);
        let jitter = self.base.saturating_mul(doubled).min(self.max_wait);
        let wait = asked + jitter.mul_f64(fastrand::f64());
        Some(wait.min(self.max_wait))
    }
}

/// What the header asks for, in either form: seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

pub(crate) struct Retrying(pub(crate) Retry);

#[async_trait::async_trait]
impl Middleware for Retrying {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut request = request;
        for attempt in 1.. {
            // A body that is a stream is sent only once.
            let Some(copy) = request.try_clone() else {
                break;
            };
            let response = next.clone().run(request, extensions).await?;
            let Some(wait) = self.0.wait(attempt, &response) else {
                return Ok(response);
            };
            drop(response);
            (self.0.sleep)(wait).await;
            request = copy;
        }
        next.run(request, extensions).await
    }
}
