//! Cases as they are written.

use std::collections::{BTreeMap, BTreeSet};

use key_admin::KeyCeiling;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{because::ExpectedReason, fault::CasesFault};
use crate::{
    decision::Resource,
    document::read_yaml,
    name::{Identifier, RoleName},
    permissions::ResourceName,
};

/// A file of cases.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCases {
    /// The API keys that cases are about, by a name of the file's own: what each may grant.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyCeiling>,
    /// The lifetimes of the audiences that exist, by name. Left out: `default`, as every organization has it.
    #[serde(default = "default_audiences")]
    pub audiences: BTreeMap<String, CaseAudience>,
    /// The cases, in the order in which they are reported.
    pub cases: Vec<PolicyCase>,
}

/// The lifetimes that an audience gives to tokens, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAudience {
    /// The lifetime when the request names none.
    pub default_ttl_seconds: u32,
    /// The longest lifetime.
    pub max_ttl_seconds: u32,
}

/// A request and what must come of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCase {
    /// What the case is about; unique in the file.
    pub name: String,
    /// One of the file's keys. `None`: a key that may grant everything.
    #[serde(default)]
    pub key: Option<String>,
    /// The audience of the request.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// Whom the token is for.
    pub user: CaseUser,
    /// The lifetime that is requested, in seconds. `None`: none.
    #[serde(default)]
    pub ttl_seconds: Option<i64>,
    /// The resources that the token is limited to.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// What must come of it.
    pub expect: Expectation,
    /// What the token must say, of what is named here.
    #[serde(default)]
    pub token: ExpectedToken,
    /// What the token's holder may and may not do.
    #[serde(default)]
    pub access: Vec<AccessCheck>,
    /// Which rows the token's holder may see.
    #[serde(default)]
    pub rows: Vec<ExpectedRows>,
    /// All reasons of the refusal, in any order. `None`: whatever they are.
    #[serde(default)]
    pub because: Option<Vec<ExpectedReason>>,
}

/// The user of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseUser {
    /// The subject.
    #[serde(default = "default_subject")]
    pub id: String,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// The attributes.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// The two ways a decision can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// The token is issued.
    Granted,
    /// It is not.
    Refused,
}

/// What a token must say; what is `None` is not compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedToken {
    /// The roles, in their order.
    pub roles: Option<Vec<RoleName>>,
    /// All attributes.
    pub attributes: Option<Map<String, Value>>,
    /// All values of the claim `scope`.
    pub scope: Option<BTreeSet<String>>,
    /// The lifetime in seconds.
    pub ttl_seconds: Option<u32>,
    /// Those of its attributes whose values are kept out of logs and lists.
    pub sensitive: Option<BTreeSet<String>>,
}

/// A question for a resource server, and its answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessCheck {
    /// What is acted on.
    pub resource: ResourceName,
    /// What is done.
    pub action: Identifier,
    /// Whether it must be allowed.
    pub allowed: bool,
}

/// The rows of one table, as a condition with bound values.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRows {
    /// The table's schema, where the rules give it.
    #[serde(default)]
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The condition, with placeholders `$1`, `$2`, … and quotes as in the SQL standard. `1 = 0` is none at all.
    pub sql: String,
    /// The values to bind. `None`: whatever they are.
    #[serde(default)]
    pub binds: Option<Vec<Value>>,
}

impl PolicyCases {
    /// Reads YAML, as strictly as policies are read.
    pub fn from_yaml(text: &str) -> Result<Self, CasesFault> {
        let cases: Self = read_yaml(text)?;
        cases.check()?;
        Ok(cases)
    }

    fn check(&self) -> Result<(), CasesFault> {
        if self.cases.is_empty() {
            return Err(CasesFault::NoCases);
        }
        let mut names = BTreeSet::new();
        for case in &self.cases {
            let name = case.name.clone();
            if !names.insert(&case.name) {
                return Err(CasesFault::DuplicateName { name });
            }
            if let Some(key) = &case.key
                && !self.keys.contains_key(key)
            {
                let key = key.clone();
                return Err(CasesFault::UnknownKey { case: name, key });
            }
            case.check()?;
        }
        Ok(())
    }
}

impl PolicyCase {
    /// An expectation that nobody looks at would be taken for one that is met.
    fn check(&self) -> Result<(), CasesFault> {
        let case = || self.name.clone();
        let of_tokens = self.token != ExpectedToken::default()
            || !self.access.is_empty()
            || !self.rows.is_empty();
        match self.expect {
            Expectation::Refused if of_tokens => Err(CasesFault::NoToken { case: case() }),
            Expectation::Granted if self.because.is_some() => {
                Err(CasesFault::NoReasons { case: case() })
            }
            _ => Ok(()),
        }
    }
}

fn default_audience() -> String {
    "default".to_owned()
}

fn default_subject() -> String {
    "user-42".to_owned()
}

/// What the audience of a new organization allows.
fn default_audiences() -> BTreeMap<String, CaseAudience> {
    let limits = CaseAudience {
        default_ttl_seconds: 900,
        max_ttl_seconds: 3600,
    };
    BTreeMap::from([(default_audience(), limits)])
}
