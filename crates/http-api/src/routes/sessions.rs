//! Sessions over HTTP: find, read, revoke.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use key_admin::ApiKeyId;
use policy::operations::markers;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::{SessionId, Timestamp};
use token_issuer::sessions::{
    AttributeFilter, FoundSession, RevocationTarget, SessionFilter, SessionState,
};
use utoipa::{IntoParams, ToSchema};

use crate::caller::{Caller, RequestOrigin, act};
use crate::json::{JsonBody, Object, present};
use crate::middleware::not_found;
use crate::problem::Problem;
use crate::query::{PathId, Query, decode_cursor, invalid, limit, next_cursor, time};
use crate::state::ApiState;

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSessionsQuery {
    /// How many, 50 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Only those that speak for this subject.
    #[param(
        min_length = 1,
        max_length = 1088,
        pattern = r"^[^\x00]*$",
        example = "user-42"
    )]
    subject: Option<String>,
    /// Only those that this API key asked for.
    #[param(pattern = "^key_[0-9A-Za-z]{12}$", example = "key_0Hq3VbN8tRzA")]
    api_key_id: Option<String>,
    /// Only those for the audience of this name.
    #[param(pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    audience: Option<String>,
    /// Only those with this value of an attribute: name, colon, and a text, number or boolean. In a list one is enough.
    #[param(
        max_length = 1088,
        pattern = r"^[^\x00:]+:[^\x00]+$",
        example = "tenant_id:t-1"
    )]
    attribute: Option<String>,
    /// Only those whose token still passes, or only those whose token does not.
    active: Option<bool>,
    /// Only those issued at this time or later.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only those issued before this time.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// One issued session token, as it is recorded. The token itself is not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The token's `jti`; later sessions have greater ones.
    #[schema(format = Uuid)]
    id: String,
    /// `active`; `renewed`: active, and a later token has taken its place; `expired`; `revoked`.
    #[schema(examples("active"))]
    state: &'static str,
    /// Why it is revoked: `session` when it was revoked by itself or with the one that it is a narrower part of, or the kind
    /// of what was revoked: `organization`, `api_key`, `subject`, `audience`, `signing_key`, `role` or `attribute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_by: Option<&'static str>,
    /// The first of the sessions that renew each other; the session itself when there is no other before it.
    #[schema(format = Uuid)]
    chain_id: String,
    /// Whom the token speaks for.
    subject: String,
    /// The API key that asked.
    api_key_id: String,
    /// The name of the audience; its identifier when it was removed.
    audience: String,
    /// The roles in the token.
    roles: Vec<String>,
    /// The attributes in the token; `[hidden]` stands for the values of sensitive ones.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    attributes: Map<String, Value>,
    /// The resources that the token is limited to.
    #[schema(value_type = Vec<super::session_tokens::TokenResource>)]
    resources: Vec<policy::Resource>,
    /// The `kid` of the key that signed.
    signing_key: String,
    /// When the token was issued.
    #[schema(format = DateTime)]
    issued_at: String,
    /// When the token ends.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When the last renewal ends at the latest; absent when the token cannot be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    session_expires_at: Option<String>,
    /// When the token was traded for the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    renewed_at: Option<String>,
    /// When the session was revoked by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    revoked_at: Option<String>,
    /// The address that the request came from.
    client_address: String,
    /// The `x-request-id` of the request.
    request_id: String,
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    data: Vec<SessionView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// What to revoke: exactly one of the fields beside `before`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "subject": "user-42" }))]
pub struct RevokeSessionsRequest {
    /// Tokens that speak for this subject.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 1024, pattern = r"^[^\x00]*$")]
    subject: Option<String>,
    /// Tokens that this API key asked for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^key_[0-9A-Za-z]{12}$", examples("key_0Hq3VbN8tRzA"))]
    api_key_id: Option<String>,
    /// Tokens for the audience of this name, and for others with the same `aud`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    audience: Option<String>,
    /// Tokens with this role.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 1024, pattern = r"^[^\x00]*$")]
    role: Option<String>,
    /// Tokens with this value of an attribute.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RevokedAttribute, required = false)]
    attribute: Option<Object<RevokedAttribute>>,
    /// `true`: all tokens of the organization.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    all: Option<bool>,
    /// What was issued then or earlier is void; now when left out. Not in the future.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, format = DateTime, required = false)]
    before: Option<String>,
}

/// A value of an attribute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedAttribute {
    /// The attribute.
    #[schema(examples("tenant_id"), pattern = "^[a-z][a-z0-9_]{0,63}$")]
    name: String,
    /// The value, or one of a list: a text, number or boolean.
    #[schema(value_type = Value, examples("t-1"))]
    value: Value,
}

impl ListSessionsQuery {
    fn filter(self) -> Result<SessionFilter, Problem> {
        Ok(SessionFilter {
            subject: self
                .subject
                .map(|text| text_of("/subject", text))
                .transpose()?,
            api_key: self.api_key_id.as_deref().map(api_key).transpose()?,
            audience: self.audience,
            attribute: self.attribute.map(attribute).transpose()?,
            active: self.active,
            since: time("/since", self.since.as_deref())?,
            until: time("/until", self.until.as_deref())?,
        })
    }
}

impl RevokeSessionsRequest {
    fn target(self) -> Result<RevocationTarget, Problem> {
        let all = match self.all {
            Some(true) => Some(RevocationTarget::All),
            Some(false) => return Err(one_target("/all")),
            None => None,
        };
        let api_key = self.api_key_id.as_deref().map(api_key).transpose()?;
        let attribute = self
            .attribute
            .map(|Object(it)| RevocationTarget::Attribute {
                name: it.name,
                value: it.value,
            });
        let given = [
            self.subject.map(RevocationTarget::Subject),
            api_key.map(RevocationTarget::ApiKey),
            self.audience.map(RevocationTarget::Audience),
            self.role.map(RevocationTarget::Role),
            attribute,
            all,
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(one_target("")),
        }
    }
}

