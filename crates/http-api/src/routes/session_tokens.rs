//! The main exchange.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use policy::operations::markers;
use policy::{GrantRequest, Resource};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::audiences::DEFAULT_AUDIENCE;
use token_issuer::{Claims, IssueRequest, IssuedToken};
use utoipa::ToSchema;

use crate::caller::{Caller, RequestOrigin};
use crate::json::{JsonBody, Object, present};
use crate::problem::Problem;
use crate::state::ApiState;
use crate::texts::RoleNameText;

/// Whom a session token is for, and what it shall carry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "user": { "id": "user-42", "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
    "audience": "default",
    "ttl_seconds": 900,
}))]
pub struct IssueSessionTokenRequest {
    /// The user, whom the calling backend has authenticated.
    #[schema(value_type = TokenUser)]
    user: Object<TokenUser>,
    /// The name of the audience that the token is for.
    #[serde(default = "default_audience")]
    #[schema(default = "default", pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    audience: String,
    /// How long the token lives, in seconds. Left out: the audience's default, or less where a limit of a role or of
    /// the API key says so. More than the limits allow is refused, not shortened.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false, minimum = 1, maximum = 86400)]
    ttl_seconds: Option<i64>,
    /// The resources that the token is limited to. Left out or empty: no such limit.
    #[serde(default)]
    #[schema(value_type = Vec<TokenResource>, max_items = 100)]
    resources: Vec<Object<TokenResource>>,
    /// Decide and show the claims; sign and record nothing.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
}

/// The user of a session token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenUser {
    /// The user's identifier in the calling backend, the token's `sub`. Up to 255 bytes, no control characters.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    id: String,
    /// The roles the token carries. They must be declared, and within what the API key may grant.
    #[schema(value_type = std::collections::BTreeSet<RoleNameText>, min_items = 1, max_items = 50)]
    roles: Vec<String>,
    /// The row-level-security attributes the token carries, by their declared names. An empty value is refused: where
    /// a value restricts rows, none would restrict nothing.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Value>, required = false)]
    attributes: Map<String, Value>,
}

/// A resource that a token is limited to.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenResource {
    /// Its kind.
    #[serde(rename = "type")]
    #[schema(examples("dashboard"), pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    kind: String,
    /// Which one, up to 255 bytes.
    #[schema(
        examples("sales"),
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    id: String,
}

/// An issued session token.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionToken {
    /// The token: a compact JWS, `typ` `at+jwt` (RFC 9068).
    token: String,
    /// How clients present the token.
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Its life, in seconds.
    expires_in: i64,
    /// Fetch the next one after this many seconds, before this one ends.
    refresh_in: i64,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The token's `jti`, under which the session is recorded.
    #[schema(format = Uuid)]
    session_id: String,
    /// The name of the audience.
    audience: String,
    /// The roles in the token.
    roles: Vec<String>,
    /// The attributes in the token, those that the API key fixes included.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    attributes: Map<String, Value>,
    /// For tokens that can be renewed: when the last renewal ends at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, required = false, value_type = String)]
    session_expires_at: Option<String>,
    /// What should be known before it becomes a refusal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<TokenWarning>,
}

/// What should be known before it becomes a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenWarning {
    /// What it is.
    #[schema(examples("token_large"))]
    code: &'static str,
    /// The same in English.
    detail: String,
}

/// What would be issued.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionTokenPreview {
    /// Always true.
    dry_run: bool,
    /// The claims that the token would have. `jti`, `iat`, `nbf` and `exp` are those of this moment.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    claims: Map<String, Value>,
    /// The life of the token, in seconds.
    expires_in: i64,
    /// The name of the audience.
    audience: String,
    /// The length that the token would have, in bytes.
    token_bytes: usize,
    /// What should be known before it becomes a refusal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<TokenWarning>,
}

pub(crate) fn default_audience() -> String {
    DEFAULT_AUDIENCE.to_owned()
}

