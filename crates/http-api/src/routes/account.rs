//! Who am I?

use axum::Json;
use axum::extract::State;
use policy::operations::markers;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::state::ApiState;

/// The caller: its organization, the owner of the API key, and the key itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// The organization.
    organization: AccountOrganization,
    /// The owner of the API key.
    owner: AccountOwner,
    /// The API key of this request.
    api_key: AccountKey,
}

/// The organization that the caller acts in.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountOrganization {
    /// Its identifier.
    id: String,
    /// Its name in URLs.
    slug: String,
    /// Its name for people.
    name: String,
    /// The `iss` of its tokens.
    issuer: String,
}

/// The owner of an API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountOwner {
    /// The owner's identifier.
    id: String,
    /// `user` or `service_account`.
    kind: String,
    /// The owner's name: of a user, the e-mail address.
    name: String,
}

/// The API key of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountKey {
    /// Its identifier, the `client_id` of the tokens it issues.
    #[schema(examples("key_0Hq3VbN8tRzA"))]
    id: String,
    /// Its name.
    name: String,
    /// Its first characters, for recognizing it; never part of its secret.
    #[schema(examples("jtn_0Hq3VbN8tRzA"))]
    prefix: String,
    /// What it may do.
    permissions: Vec<String>,
    /// What it may grant at most.
    ceiling: AccountCeiling,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it stops working; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expires_at: Option<String>,
}

/// What an API key may grant at most.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountCeiling {
    /// The roles, with those they inherit; absent for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    roles: Option<Vec<String>>,
    /// The audiences; absent for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    audiences: Option<Vec<String>>,
    /// Attribute values that every token of the key carries.
    fixed_attributes: std::collections::BTreeMap<String, serde_json::Value>,
    /// The only values, or items of lists, that its tokens may carry. Each token must carry these attributes.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    #[schema(required = false)]
    allowed_attributes: std::collections::BTreeMap<String, Vec<serde_json::Value>>,
    /// The longest life of a token, in seconds; absent when the key sets no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max_ttl_seconds: Option<u32>,
}

/// Show the caller
///
/// The organization, the owner and the API key of this request: a way to test a key without any effect.
#[utoipa::path(
    get,
    path = "/v1/account",
    operation_id = "getAccount",
    tag = "Account",
    responses(
        (status = 200, description = "The caller", body = Account),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_account(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetAccount>,
) -> Json<Account> {
    let key = caller.key();
    let names = |names: &Option<std::collections::BTreeSet<String>>| {
        names.as_ref().map(|it| it.iter().cloned().collect())
    };
    Json(Account {
        organization: AccountOrganization {
            id: caller.organization().to_string(),
            slug: caller.organization_slug().to_string(),
            name: caller.organization_name().to_owned(),
            issuer: state
                .services
                .issuer
                .public_url()
                .issuer(caller.organization_slug()),
        },
        owner: AccountOwner {
            id: caller.owner().to_string(),
            kind: caller.owner_kind().to_owned(),
            name: caller.owner_name().to_owned(),
        },
        api_key: AccountKey {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix(),
            permissions: key
                .permissions
                .iter()
                .map(|permission| permission.as_str().to_owned())
                .collect(),
            ceiling: AccountCeiling {
                roles: names(&key.ceiling.roles),
                audiences: names(&key.ceiling.audiences),
                fixed_attributes: key.ceiling.fixed_attributes.clone(),
                allowed_attributes: key.ceiling.allowed_attributes.clone(),
                max_ttl_seconds: key.ceiling.max_ttl_seconds,
            },
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
        },
    })
}