/// An empty request must not revoke everything, and none of two may be overlooked.
fn one_target(pointer: &'static str) -> Problem {
    let detail = "Say what to revoke with exactly one of `subject`, `api_key_id`, `audience`, `role`, `attribute` \
                  and `all: true`.";
    invalid(pointer, "invalid_target", detail)
}

fn api_key(text: &str) -> Result<ApiKeyId, Problem> {
    let id = text.parse();
    id.map_err(|_| {
        invalid(
            "/api_key_id",
            "invalid_filter",
            "An API key has an id such as key_….",
        )
    })
}

fn attribute(text: String) -> Result<AttributeFilter, Problem> {
    let text = text_of("/attribute", text)?;
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(AttributeFilter {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => {
            let detail = "`attribute` is a name, a colon and a value.";
            Err(invalid("/attribute", "invalid_filter", detail))
        }
    }
}

/// What no session can have is a mistake of the caller, and some of it is no text for a database.
fn text_of(pointer: &'static str, text: String) -> Result<String, Problem> {
    if (1..=1_088).contains(&text.len()) && !text.contains('\0') {
        return Ok(text);
    }
    let detail = "A filter has 1 to 1088 bytes, none of them zero.";
    Err(invalid(pointer, "invalid_filter", detail))
}

impl From<FoundSession> for SessionView {
    fn from(found: FoundSession) -> Self {
        let FoundSession {
            session,
            audience,
            state,
        } = found;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: session.id.to_string(),
            state: state.as_str(),
            revoked_by: match state {
                SessionState::Revoked(by) => Some(by.as_str()),
                _ => None,
            },
            chain_id: session.root.to_string(),
            subject: session.subject,
            api_key_id: session.api_key.to_string(),
            audience,
            roles: session.roles,
            attributes: session.attributes,
            resources: session.resources,
            signing_key: session.kid,
            issued_at: session.issued_at.to_string(),
            expires_at: session.expires_at.to_string(),
            session_expires_at: text(session.ends_at),
            renewed_at: text(session.renewed_at),
            revoked_at: text(session.revoked_at),
            client_address: session.client_address,
            request_id: session.request_id,
        }
    }
}

/// Find sessions
///
/// Newest first. Filters narrow each other down. A value of a sensitive attribute finds its sessions and is not shown.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "Sessions",
    params(ListSessionsQuery),
    responses(
        (status = 200, description = "A page of sessions", body = SessionList),
        (status = 422, description = "`no_such_audience`, `invalid_filter`, `invalid_time`, `invalid_state`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_sessions(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListSessions>,
    Query(query): Query<ListSessionsQuery>,
) -> Result<Json<SessionList>, Problem> {
    let limit = limit(query.limit)?;
    let before = decode_cursor(query.cursor.as_deref(), |text| text.parse().ok())?;
    let filter = query.filter()?;
    let issuer = &state.services.issuer;
    let found = issuer.find_sessions(caller.organization(), &filter, before, limit + 1);
    let mut found = found.await?;
    let next_cursor = next_cursor(&mut found, limit, |it| it.session.id.to_string());
    Ok(Json(SessionList {
        data: found.into_iter().map(SessionView::from).collect(),
        next_cursor,
    }))
}

/// Get a session
///
/// What was issued to whom and when, and what has become of it.
#[utoipa::path(
    get,
    path = "/v1/sessions/{id}",
    operation_id = "getSession",
    tag = "Sessions",
    params(("id" = String, Path, description = "The session's identifier, the `jti` of its token", format = Uuid)),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 404, description = "The organization has no such session: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_session(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetSession>,
    PathId(id): PathId<SessionId>,
) -> Result<Json<SessionView>, Problem> {
    let issuer = &state.services.issuer;
    let found = issuer.find_session(caller.organization(), id).await?;
    let found = found.ok_or_else(not_found)?;
    Ok(Json(found.into()))
}

/// Revoke a session
///
/// Its token is void at once, and so are all tokens that renew it or that it renewed. Revoking again changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    operation_id = "deleteSession",
    tag = "Sessions",
    params(("id" = String, Path, description = "The session's identifier, the `jti` of its token", format = Uuid)),
    responses(
        (status = 204, description = "Its token is void"),
        (status = 404, description = "The organization has no such session: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_session(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteSession>,
    PathId(id): PathId<SessionId>,
    RequestOrigin(origin): RequestOrigin,
) -> Result<StatusCode, Problem> {
    let act = act(&caller, origin);
    let issuer = &state.services.issuer;
    issuer
        .revoke_session(&act, caller.organization(), id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revoke many sessions
///
/// Voids everything of a subject, API key, audience, role, attribute value or the organization that was issued up to now,
/// or up to `before`. It counts from this answer on; what is issued afterwards is good.
#[utoipa::path(
    post,
    path = "/v1/sessions/revoke",
    operation_id = "revokeSessions",
    tag = "Sessions",
    request_body = RevokeSessionsRequest,
    responses(
        (status = 204, description = "The tokens are void"),
        (status = 422, description = "`invalid_target`, `no_such_audience`, `in_the_future`, `invalid_time`, `invalid_filter`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn revoke_sessions(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::RevokeSessions>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<RevokeSessionsRequest>,
) -> Result<StatusCode, Problem> {
    let before = time("/before", body.before.as_deref())?;
    let target = body.target()?;
    let act = act(&caller, origin);
    let issuer = &state.services.issuer;
    let revoked = issuer.revoke_sessions(&act, caller.organization(), target, before);
    revoked.await?;
    Ok(StatusCode::NO_CONTENT)
}
