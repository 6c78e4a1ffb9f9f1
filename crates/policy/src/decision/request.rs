//! What a backend asks for, as it came in: nothing here has been checked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decide::{MAX_RESOURCE_ID_BYTES, is_opaque_id};
use crate::name::is_identifier;

/// A request for one session token: the body of `POST /v1/session-tokens`, parsed but not judged.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantRequest {
    /// Whom the token is for (`sub`), as the calling backend knows them.
    pub subject: String,
    /// Names of the roles the token shall carry.
    pub roles: Vec<String>,
    /// Row-level-security attributes the token shall carry.
    pub attributes: Map<String, Value>,
    /// The name of the audience the token is meant for.
    pub audience: String,
    /// The wanted lifetime in seconds. `None`: the audience's default, or less where a limit says so.
    pub ttl_seconds: Option<i64>,
    /// Single resources the token is limited to. Empty: no such limit.
    pub resources: Vec<Resource>,
}

/// One resource that a token is limited to, such as one dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its kind, such as `dashboard`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one of its kind; opaque to the platform.
    pub id: String,
}

impl Resource {
    /// Can a token be limited to it?
    pub fn is_usable(&self) -> bool {
        is_identifier(&self.kind) && is_opaque_id(&self.id, MAX_RESOURCE_ID_BYTES)
    }

    /// Is this the resource that a permission would call `kind/id`?
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let id = name.strip_prefix(self.kind.as_str());
        id.and_then(|rest| rest.strip_prefix('/')) == Some(self.id.as_str())
    }
}

/// The lifetimes an audience gives to tokens, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceLimits {
    /// The lifetime when the request names none.
    pub default_ttl_seconds: u32,
    /// The longest lifetime.
    pub max_ttl_seconds: u32,
}
