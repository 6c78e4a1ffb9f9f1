//! The claims of a session token ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attributes::Attributes;
use crate::json;

/// The end of the year 9999: a time beyond it is a mistake or an attempt at overflow.
const MAX_TIME: u64 = 253_402_300_799;

/// The claims of a verified token. Only verification makes one.
///
/// Debug output leaves the subject and the attributes' values out.
#[derive(Clone, PartialEq, Serialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The user, as the issuing backend names it.
    pub sub: String,
    /// The API key that asked for the token.
    pub client_id: String,
    /// The session.
    pub jti: String,
    /// Issued at, in seconds since the Unix epoch.
    pub iat: u64,
    /// Not valid before, in seconds since the Unix epoch.
    pub nbf: u64,
    /// Ends, in seconds since the Unix epoch.
    pub exp: u64,
    /// The roles.
    pub roles: Vec<String>,
    attributes: Attributes,
    /// The resources that the token is limited to. Empty when it names none; [`Claims::require_resource`] is the check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// What the roles allow, `resource:action` separated by spaces.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip)]
    signing_key: String,
}

/// One resource that a token is limited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its kind, such as `dashboard`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one of its kind.
    pub id: String,
}

/// The token does not allow what was asked of it. Answer 403.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It does not carry the role.
    #[error("the token lacks the role `{0}`")]
    Role(String),
    /// It does not carry the scope.
    #[error("the token lacks the scope `{0}`")]
    Scope(String),
    /// It does not name the resource, or names none.
    #[error("the token does not name this {0}")]
    Resource(String),
}

impl Claims {
    /// The row-level-security attributes. Reading one that the token does not carry is an error, never "no filter".
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The `kid` of the key that signed the token.
    pub fn signing_key(&self) -> &str {
        &self.signing_key
    }

    /// Whether the token carries a role. Roles that this one inherits from are carried as well.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|carried| carried == role)
    }

    /// Fails unless the token carries the role.
    pub fn require_role(&self, role: &str) -> Result<(), Missing> {
        if self.has_role(role) {
            Ok(())
        } else {
            Err(Missing::Role(role.to_owned()))
        }
    }

    /// What the roles allow, one `resource:action` at a time.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether the token carries a scope, compared as a whole.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|carried| carried == scope)
    }

    /// Fails unless the token carries the scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), Missing> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            Err(Missing::Scope(scope.to_owned()))
        }
    }

    /// Fails unless the token names the resource. A token that names none is refused too: call this only where tokens
    /// are made for particular resources.
    pub fn require_resource(&self, kind: &str, id: &str) -> Result<(), Missing> {
        let is_this = |resource: &Resource| resource.kind == kind && resource.id == id;
        if self.resources.iter().any(is_this) {
            Ok(())
        } else {
            Err(Missing::Resource(kind.to_owned()))
        }
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims")
            .field("iss", &self.iss)
            .field("aud", &self.aud)
            .field("client_id", &self.client_id)
            .field("jti", &self.jti)
            .field("iat", &self.iat)
            .field("exp", &self.exp)
            .field("roles", &self.roles)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// The payload as it is written; claims that are not named here are of no meaning to this verifier.
#[derive(Deserialize)]
struct Written {
    iss: String,
    aud: Value,
    sub: String,
    client_id: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    roles: Vec<String>,
    attributes: Map<String, Value>,
    resources: Option<Vec<Resource>>,
    #[serde(default)]
    scope: String,
}

impl Claims {
    /// Reads a payload whose signature was verified with the key `signing_key`. `None` if a claim is missing, empty or
    /// of the wrong type.
    pub(crate) fn read(payload: &[u8], signing_key: &str, audience_list: bool) -> Option<Self> {
        let payload = json::parse(payload).ok()?;
        // A token bound to its holder's key (RFC 7800) is worth nothing without the proof, which is not checked here.
        if payload.get("cnf").is_some() {
            return None;
        }
        let written: Written = serde_json::from_value(payload).ok()?;
        let claims = Self {
            aud: single_audience(written.aud, audience_list)?,
            iss: written.iss,
            sub: written.sub,
            client_id: written.client_id,
            jti: written.jti,
            iat: written.iat,
            nbf: written.nbf,
            exp: written.exp,
            roles: written.roles,
            attributes: Attributes::new(written.attributes),
            // A list without members could be read as "no limit" or as "nothing".
            resources: match written.resources {
                Some(listed) if listed.is_empty() => return None,
                listed => listed.unwrap_or_default(),
            },
            scope: written.scope,
            signing_key: signing_key.to_owned(),
        };
        claims.is_complete().then_some(claims)
    }

    fn is_complete(&self) -> bool {
        [&self.iss, &self.aud, &self.sub, &self.client_id, &self.jti]
            .iter()
            .all(|claim| !claim.is_empty())
            && self.exp > self.iat
            && self.exp <= MAX_TIME
    }
}

fn single_audience(aud: Value, list_allowed: bool) -> Option<String> {
    match aud {
        Value::String(audience) => Some(audience),
        Value::Array(mut audiences) if list_allowed && audiences.len() == 1 => {
            single_audience(audiences.pop()?, false)
        }
        _ => None,
    }
}
