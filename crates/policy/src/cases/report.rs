//! What came out.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::decision::Reason;

/// All cases, in the order of their file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CasesReport {
    /// How many passed.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// Each case.
    pub cases: Vec<CaseReport>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Whether everything was as expected.
    pub passed: bool,
    /// What was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Why the request was refused, if it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which field of the case expected it: `expect`, `token.scope`, `access[0]`, …
    pub field: String,
    /// What the case expects.
    pub expected: Value,
    /// What there is.
    pub found: Value,
}

impl CasesReport {
    pub(super) fn new(cases: Vec<CaseReport>) -> Self {
        let passed = cases.iter().filter(|case| case.passed).count();
        Self {
            passed,
            failed: cases.len() - passed,
            cases,
        }
    }

    /// Is everything as expected?
    pub fn is_success(&self) -> bool {
        self.failed == 0
    }
}

impl fmt::Display for CasesReport {
    /// A line for each case, what differs below those that failed, and the count.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            let word = if case.passed { "pass" } else { "FAIL" };
            writeln!(formatter, "{word}  {}", case.name)?;
            for it in &case.differences {
                writeln!(formatter, "      {}: expected {}", it.field, it.expected)?;
                let aligned = it.field.chars().count();
                writeln!(formatter, "      {:aligned$}  found    {}", "", it.found)?;
            }
            if !case.passed {
                for reason in &case.reasons {
                    let place = [reason.code.as_str(), &reason.pointer].join(" ");
                    writeln!(formatter, "      {}: {}", place.trim_end(), reason.detail)?;
                }
            }
        }
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}
