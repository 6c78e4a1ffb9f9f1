//! The request and the answer of Toucan AI's endpoint, for backends that already call it: `docs/toucan.md`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use policy::operations::markers;
use policy::{Denial, ScopeNotGranted};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use token_issuer::{EmbedRequest, IssueError};
use utoipa::ToSchema;

use crate::caller::{Caller, RequestOrigin};
use crate::errors::refused_at;
use crate::json::{JsonBody, Object, present};
use crate::problem::{FieldProblem, Problem};
use crate::state::ApiState;

/// Whom an embed token is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "user": { "distinctId": "user-42", "role": "viewer", "attributes": { "tenant_id": "t-1" } },
}))]
pub struct GenerateEmbedTokenRequest {
    /// The user, whom the calling backend has authenticated.
    #[schema(value_type = EmbedUser)]
    user: Object<EmbedUser>,
    /// What of it the user may do, by model: `dashboard`, `chart`, `database` with `can_view` and `can_edit`, `ai` with
    /// `can_query`. Left out: all that the role allows. What the role does not allow is refused.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = EmbedPermissions, required = false, example = json!({ "dashboard": ["can_view"] }))]
    permissions: Option<BTreeMap<String, Verbs>>,
}

/// What the user of an embed token may do, by model; one of them at least.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedPermissions {
    /// With dashboards.
    #[schema(value_type = Vec<EmbedVerb>, required = false, min_items = 1)]
    dashboard: Vec<EmbedVerb>,
    /// With charts.
    #[schema(value_type = Vec<EmbedVerb>, required = false, min_items = 1)]
    chart: Vec<EmbedVerb>,
    /// With databases.
    #[schema(value_type = Vec<EmbedVerb>, required = false, min_items = 1)]
    database: Vec<EmbedVerb>,
    /// With the assistant.
    #[schema(value_type = Vec<EmbedAiVerb>, required = false, min_items = 1)]
    ai: Vec<EmbedAiVerb>,
}

/// What can be done with a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbedVerb {
    /// Look at it.
    CanView,
    /// Change it, and look at it.
    CanEdit,
}

/// What can be done with the assistant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbedAiVerb {
    /// Ask it.
    CanQuery,
}

/// The user of an embed token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedUser {
    /// The user's identifier in the calling backend, the token's `sub`.
    #[serde(rename = "distinctId")]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    distinct_id: String,
    /// The one role that the token carries.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    role: String,
    /// The row-level-security attributes, by their declared names.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, Value>, required = false)]
    attributes: Map<String, Value>,
}

/// One word, or a list of them.
#[derive(Debug)]
pub struct Verbs(Vec<String>);

impl<'de> Deserialize<'de> for Verbs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error, Unexpected};
        const EXPECTED: &str = "a sequence";
        match Value::deserialize(deserializer)? {
            Value::String(verb) => Ok(Self(vec![verb])),
            Value::Array(verbs) => {
                let verbs = verbs.into_iter().map(|verb| match verb {
                    Value::String(verb) => Ok(verb),
                    _ => Err(D::Error::invalid_type(
                        Unexpected::Other("value"),
                        &EXPECTED,
                    )),
                });
                verbs.collect::<Result<_, _>>().map(Self)
            }
            _ => Err(D::Error::invalid_type(
                Unexpected::Other("value"),
                &EXPECTED,
            )),
        }
    }
}

/// An issued embed token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmbedToken {
    /// The session token.
    token: String,
    /// Its life in whole hours, minutes or seconds: `1h`, `15m`, `90s`.
    #[schema(examples("1h"))]
    expires_in: String,
}

/// Toucan AI's models with their verbs, and the scope that each stands for.
const VERBS: [(&str, &str, &[&str]); 7] = [
    ("dashboard", "can_view", &["dashboard:view"]),
    (
        "dashboard",
        "can_edit",
        &["dashboard:view", "dashboard:edit"],
    ),
    ("chart", "can_view", &["chart:view"]),
    ("chart", "can_edit", &["chart:view", "chart:edit"]),
    ("database", "can_view", &["database:view"]),
    ("database", "can_edit", &["database:view", "database:edit"]),
    ("ai", "can_query", &["ai:query"]),
];

/// A scope, each value with the place in the request that it comes from.
#[derive(Debug, Default)]
struct Permissions {
    scope: Vec<String>,
    places: Vec<String>,
}

