//! How callers are told apart, and which permission each operation needs.

use policy::operations::Operation;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use super::node::Node;

/// The ways to present a credential.
pub(super) struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = |name: &str, description: &str| {
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                name,
                description,
            )))
        };
        components.add_security_scheme("ApiKeyHeader", header("x-api-key", "An API key, `jtn_…`."));
        components.add_security_scheme(
            "Bearer",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.description = Some("An API key, `jtn_…`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "SessionToken",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.bearer_format = Some("JWT".into());
                bearer.description = Some("A session token, `eyJ…`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "MetricsToken",
            SecurityScheme::Http({
                let mut bearer = Http::new(HttpAuthScheme::Bearer);
                bearer.description =
                    Some("The token of the setting `metrics.token`, as a bearer token.".into());
                bearer
            }),
        );
        components.add_security_scheme(
            "Basic",
            SecurityScheme::Http({
                let mut basic = Http::new(HttpAuthScheme::Basic);
                basic.description = Some(
                    "An API key, `jtn_…`, as the password; the user name does not matter.".into(),
                );
                basic
            }),
        );
        components.add_security_scheme(
            "ApiKeyAuthorization",
            header(
                "Authorization",
                "The word `ApiKey`, a space, and an API key: `ApiKey jtn_…`.",
            ),
        );
    }
}

/// Names the permission that an operation needs: in words, as roles of its security requirements, and for programs.
pub(super) fn name_permission(operation: &mut Node) {
    let id = operation.get("operationId").map_or("", Node::text);
    let known = Operation::ALL.iter().find(|known| known.id() == id);
    let Some(permission) = known.and_then(|known| known.permission()) else {
        return;
    };
    let permission = permission.as_str();
    if let Some(Node::Text(description)) = operation.get_mut("description") {
        *description = format!("{description}\n\nNeeds the permission `{permission}`.");
    }
    if let Some(Node::List(ways)) = operation.get_mut("security") {
        for way in ways.iter_mut().filter_map(Node::members_mut) {
            for roles in way.values_mut() {
                *roles = Node::List(vec![permission.into()]);
            }
        }
    }
    if let Some(members) = operation.members_mut() {
        members.insert("x-permission".to_owned(), permission.into());
    }
}
