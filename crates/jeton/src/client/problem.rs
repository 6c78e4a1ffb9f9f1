//! An answer that says no, in words.

use anyhow::anyhow;
use reqwest::StatusCode;
use serde_json::Value;

use crate::failure::Failure;
use crate::output::plain;

/// What the problem document says, and whose fault it is.
pub(super) fn failure(status: StatusCode, problem: &Value) -> Failure {
    let error = anyhow!(describe(status, problem));
    if status.is_client_error() {
        Failure::input(error)
    } else {
        Failure::server(error)
    }
}

fn describe(status: StatusCode, problem: &Value) -> String {
    let text = |at: &str| problem.pointer(at).and_then(Value::as_str).map(plain);
    let detail = text("/detail").unwrap_or_else(|| format!("HTTP {status}"));
    let code = text("/code").unwrap_or_else(|| "no code".into());
    let mut lines = vec![format!("{detail} ({code}, {})", status.as_u16())];
    for error in problem["errors"].as_array().into_iter().flatten() {
        let member = |name: &str| plain(error[name].as_str().unwrap_or_default());
        lines.push(format!("  {}: {}", member("pointer"), member("detail")));
    }
    if let Some(id) = text("/request_id") {
        lines.push(format!("  request id: {id}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_the_server_says_is_shown_on_plain_lines() {
        let problem = json!({
            "detail": "Two things\u{1b}[31m.", "code": "invalid", "request_id": "req_1",
            "errors": [{ "pointer": "/a", "detail": "One." }, { "pointer": "/b", "detail": "Two." }],
        });
        let told = describe(StatusCode::UNPROCESSABLE_ENTITY, &problem);
        let expected =
            "Two things\u{fffd}[31m. (invalid, 422)\n  /a: One.\n  /b: Two.\n  request id: req_1";
        assert_eq!(told, expected);
    }
}
