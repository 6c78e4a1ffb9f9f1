//! Reasons as a case expects them: `code`, or `code /pointer` for one at a certain place.

use serde::{Deserialize, Deserializer, de::Error};

use crate::decision::{Reason, ReasonCode};

/// A reason that a refusal must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedReason {
    /// What it is.
    pub code: ReasonCode,
    /// Where in the request. `None`: anywhere.
    pub pointer: Option<String>,
}

impl<'de> Deserialize<'de> for ExpectedReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, pointer) = match text.split_once(' ') {
            Some((name, pointer)) => (name, Some(pointer.trim().to_owned())),
            None => (text.as_str(), None),
        };
        let code = ReasonCode::ALL.iter().find(|code| code.as_str() == name);
        let code = code.ok_or_else(|| D::Error::custom("there is no such code of a reason"))?;
        Ok(Self {
            code: *code,
            pointer,
        })
    }
}

impl ExpectedReason {
    fn is(&self, reason: &Reason) -> bool {
        let at = self.pointer.as_ref();
        self.code == reason.code && at.is_none_or(|pointer| *pointer == reason.pointer)
    }
}

/// Does each reason answer to one that is expected, and the other way round? Those with a pointer choose first, for the
/// others take any of their code.
pub(super) fn are_all(expected: &[ExpectedReason], reasons: &[Reason]) -> bool {
    let mut left: Vec<&Reason> = reasons.iter().collect();
    let (precise, vague): (Vec<_>, Vec<_>) = expected.iter().partition(|it| it.pointer.is_some());
    for wanted in precise.into_iter().chain(vague) {
        let Some(index) = left.iter().position(|reason| wanted.is(reason)) else {
            return false;
        };
        left.swap_remove(index);
    }
    left.is_empty()
}
