//! A policy as people write it down and keep it in files.
//!
//! | module | holds |
//! |---|---|
//! | `diff` | what changes between two documents |
//! | `yaml`, `json` | reading, strictly |
//! | `places` | where in a YAML text a fault is |
//! | `commented` | writing YAML that explains itself |
//! | `casbin_csv` | roles of a casbin policy |
//! | `fault` | why a text is no document |

mod casbin_csv;
mod commented;
mod diff;
mod fault;
mod json;
mod places;
#[cfg(test)]
mod round_trip_tests;
mod yaml;

use serde::{Deserialize, Serialize};

use crate::{AttributeDeclaration, CompileError, PolicySnapshot, Role, RowRule, object};

pub use casbin_csv::{CsvFault, CsvRuleFault};
pub use diff::{Change, PolicyDiff};
pub use fault::{DocumentFault, MAX_DOCUMENT_BYTES, Position};
pub use places::positions_in_yaml;
pub(crate) use yaml::read as read_yaml;

/// The policy of an organization as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyDocument {
    /// The roles.
    #[serde(deserialize_with = "object::each")]
    pub roles: Vec<Role>,
    /// The attributes.
    #[serde(deserialize_with = "object::each")]
    pub attributes: Vec<AttributeDeclaration>,
    /// Which rows of which tables a token may see.
    #[serde(
        deserialize_with = "object::each",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub row_rules: Vec<RowRule>,
}

impl PolicyDocument {
    /// Checks the document as a whole and makes it ready to decide with, or tells all its faults.
    pub async fn compile(&self, version: i64) -> Result<PolicySnapshot, CompileError> {
        PolicySnapshot::compile(version, self.clone()).await
    }

    /// Everything in the order of its name, which is the one that the database gives back: order means nothing.
    pub fn sort(&mut self) {
        self.roles.sort_by(|left, right| left.name.cmp(&right.name));
        self.attributes
            .sort_by(|left, right| left.name.cmp(&right.name));
        self.row_rules
            .sort_by(|left, right| left.name.cmp(&right.name));
    }
}
