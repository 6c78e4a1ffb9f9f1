//! Is a token a part of another: does it say nothing that the other does not?

use policy::{Grant, GrantRequest, Resource};
use serde_json::{Map, Value};
use storage::{SessionId, Timestamp};

use super::ExchangeError;
use crate::checking::CheckedToken;
use crate::sessions::canonical;

/// One thing that a token would say and the one that it is a part of does not. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wider {
    /// What it is.
    pub code: WiderCode,
    /// Where in the body of `POST /v1/session-tokens`, as a JSON pointer.
    pub pointer: String,
}

/// What a token would say more. The text form is stable and part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WiderCode {
    /// A role.
    Role,
    /// An attribute, a value of one, or the lack of one.
    Attribute,
    /// A resource, or the lack of any limit.
    Resource,
    /// A later end.
    Lifetime,
}

impl WiderCode {
    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role_not_in_token",
            Self::Attribute => "attribute_not_in_token",
            Self::Resource => "resource_not_in_token",
            Self::Lifetime => "lifetime_beyond_token",
        }
    }

    /// The same in English.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Role => "This role is not one of the token that is exchanged.",
            Self::Attribute => {
                "This attribute must have the value that it has in the token that is exchanged, or fewer of its items."
            }
            Self::Resource => {
                "The resources must be some of those that the token that is exchanged is limited to."
            }
            Self::Lifetime => "The new token must not outlive the one that is exchanged.",
        }
    }
}

/// The token that is exchanged, in Jeton's own form.
pub(super) struct Whole {
    token: CheckedToken,
    scope: Vec<String>,
    /// The id of the token that is made of it.
    part: SessionId,
}

impl Whole {
    pub(super) fn new(token: CheckedToken, part: SessionId) -> Self {
        let scope = token.claims.get("scope").and_then(Value::as_str);
        let scope = scope.unwrap_or_default().split_ascii_whitespace();
        Self {
            scope: scope.map(ToOwned::to_owned).collect(),
            token,
            part,
        }
    }

    pub(super) fn part(&self) -> SessionId {
        self.part
    }

    pub(super) fn token(&self) -> &CheckedToken {
        &self.token
    }

    pub(super) fn session(&self) -> SessionId {
        self.token.session.id
    }

    pub(super) fn root(&self) -> SessionId {
        self.token.session.root
    }

    pub(super) fn ends_at(&self) -> Timestamp {
        self.token.expires_at
    }

    /// What it allows, which its roles alone do not tell.
    pub(super) fn scope(&self) -> &[String] {
        &self.scope
    }

    /// Does the request ask for nothing more? `left` is what is left of the token's life, in seconds.
    pub(super) fn covers_request(
        &self,
        request: &GrantRequest,
        left: i64,
    ) -> Result<(), ExchangeError> {
        let mut wider = self.wider(&request.roles, &request.attributes, &request.resources);
        if request.ttl_seconds.is_some_and(|seconds| seconds > left) {
            wider.push(Wider {
                code: WiderCode::Lifetime,
                pointer: "/ttl_seconds".to_owned(),
            });
        }
        nothing(wider)
    }

    /// Is nothing more granted? A key can fix attributes, and a role can give some.
    pub(super) fn covers_grant(&self, grant: &Grant) -> Result<(), ExchangeError> {
        let roles: Vec<String> = grant.roles().iter().map(ToString::to_string).collect();
        let attributes = grant.attributes().iter();
        let attributes = attributes.map(|(name, value)| (name.to_string(), value.to_json()));
        nothing(self.wider(&roles, &attributes.collect(), grant.resources()))
    }

    fn wider(
        &self,
        roles: &[String],
        attributes: &Map<String, Value>,
        resources: &[Resource],
    ) -> Vec<Wider> {
        let mut wider = Vec::new();
        let mut add = |code, pointer| wider.push(Wider { code, pointer });
        for (index, role) in roles.iter().enumerate() {
            if !self.token.roles.contains(role) {
                add(WiderCode::Role, format!("/user/roles/{index}"));
            }
        }
        let own = &self.token.attributes;
        let is_wider = |name: &String| match (own.get(name), attributes.get(name)) {
            (Some(own), Some(value)) => !is_within(value, own),
            _ => true,
        };
        let added = attributes.keys().filter(|name| !own.contains_key(*name));
        for name in own.keys().chain(added).filter(|name| is_wider(name)) {
            let name = name.replace('~', "~0").replace('/', "~1");
            add(WiderCode::Attribute, format!("/user/attributes/{name}"));
        }
        let limit = &self.token.resources;
        if !limit.is_empty() {
            if resources.is_empty() {
                add(WiderCode::Resource, "/resources".to_owned());
            }
            for (index, resource) in resources.iter().enumerate() {
                if !limit.contains(resource) {
                    add(WiderCode::Resource, format!("/resources/{index}"));
                }
            }
        }
        wider
    }
}

fn nothing(wider: Vec<Wider>) -> Result<(), ExchangeError> {
    if wider.is_empty() {
        Ok(())
    } else {
        Err(ExchangeError::Wider(wider))
    }
}

/// Equal, or a list with some of the other's items.
fn is_within(value: &Value, own: &Value) -> bool {
    match (value, own) {
        (Value::Array(items), Value::Array(own)) => {
            let own: Vec<String> = own.iter().map(canonical).collect();
            items.iter().all(|item| own.contains(&canonical(item)))
        }
        (Value::Array(_), _) | (_, Value::Array(_)) => false,
        (value, own) => canonical(value) == canonical(own),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_within_its_equal_and_a_list_within_a_longer_one() {
        for (value, own, within) in [
            (json!("a"), json!("a"), true),
            (json!("a"), json!("b"), false),
            (json!("1"), json!(1), false),
            (json!(1.0), json!(1), true),
            (json!(["a"]), json!(["a", "b"]), true),
            (json!(["b", "a"]), json!(["a", "b"]), true),
            (json!(["a", "c"]), json!(["a", "b"]), false),
            (json!("a"), json!(["a"]), false),
            (json!(["a"]), json!("a"), false),
            (json!(null), json!("a"), false),
            (json!({}), json!("a"), false),
        ] {
            assert_eq!(is_within(&value, &own), within, "{value} {own}");
        }
    }
}
