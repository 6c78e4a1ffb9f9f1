//! What became of requests. Every answer passes here on its way out, once.

use std::time::Instant;

use axum::response::Response;
use http::{Method, StatusCode};
use storage::Timestamp;
use storage::metrics::{Counter, Histogram, HistogramSnapshot};

use crate::problem::Problem;

/// The operations that issue tokens: their names in the label, and their paths.
const ENDPOINTS: [(&str, &str); 5] = [
    ("session_token", "/v1/session-tokens"),
    ("batch", BATCH),
    ("renewal", "/v1/session-tokens/renew"),
    ("exchange", "/oauth2/token"),
    ("embed", "/embed/generate-token"),
];
const BATCH: &str = "/v1/session-tokens/batch";

/// What can become of a request for a token.
const RESULTS: [&str; 6] = [
    "issued",
    "refused",
    "unauthenticated",
    "rate_limited",
    "overloaded",
    "failed",
];

/// The classes of statuses, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of this server.
#[derive(Debug)]
pub struct RequestMetrics {
    started_at: Timestamp,
    classes: [Counter; CLASSES.len()],
    issuances: [[Counter; RESULTS.len()]; ENDPOINTS.len()],
    issuing: Histogram,
}

impl RequestMetrics {
    /// Those of a server that starts now.
    pub fn new(now: Timestamp) -> Self {
        Self {
            started_at: now,
            classes: Default::default(),
            issuances: Default::default(),
            issuing: Histogram::of_times(),
        }
    }

    /// Counts an answer to a request for this route that began then.
    pub fn answered(&self, (method, route): (&Method, &str), began: Instant, answer: &Response) {
        let status = answer.status();
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1);
        if let Some(class) = self.classes.get(class) {
            class.increment();
        }
        if *method != Method::POST {
            return;
        }
        let Some(endpoint) = ENDPOINTS.iter().position(|(_, path)| *path == route) else {
            return;
        };
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.issuing.observe(nanos);
        let code = answer.extensions().get::<Problem>().map(Problem::code);
        // A dry run issues nothing, and of a batch each request has been counted by itself.
        let own_result = match route {
            BATCH => !status.is_success(),
            "/v1/session-tokens" => status != StatusCode::OK,
            _ => true,
        };
        if own_result {
            self.count(endpoint, result(status, code));
        }
    }

    /// Counts one request of a batch, by its problem.
    pub fn batched(&self, problem: Option<&Problem>) {
        let of_problem = |it: &Problem| result(it.status(), Some(it.code()));
        let result = problem.map_or("issued", of_problem);
        if let Some(batch) = ENDPOINTS.iter().position(|(_, path)| *path == BATCH) {
            self.count(batch, result);
        }
    }

    fn count(&self, endpoint: usize, result: &str) {
        let result = RESULTS.iter().position(|it| *it == result);
        let row = self.issuances.get(endpoint);
        if let Some(counter) = row.zip(result).and_then(|(row, place)| row.get(place)) {
            counter.increment();
        }
    }

    /// When the server started.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// How many answers of each class of statuses there were.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.classes.iter().map(Counter::get);
        CLASSES.into_iter().zip(counts)
    }

    /// How many requests for tokens at each endpoint had each result.
    pub fn issuances(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let rows = ENDPOINTS.iter().zip(&self.issuances);
        rows.flat_map(|((endpoint, _), row)| {
            let cells = RESULTS.iter().zip(row);
            cells.map(|(result, count)| (*endpoint, *result, count.get()))
        })
    }

    /// How long answering requests for tokens took, whatever came of them.
    pub fn issuing(&self) -> HistogramSnapshot {
        self.issuing.snapshot()
    }
}

/// What the status and the code of an answer say.
fn result(status: StatusCode, code: Option<&str>) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        StatusCode::SERVICE_UNAVAILABLE if code == Some("overloaded") => "overloaded",
        status if status.is_success() => "issued",
        status if status.is_client_error() => "refused",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn counted(requests: &[(Method, &'static str, Response)]) -> Vec<(&'static str, &'static str)> {
        let metrics = RequestMetrics::new(Timestamp::from_unix_seconds(0));
        for (method, route, answer) in requests {
            metrics.answered((method, route), Instant::now(), answer);
        }
        let found = metrics.issuances().filter(|(_, _, count)| *count > 0);
        found
            .map(|(endpoint, result, _)| (endpoint, result))
            .collect()
    }

    #[test]
    fn every_answer_has_one_result() {
        let problem =
            |status: StatusCode, code| Problem::new(status, code, "Detail.").into_response();
        for (status, code, expected) in [
            (
                StatusCode::UNAUTHORIZED,
                "invalid_api_key",
                "unauthenticated",
            ),
            (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "rate_limited",
            ),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "missing_attribute",
                "refused",
            ),
            (StatusCode::FORBIDDEN, "permission_denied", "refused"),
            (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "overloaded"),
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "failed"),
            (StatusCode::INTERNAL_SERVER_ERROR, "internal", "failed"),
        ] {
            for (endpoint, path) in ENDPOINTS {
                let found = counted(&[(Method::POST, path, problem(status, code))]);
                assert_eq!(found, [(endpoint, expected)], "{status} {code}");
            }
        }
    }

    #[test]
    fn only_what_issues_is_an_issuance() {
        let ok = || StatusCode::OK.into_response();
        assert_eq!(counted(&[(Method::POST, "/v1/api-keys", ok())]), []);
        assert_eq!(counted(&[(Method::GET, "/oauth2/token", ok())]), []);
        assert_eq!(counted(&[(Method::POST, "/v1/session-tokens", ok())]), []);
        assert_eq!(counted(&[(Method::POST, BATCH, ok())]), []);
        let exchanged = counted(&[(Method::POST, "/oauth2/token", ok())]);
        assert_eq!(exchanged, [("exchange", "issued")]);
        let created = StatusCode::CREATED.into_response();
        let created = counted(&[(Method::POST, "/v1/session-tokens", created)]);
        assert_eq!(created, [("session_token", "issued")]);
    }
}
