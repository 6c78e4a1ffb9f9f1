//! Cases: what a policy must grant and refuse, written down beside it and checked without a server.
//!
//! ```text
//! PolicyCases ──run(PolicySnapshot)──▶ CasesReport    every case: passed, or what differs
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `file` | cases as they are written |
//! | `fault` | what can be wrong with a file of cases |
//! | `because` | the reasons that a refusal must have |
//! | `run` | one case against a policy |
//! | `report` | what came out |
//!
//! A case asks the same question that `POST /v1/session-tokens` would, and compares the decision with what is
//! expected. Nothing of a server takes part: no key, no database, no clock.

mod because;
mod fault;
mod file;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use because::ExpectedReason;
pub use fault::CasesFault;
pub use file::{
    AccessCheck, CaseAudience, CaseUser, Expectation, ExpectedRows, ExpectedToken, PolicyCase,
    PolicyCases,
};
pub use report::{CaseReport, CasesReport, Difference};
