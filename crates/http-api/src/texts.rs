//! Texts of a known form that stand in lists, for the OpenAPI document: a list's items can only be described by a type.
//!
//! Requests are read into the types of the domain crates; these describe them. The patterns are those of the types'
//! `parse`, or where no pattern says all of it, one that everything usable matches.

use serde::Serialize;
use utoipa::ToSchema;

/// The name of a role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleName, value_type = String, pattern = "^[a-z][a-z0-9_-]{0,63}$", examples("viewer"))]
pub struct RoleNameText(String);

/// The name of an audience.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AudienceName, value_type = String, pattern = "^[a-z][a-z0-9_-]{0,63}$", examples("default"))]
pub struct AudienceNameText(String);

/// The name of an attribute: not that of a claim, such as `sub`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttributeName, value_type = String, pattern = "^[a-z][a-z0-9_]{0,63}$", examples("tenant_id"))]
pub struct AttributeNameText(String);

/// A network in CIDR notation, of IPv4 or IPv6.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Network, value_type = String, format = "cidr", pattern = "^[0-9A-Fa-f:.]+/[0-9]{1,3}$", examples("10.0.0.0/8"))]
pub struct NetworkText(String);

/// The origin of web pages, exactly as browsers send it: lower case, no default port, no path. Plain HTTP is for the machine
/// itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    as = WebOrigin,
    value_type = String,
    format = "origin",
    pattern = r"^(https://[^/\s]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)$",
    examples("https://app.example.com")
)]
pub struct WebOriginText(String);

/// The value of a claim that is the same in all tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(
    as = GivenClaim,
    value_type = String,
    min_length = 1,
    max_length = 255,
    pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
)]
pub struct GivenClaimText(String);

/// What a request gives to an API key: a permission, `read` for all that read, or `write` for all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GivenPermission)]
pub enum GivenPermission {
    /// All that read.
    #[serde(rename = "read")]
    Read,
    /// All.
    #[serde(rename = "write")]
    Write,
    /// Exchange the key for session tokens.
    #[serde(rename = "tokens:issue")]
    TokensIssue,
    /// Read API keys and their usage.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Make, edit, rotate, revoke and delete API keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Read users and service accounts.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Make and change users and service accounts.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// Read the audit trail.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Read the organization's settings.
    #[serde(rename = "organization:read")]
    OrganizationRead,
    /// Change the organization's settings.
    #[serde(rename = "organization:write")]
    OrganizationWrite,
    /// Read the policy, and try out requests and other policies.
    #[serde(rename = "policy:read")]
    PolicyRead,
    /// Change the policy.
    #[serde(rename = "policy:write")]
    PolicyWrite,
    /// Read audiences and their signing keys' names.
    #[serde(rename = "audiences:read")]
    AudiencesRead,
    /// Make, change and remove audiences; rotate, import and retire their signing keys.
    #[serde(rename = "audiences:write")]
    AudiencesWrite,
    /// Ask what a token allows.
    #[serde(rename = "tokens:introspect")]
    TokensIntrospect,
    /// Revoke sessions, one or many.
    #[serde(rename = "tokens:revoke")]
    TokensRevoke,
    /// Find and read sessions.
    #[serde(rename = "sessions:read")]
    SessionsRead,
}

#[cfg(test)]
mod tests {
    use key_admin::{Permission, Slug};
    use policy::{AttributeName, AudienceName, RoleName};
    use regex::Regex;
    use serde_json::Value;
    use token_issuer::audiences::WebOrigin;
    use utoipa::PartialSchema;

    use super::*;

    fn schema<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    fn pattern<T: PartialSchema>() -> Regex {
        Regex::new(schema::<T>()["pattern"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn names_match_their_pattern_exactly_if_they_are_read() {
        let (role, audience, attribute) = (
            pattern::<RoleNameText>(),
            pattern::<AudienceNameText>(),
            pattern::<AttributeNameText>(),
        );
        let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
        let texts = [
            "a", "a-b", "a_b", "a1", "1a", "A", "", "a b", "a\n", "é", &longest, &too_long,
        ];
        for text in texts {
            assert_eq!(
                RoleName::parse(text).is_ok(),
                role.is_match(text),
                "{text:?}"
            );
            assert_eq!(
                AudienceName::parse(text).is_ok(),
                audience.is_match(text),
                "{text:?}"
            );
            assert_eq!(
                AttributeName::parse(text).is_ok(),
                attribute.is_match(text),
                "{text:?}"
            );
        }
        assert!(Slug::parse("a").is_ok());
    }

    #[test]
    fn every_usable_network_and_origin_matches() {
        let (network, origin) = (pattern::<NetworkText>(), pattern::<WebOriginText>());
        for text in [
            "10.0.0.0/8",
            "::1/128",
            "2001:db8::/32",
            "::ffff:10.0.0.1/96",
            "0.0.0.0/0",
        ] {
            assert!(
                text.parse::<ipnet::IpNet>().is_ok() && network.is_match(text),
                "{text}"
            );
        }
        for text in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://[2001:db8::1]",
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://[::1]:8080",
        ] {
            assert!(
                WebOrigin::parse(text).is_ok() && origin.is_match(text),
                "{text}"
            );
        }
        for text in [
            "http://app.example.com",
            "https://app.example.com/",
            "*",
            "null",
        ] {
            assert!(
                WebOrigin::parse(text).is_err() && !origin.is_match(text),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_given_to_keys_is_the_presets_and_all_permissions() {
        let known = Permission::ALL.iter().map(|it| it.as_str());
        let expected: Vec<&str> = ["read", "write"].into_iter().chain(known).collect();
        assert_eq!(
            schema::<GivenPermission>()["enum"],
            serde_json::json!(expected)
        );
    }
}
