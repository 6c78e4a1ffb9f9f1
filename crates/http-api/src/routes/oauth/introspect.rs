//! Introspection (RFC 7662): is this token active, and what does it say?

use axum::Json;
use axum::extract::State;
use policy::Resource;
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::{CheckTokenError, CheckedToken};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::error::FormErrors;
use super::{OAuthClient, OAuthError, OAuthForm};
use crate::problem::Problem;
use crate::state::ApiState;

/// The token in question.
#[derive(Deserialize, ToSchema)]
pub struct IntrospectTokenRequest {
    /// The session token.
    #[schema(min_length = 1)]
    token: String,
    /// What kind of token it may be; it does not matter here.
    #[serde(rename = "token_type_hint")]
    #[schema(nullable = false, examples("access_token"))]
    _token_type_hint: Option<String>,
}

/// The answer: for a token that is not active, `active` alone.
#[derive(Debug, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten)]
    token: Option<IntrospectedToken>,
}

/// One object, of which only `active` is always there.
impl PartialSchema for Introspection {
    fn schema() -> RefOr<Schema> {
        let mut schema = IntrospectedToken::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let active = ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .description(Some("Is it a token of the organization that holds now?"));
            object.required = vec!["active".to_owned()];
            object.properties.insert("active".to_owned(), active.into());
            object.description = Some(
                "The answer: for a token that is not active, `active` alone; for one that is, everything that it says."
                    .to_owned(),
            );
        }
        schema
    }
}

impl ToSchema for Introspection {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        IntrospectedToken::schemas(schemas);
    }
}

/// What an active token says.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntrospectedToken {
    /// What the roles allow, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<String>,
    /// The API key that asked.
    client_id: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Whom the token speaks for.
    sub: String,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    aud: Option<Value>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    iss: Option<Value>,
    /// The session.
    jti: String,
    /// The session again, under the name that the rest of the API has for it.
    #[schema(format = Uuid)]
    session_id: String,
    /// When the token was issued, in seconds since the Unix epoch.
    iat: i64,
    /// When the token begins, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64)]
    nbf: Option<Value>,
    /// When the token ends, in seconds since the Unix epoch.
    exp: i64,
    /// The roles.
    roles: Vec<String>,
    /// The attributes. Of a token in the form of a claim template without the sensitive ones.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    attributes: Map<String, Value>,
    /// The resources that the token is limited to; empty for no such limit.
    #[schema(value_type = Vec<crate::routes::session_tokens::TokenResource>)]
    resources: Vec<Resource>,
}

impl From<CheckedToken> for IntrospectedToken {
    fn from(mut token: CheckedToken) -> Self {
        let id = token.session.id.to_string();
        let mut claim = |name| token.claims.remove(name);
        Self {
            scope: claim("scope").and_then(|it| it.as_str().map(ToOwned::to_owned)),
            client_id: token.session.api_key.to_string(),
            token_type: "Bearer",
            aud: claim("aud"),
            iss: claim("iss"),
            nbf: claim("nbf"),
            sub: token.session.subject,
            jti: id.clone(),
            session_id: id,
            iat: token.session.issued_at.unix_seconds(),
            exp: token.expires_at.unix_seconds(),
            roles: token.roles,
            attributes: token.attributes,
            resources: token.resources,
        }
    }
}

/// Ask whether a token is active
///
/// RFC 7662. Active is what the caller's organization issued, has not ended and is not revoked. Why another token is not
/// active is not told.
#[utoipa::path(
    post,
    path = "/oauth2/introspect",
    operation_id = "introspectToken",
    tag = "OAuth",
    request_body(content = IntrospectTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The answer", body = Introspection),
        FormErrors,
    ),
    security(("Basic" = []), ("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn introspect_token(
    State(state): State<ApiState>,
    OAuthClient(client): OAuthClient<markers::IntrospectToken>,
    OAuthForm(form): OAuthForm<IntrospectTokenRequest>,
) -> Result<Json<Introspection>, OAuthError> {
    let issuer = &state.services.issuer;
    let checked = issuer.check_token(client.organization_slug(), &form.token);
    let token = match checked.await {
        Ok(token) => Some(token.into()),
        Err(CheckTokenError::Inactive(_)) => None,
        Err(CheckTokenError::Rings(error)) => return Err(Problem::from(error).into()),
        Err(CheckTokenError::Storage(error)) => return Err(Problem::from(error).into()),
    };
    Ok(Json(Introspection {
        active: token.is_some(),
        token,
    }))
}
