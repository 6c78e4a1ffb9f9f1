//! What a token shall carry, as `authorization_details` (RFC 9396).

use policy::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::{Claims, Exchange, ExchangeSubject};
use utoipa::ToSchema;

use super::OAuthError;
use crate::json::{Object, parse, present};
use crate::routes::session_tokens::TokenResource;
use crate::strict_json;

/// What a session token carries.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "type": "jeton_session", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } }))]
pub struct SessionDetails {
    /// Always `jeton_session`.
    #[serde(rename = "type")]
    kind: DetailsType,
    /// The roles. Left out: those of the session token that is exchanged.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false, max_items = 50)]
    roles: Option<Vec<String>>,
    /// The row-level-security attributes. Those of a session token that are left out stay as they are.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Value>, required = false)]
    attributes: Map<String, Value>,
    /// The resources that the token is limited to. Left out: those of the session token that is exchanged.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Vec<TokenResource>, required = false, max_items = 100)]
    resources: Option<Vec<Object<TokenResource>>>,
    /// How long the token lives, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 86400)]
    ttl_seconds: Option<i64>,
}

/// The one type of authorization details.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
pub enum DetailsType {
    /// What a session token carries.
    #[default]
    #[serde(rename = "jeton_session")]
    JetonSession,
}

/// For places that begin with the parameter's name.
#[derive(Debug, Deserialize)]
struct Parameter {
    authorization_details: Vec<Object<SessionDetails>>,
}

impl SessionDetails {
    /// Reads the parameter's JSON, strictly.
    pub(super) fn read(text: &str) -> Result<Self, OAuthError> {
        let invalid = |detail: &'static str| super::error("invalid_authorization_details", detail);
        if strict_json::check(text.as_bytes()).is_err() {
            return Err(invalid(
                "`authorization_details` is not JSON, or an object in it names a member twice.",
            ));
        }
        let whole = format!("{{\"authorization_details\":{text}}}");
        let parameter = parse::<Parameter>(whole.as_bytes())
            .map_err(|problem| OAuthError::new("invalid_authorization_details", problem))?;
        let mut details = parameter.authorization_details.into_iter();
        match (details.next(), details.next()) {
            (Some(Object(only)), None) => Ok(only),
            _ => Err(invalid(
                "`authorization_details` is a list of one object of the type `jeton_session`.",
            )),
        }
    }

    pub(super) fn exchange(
        self,
        subject: ExchangeSubject,
        audience: Option<String>,
        scope: Option<Vec<String>>,
    ) -> Exchange {
        let resources = |them: Vec<Object<TokenResource>>| {
            let them = them.into_iter().map(|Object(it)| Resource::from(it));
            them.collect()
        };
        Exchange {
            subject,
            roles: self.roles,
            attributes: self.attributes,
            resources: self.resources.map(resources),
            ttl_seconds: self.ttl_seconds,
            audience,
            scope,
        }
    }

    /// What an issued token carries.
    pub(super) fn of(claims: &Claims) -> Self {
        let attributes = claims.attributes().iter();
        let attributes = attributes.map(|(name, value)| (name.to_string(), value.to_json()));
        let resources = claims.resources().iter().cloned();
        let resources: Vec<_> = resources.map(|it| Object(it.into())).collect();
        Self {
            kind: DetailsType::JetonSession,
            roles: Some(claims.roles().iter().map(ToString::to_string).collect()),
            attributes: attributes.collect(),
            resources: (!resources.is_empty()).then_some(resources),
            ttl_seconds: Some(claims.lifetime_seconds()),
        }
    }
}