impl Permissions {
    fn read(permissions: BTreeMap<String, Verbs>) -> Result<Self, Problem> {
        let mut read = Self::default();
        let mut unknown = Vec::new();
        for (model, Verbs(verbs)) in permissions {
            let escaped = model.replace('~', "~0").replace('/', "~1");
            if verbs.is_empty() {
                unknown.push(format!("/permissions/{escaped}"));
            }
            for (index, verb) in verbs.iter().enumerate() {
                let place = format!("/permissions/{escaped}/{index}");
                match VERBS.iter().find(|it| it.0 == model && it.1 == verb) {
                    Some((_, _, scope)) => {
                        read.scope.extend(scope.iter().map(ToString::to_string));
                        read.places.extend(scope.iter().map(|_| place.clone()));
                    }
                    None => unknown.push(place),
                }
            }
        }
        if unknown.is_empty() && !read.scope.is_empty() {
            return Ok(read);
        }
        if unknown.is_empty() {
            unknown.push("/permissions".to_owned());
        }
        let detail = "This is none of the permissions that are known here: `dashboard`, `chart` and `database` have \
                      `can_view` and `can_edit`, `ai` has `can_query`. Leave `permissions` out for all that the role allows.";
        Err(problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_embed_permission",
            detail,
            unknown,
        ))
    }

    fn not_granted(&self, error: &ScopeNotGranted) -> Problem {
        let places = error
            .places
            .iter()
            .filter_map(|place| self.places.get(*place));
        let mut places: Vec<String> = places.cloned().collect();
        places.dedup();
        let detail = "The role does not allow what this permission stands for.";
        problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "scope_not_granted",
            detail,
            places,
        )
    }
}

fn problem(
    status: StatusCode,
    code: &'static str,
    detail: &'static str,
    pointers: Vec<String>,
) -> Problem {
    let fields = pointers.into_iter().map(|pointer| FieldProblem {
        pointer,
        code: code.to_owned(),
        detail: detail.to_owned(),
    });
    Problem::new(status, code, detail).errors(fields.collect())
}

/// The policy's places are those of `POST /v1/session-tokens`.
fn refused(denial: &Denial) -> Problem {
    refused_at(denial, |pointer| {
        if pointer == "/user/id" {
            "/user/distinctId".to_owned()
        } else if pointer.starts_with("/user/roles") {
            "/user/role".to_owned()
        } else if pointer.starts_with("/user/") {
            pointer.to_owned()
        } else {
            String::new()
        }
    })
}

impl EmbedToken {
    fn new(issued: &token_issuer::IssuedToken) -> Self {
        Self {
            token: issued.token().expose_secret().to_owned(),
            expires_in: in_words(issued.claims().lifetime_seconds()),
        }
    }
}

/// The longest unit that leaves no rest.
fn in_words(seconds: i64) -> String {
    match seconds {
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Issue a session token as Toucan AI's endpoint does
///
/// For backends that already call it. The token is a session token like any other, of the audience `toucan` if the
/// organization has it, and of `default` otherwise. It lives an hour where every limit allows it.
#[utoipa::path(
    post,
    path = "/embed/generate-token",
    operation_id = "generateEmbedToken",
    tag = "Session tokens",
    request_body = GenerateEmbedTokenRequest,
    responses(
        (status = 200, description = "The token", body = EmbedToken),
        (status = 422, description = "`unknown_embed_permission`, `scope_not_granted`, `scope_not_carried`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn generate_embed_token(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GenerateEmbedToken>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<GenerateEmbedTokenRequest>,
) -> Result<Json<EmbedToken>, Problem> {
    let Object(user) = body.user;
    let permissions = body.permissions.map(Permissions::read).transpose()?;
    let request = EmbedRequest {
        subject: user.distinct_id,
        role: user.role,
        attributes: user.attributes,
        scope: permissions.as_ref().map(|it| it.scope.clone()),
    };
    let issuer = &state.services.issuer;
    let caller = caller.issuing();
    let issued = issuer.issue_embed_token(&caller, request, &origin).await;
    let issued = issued.map_err(|error| match (error, &permissions) {
        (IssueError::Refused(denial), _) => refused(&denial),
        (IssueError::Scope(error), Some(permissions)) => permissions.not_granted(&error),
        (error, _) => error.into(),
    })?;
    Ok(Json(EmbedToken::new(&issued)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_told_in_their_longest_unit() {
        for (seconds, text) in [
            (3600, "1h"),
            (86_400, "24h"),
            (5400, "90m"),
            (900, "15m"),
            (60, "1m"),
            (90, "90s"),
            (1, "1s"),
        ] {
            assert_eq!(in_words(seconds), text);
        }
    }
}
