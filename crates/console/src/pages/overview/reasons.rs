//! What the codes of refusals mean: the tables of `docs/errors.md`, of this very version.

use std::sync::LazyLock;

use askama::Template;
use axum::response::Response;

use crate::page::{Frame, Section, ok};
use crate::person::Person;

const DOCUMENT: &str = include_str!("../../../../../docs/errors.md");

/// A code, its status, and when it is answered.
#[derive(Clone, Debug)]
struct Reason {
    code: &'static str,
    status: &'static str,
    meaning: Vec<Span>,
}

/// A piece of text, or of code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    text: &'static str,
    is_code: bool,
}

#[derive(Template)]
#[template(path = "overview/reasons.html")]
struct ReasonsPage {
    frame: Frame,
    reasons: &'static [Reason],
}

static REASONS: LazyLock<Vec<Reason>> = LazyLock::new(|| {
    let mut reasons: Vec<Reason> = DOCUMENT.lines().filter_map(reason).collect();
    reasons.sort_by_key(|reason| reason.code);
    reasons.dedup_by_key(|reason| reason.code);
    reasons
});

/// Is it told what this code means?
pub(super) fn is_explained(code: &str) -> bool {
    REASONS.iter().any(|reason| reason.code == code)
}

pub(super) async fn page(person: Person) -> Response {
    ok(&ReasonsPage {
        frame: person.frame(Section::Overview, "What refusals mean"),
        reasons: &REASONS,
    })
}

/// A line of a table: code, status, meaning.
fn reason(line: &'static str) -> Option<Reason> {
    let (code, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    let (status, meaning) = rest.strip_suffix(" |")?.split_once(" | ")?;
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    is_status.then(|| Reason {
        code,
        status,
        meaning: spans(meaning),
    })
}

/// Every second piece between backticks is code.
fn spans(text: &'static str) -> Vec<Span> {
    let pieces = text.split('`').enumerate();
    pieces
        .filter(|(_, text)| !text.is_empty())
        .map(|(place, text)| Span {
            text,
            is_code: place % 2 == 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_are_charted_are_explained() {
        let others = [
            "rate_limited",
            "key_expired",
            "invalid_api_key",
            "scope_not_granted",
            "already_renewed",
        ];
        let codes = policy::ReasonCode::ALL.iter().map(|code| code.as_str());
        for code in codes.chain(others) {
            assert!(is_explained(code), "{code}");
        }
        assert!(!is_explained("no_such_code"));
    }

    #[test]
    fn code_is_told_from_text() {
        let line = "| `key_expired` | 401 | see `Retry-After`, later |";
        let found = reason(line).unwrap();
        assert_eq!((found.code, found.status), ("key_expired", "401"));
        let texts: Vec<_> = found
            .meaning
            .iter()
            .map(|it| (it.text, it.is_code))
            .collect();
        assert_eq!(
            texts,
            [("see ", false), ("Retry-After", true), (", later", false)]
        );
        assert!(reason("| code | status | when |").is_none());
        assert!(reason("| `warning` | text |").is_none());
    }
}
