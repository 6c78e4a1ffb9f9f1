//! What a decision notes on its way: every reason against a grant and, when somebody asked why, every rule that took
//! part.

use std::fmt;

use serde::Serialize;

use super::reasons::{Denial, MAX_REASONS, Reason, ReasonCode, pointer};

/// What a rule did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It let a part of the request pass.
    Allowed,
    /// It stands against the grant.
    Refused,
    /// It put something into the token that was not requested.
    Added,
    /// It changed or shortened what was requested or usual.
    Narrowed,
}

/// One rule that took part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where the rule stands: in the policy, the key's ceiling, the audience, or the form of a request itself.
    pub rule: String,
    /// What it did.
    pub outcome: Outcome,
    /// The same in English. Never repeats the subject or the value of an attribute.
    pub detail: String,
}

/// A rule, named without an allocation until somebody wants to read it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'a> {
    /// What every request must be.
    Request,
    /// The policy as a whole.
    Policy,
    /// A field of a role.
    Role(&'a str, &'static str),
    /// A field of an attribute.
    Attribute(&'a str, &'static str),
    /// A field of the key's ceiling.
    Ceiling(&'static str),
    /// A field of the audience.
    Audience(&'static str),
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => formatter.write_str("request"),
            Self::Policy => formatter.write_str("policy"),
            Self::Role(name, "") => write!(formatter, "roles.{name}"),
            Self::Role(name, field) => write!(formatter, "roles.{name}.{field}"),
            Self::Attribute(name, "") => write!(formatter, "attributes.{name}"),
            Self::Attribute(name, field) => write!(formatter, "attributes.{name}.{field}"),
            Self::Ceiling(field) => write!(formatter, "ceiling.{field}"),
            Self::Audience("") => formatter.write_str("audience"),
            Self::Audience(field) => write!(formatter, "audience.{field}"),
        }
    }
}

/// The notes.
pub(super) struct Trail {
    reasons: Vec<Reason>,
    /// `None` when nobody asked why.
    steps: Option<Vec<Step>>,
}

impl Trail {
    /// Notes reasons only.
    pub(super) fn silent() -> Self {
        Self {
            reasons: Vec::new(),
            steps: None,
        }
    }

    /// Notes every rule.
    pub(super) fn telling() -> Self {
        Self {
            reasons: Vec::new(),
            steps: Some(Vec::new()),
        }
    }

    /// Notes a reason; `path` is where in the request it applies, segment by segment.
    pub(super) fn refuse(
        &mut self,
        rule: Rule<'_>,
        code: ReasonCode,
        path: &[&str],
        detail: impl Into<String>,
    ) {
        if self.reasons.len() >= MAX_REASONS {
            return;
        }
        let detail = detail.into();
        self.note(rule, Outcome::Refused, || detail.clone());
        let pointer = pointer(path);
        self.reasons.push(Reason {
            code,
            pointer,
            detail,
        });
    }

    /// Notes a rule that is no reason against the grant.
    pub(super) fn note(
        &mut self,
        rule: Rule<'_>,
        outcome: Outcome,
        detail: impl FnOnce() -> String,
    ) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step {
                rule: rule.to_string(),
                outcome,
                detail: detail(),
            });
        }
    }

    /// The denial, unless no reason was found; and the rules.
    pub(super) fn finish(self) -> (Option<Denial>, Vec<Step>) {
        let denial = Denial::new(self.reasons);
        (denial, self.steps.unwrap_or_default())
    }
}