/// Issue a session token
///
/// Exchanges the API key and the user whom your backend has authenticated for a short-lived signed JWT that carries
/// roles and row-level-security attributes. The session is recorded before the answer leaves. A refusal lists every
/// problem of the request at once.
#[utoipa::path(
    post,
    path = "/v1/session-tokens",
    operation_id = "issueSessionToken",
    tag = "Session tokens",
    request_body = IssueSessionTokenRequest,
    responses(
        (status = 201, description = "The token", body = SessionToken),
        (status = 200, description = "With `dry_run`: what would be issued", body = SessionTokenPreview),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn issue_session_token(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::IssueSessionToken>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<IssueSessionTokenRequest>,
) -> Result<Response, Problem> {
    let issuer = &state.services.issuer;
    let dry_run = body.dry_run;
    let grant = GrantRequest::from(body);
    if dry_run {
        let claims = issuer.preview(&caller, grant).await?;
        return Ok(Json(SessionTokenPreview::new(&claims)?).into_response());
    }
    let issued = issuer
        .issue(&caller, IssueRequest { grant, origin })
        .await?;
    Ok((StatusCode::CREATED, Json(SessionToken::new(&issued)?)).into_response())
}

/// A request as it came in, for the policy to judge.
pub(crate) fn grant_request(
    Object(user): Object<TokenUser>,
    audience: String,
    ttl_seconds: Option<i64>,
    resources: Vec<Object<TokenResource>>,
) -> GrantRequest {
    let resources = resources.into_iter().map(|Object(it)| it.into());
    GrantRequest {
        subject: user.id,
        roles: user.roles,
        attributes: user.attributes,
        audience,
        ttl_seconds,
        resources: resources.collect(),
    }
}

impl From<IssueSessionTokenRequest> for GrantRequest {
    fn from(body: IssueSessionTokenRequest) -> Self {
        grant_request(body.user, body.audience, body.ttl_seconds, body.resources)
    }
}

impl From<TokenResource> for Resource {
    fn from(resource: TokenResource) -> Self {
        Self {
            kind: resource.kind,
            id: resource.id,
        }
    }
}

impl From<Resource> for TokenResource {
    fn from(resource: Resource) -> Self {
        Self {
            kind: resource.kind,
            id: resource.id,
        }
    }
}

impl SessionToken {
    pub(crate) fn new(issued: &IssuedToken) -> Result<Self, Problem> {
        let claims = issued.claims();
        let expires_in = claims.lifetime_seconds();
        Ok(Self {
            token: issued.token().expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in,
            refresh_in: expires_in * 3 / 4,
            expires_at: claims.expires_at().to_string(),
            session_id: claims.session_id().to_string(),
            audience: claims.audience_name().to_owned(),
            roles: claims.roles().iter().map(ToString::to_string).collect(),
            attributes: object(claims.attributes())?,
            session_expires_at: claims.session_ends_at().map(|at| at.to_string()),
            warnings: warnings(claims),
        })
    }
}

impl SessionTokenPreview {
    fn new(claims: &Claims) -> Result<Self, Problem> {
        Ok(Self {
            dry_run: true,
            claims: claims
                .payload()
                .map_err(|error| Problem::internal(&error))?,
            expires_in: claims.lifetime_seconds(),
            audience: claims.audience_name().to_owned(),
            token_bytes: claims.token_bytes(),
            warnings: warnings(claims),
        })
    }
}

fn warnings(claims: &Claims) -> Vec<TokenWarning> {
    let budget = claims.budget_in_sight().map(|allowed| TokenWarning {
        code: "token_large",
        detail: format!(
            "The token has {} of the {allowed} bytes that its audience allows; longer ones are refused.",
            claims.token_bytes()
        ),
    });
    budget.into_iter().collect()
}

fn object(value: &impl Serialize) -> Result<Map<String, Value>, Problem> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Problem::internal(&"not an object")),
        Err(error) => Err(Problem::internal(&error)),
    }
}
