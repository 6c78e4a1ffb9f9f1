use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What one API key may grant at most. Requests and policies only narrow it further.
///
/// This is the stored form. Its meaning (which roles exist, what type an attribute has) belongs to the
/// `policy` crate, which decides with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyCeiling {
    /// Roles the key may put into a token, with those they inherit. `None`: any declared role.
    pub roles: Option<BTreeSet<String>>,
    /// Names of the audiences the key may issue for. `None`: any audience of the organization.
    pub audiences: Option<BTreeSet<String>>,
    /// Attribute values that every token of this key carries: added when a request leaves them out,
    /// refused when it names another value.
    pub fixed_attributes: BTreeMap<String, serde_json::Value>,
    /// The only values, none of them a list, that a token of this key may carry; of a list attribute, the only items.
    /// Every token must carry the attribute: without it, it would restrict nothing.
    pub allowed_attributes: BTreeMap<String, Vec<serde_json::Value>>,
    /// The longest life of a token, in seconds. `None`: the audience's own maximum.
    pub max_ttl_seconds: Option<u32>,
}
