//! Users over HTTP.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use key_admin::users::Email;
use key_admin::{NewUser, User, UserChange, UserRole};
use policy::operations::markers;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use storage::PrincipalId;
use utoipa::ToSchema;

use super::principals::{
    DeletePrincipalQuery, ListPrincipalsQuery, StateView, principal_state, secret,
};
use crate::caller::{Caller, RequestOrigin, act};
use crate::json::{JsonBody, present};
use crate::problem::Problem;
use crate::query::{PathId, Query, invalid, next_cursor};
use crate::state::ApiState;

/// A user: everything but the password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// The user's identifier.
    #[schema(examples("own_01a203acc363700cb2d3af39a2eae215"))]
    id: String,
    /// The address to log in with, in lower case; no two users of this server have the same.
    email: String,
    /// The name for people; the address where none was given.
    name: String,
    /// What the user may do.
    role: RoleView,
    /// Whether the user and the user's API keys may act.
    state: StateView,
    /// When the user was made.
    #[schema(format = DateTime)]
    created_at: String,
}

/// What a user may do: an `owner` everything; an `admin` everything but making, changing and removing owners; a
/// `member` issue tokens, see all keys, and make and change its own; a `viewer` read.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UserRole)]
pub enum RoleView {
    /// Everything, other owners included. An organization always has an active one.
    Owner,
    /// Everything but owners.
    Admin,
    /// Issue tokens, see all keys, make and change own ones.
    Member,
    /// Read.
    Viewer,
}

/// A user to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "grace@example.com", "password": "twelve characters or more", "role": "member" }))]
pub struct CreateUserRequest {
    /// The address to log in with; no two users of this server have the same.
    #[schema(
        max_length = 254,
        pattern = r"^[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@.\x00-\x1f\x7f-\x9f]+(\.[^\s@.\x00-\x1f\x7f-\x9f]+)+$"
    )]
    email: String,
    /// The first password: not a common one, and without the address or the organization's name in it.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, write_only, min_length = 12, max_length = 128)]
    password: SecretString,
    /// What the user may do; no more than the owner of the calling key.
    #[schema(value_type = RoleView)]
    role: String,
    /// The name for people; the address when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
}

/// A change to a user; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "viewer" }))]
pub struct UpdateUserRequest {
    /// The name for people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
    name: Option<String>,
    /// What the user may do; no more than the owner of the calling key.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = RoleView, required = false)]
    role: Option<String>,
    /// Whether the user and the user's API keys may act.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = StateView, required = false)]
    state: Option<String>,
    /// A new password.
    #[serde(default, deserialize_with = "present_secret")]
    #[schema(value_type = String, format = Password, required = false, write_only, min_length = 12, max_length = 128)]
    password: Option<SecretString>,
}

/// A page of users, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    /// The users.
    data: Vec<UserView>,
    /// Give it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

fn present_secret<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}

fn user_role(name: &str) -> Result<UserRole, Problem> {
    let mut roles = UserRole::ALL.iter().copied();
    roles.find(|role| role.as_str() == name).ok_or_else(|| {
        invalid(
            "/role",
            "invalid_role",
            "`role` is owner, admin, member or viewer.",
        )
    })
}

impl CreateUserRequest {
    fn into_new(self) -> Result<NewUser, Problem> {
        Ok(NewUser {
            email: Email::parse(&self.email)?,
            name: self.name,
            role: user_role(&self.role)?,
            password: self.password,
        })
    }
}

impl UpdateUserRequest {
    fn into_change(self) -> Result<UserChange, Problem> {
        Ok(UserChange {
            name: self.name,
            role: self.role.as_deref().map(user_role).transpose()?,
            state: self.state.as_deref().map(principal_state).transpose()?,
            password: self.password,
        })
    }
}

impl From<UserRole> for RoleView {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Owner => Self::Owner,
            UserRole::Admin => Self::Admin,
            UserRole::Member => Self::Member,
            UserRole::Viewer => Self::Viewer,
        }
    }
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.into(),
            name: user.name,
            role: user.role.into(),
            state: user.state.into(),
            created_at: user.created_at.to_string(),
        }
    }
}

/// List users
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/users",
    operation_id = "listUsers",
    tag = "Users",
    params(ListPrincipalsQuery),
    responses(
        (status = 200, description = "A page of users", body = UserList),
        (status = 422, description = "`invalid_role`, `invalid_state`, `invalid_filter`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn list_users(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::ListUsers>,
    Query(query): Query<ListPrincipalsQuery>,
) -> Result<Json<UserList>, Problem> {
    let (limit, page) = query.page()?;
    let mut found = state
        .services
        .keys
        .list_users(caller.organization(), page)
        .await?;
    let next_cursor = next_cursor(&mut found, limit, |user| user.id.to_string());
    Ok(Json(UserList {
        data: found.into_iter().map(UserView::from).collect(),
        next_cursor,
    }))
}

/// Create a user
///
/// They can log in to the console with their address and password. Only an owner makes owners.
#[utoipa::path(
    post,
    path = "/v1/users",
    operation_id = "createUser",
    tag = "Users",
    request_body = CreateUserRequest,
    responses(
        (status = 201, description = "The user", body = UserView),
        (status = 403, description = "`owners_only`, `stronger_role`"),
        (status = 409, description = "`email_taken`"),
        (status = 422, description = "`invalid_email`, `invalid_role`, `invalid_name`, `password_length`, `common_password`, `personal_password`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn create_user(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::CreateUser>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<CreateUserRequest>,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let new = body.into_new()?;
    let user = state
        .services
        .keys
        .create_user(&act, caller.owner_role(), organization, new)
        .await?;
    Ok((StatusCode::CREATED, Json(UserView::from(user))))
}

/// Show a user
///
/// Everything but the password, which is kept only as a hash.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    operation_id = "getUser",
    tag = "Users",
    params(("id" = String, Path, description = "The user's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$")),
    responses(
        (status = 200, description = "The user", body = UserView),
        (status = 404, description = "The organization has no such user: `not_found`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn get_user(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::GetUser>,
    PathId(id): PathId<PrincipalId>,
) -> Result<Json<UserView>, Problem> {
    let found = state
        .services
        .keys
        .get_user(caller.organization(), id)
        .await?;
    Ok(Json(found.into()))
}

/// Change a user
///
/// What is left out stays as it is. Suspending stops the user's API keys at once, on every node within two seconds.
#[utoipa::path(
    patch,
    path = "/v1/users/{id}",
    operation_id = "updateUser",
    tag = "Users",
    params(("id" = String, Path, description = "The user's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$")),
    request_body = UpdateUserRequest,
    responses(
        (status = 200, description = "The user as it is now", body = UserView),
        (status = 403, description = "`owners_only`, `stronger_role`"),
        (status = 404, description = "The organization has no such user: `not_found`"),
        (status = 409, description = "`last_owner`"),
        (status = 422, description = "`invalid_role`, `invalid_state`, `invalid_name`, `password_length`, `common_password`, `personal_password`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn update_user(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::UpdateUser>,
    PathId(id): PathId<PrincipalId>,
    RequestOrigin(origin): RequestOrigin,
    JsonBody(body): JsonBody<UpdateUserRequest>,
) -> Result<Json<UserView>, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    let change = body.into_change()?;
    let changed = state
        .services
        .keys
        .update_user(&act, caller.owner_role(), organization, id, change)
        .await?;
    Ok(Json(changed.into()))
}

/// Delete a user
///
/// Their API keys go with them. Live ones keep the user here, unless `revoke_keys` is true. The audit trail stays.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}",
    operation_id = "deleteUser",
    tag = "Users",
    params(("id" = String, Path, description = "The user's identifier, `own_…`", pattern = "^own_[0-9a-f]{32}$"), DeletePrincipalQuery),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "`owners_only`, `stronger_role`"),
        (status = 404, description = "The organization has no such user: `not_found`"),
        (status = 409, description = "`live_keys`, `last_owner`"),
    ),
    security(("ApiKeyHeader" = []), ("Bearer" = []), ("ApiKeyAuthorization" = [])),
)]
pub async fn delete_user(
    State(state): State<ApiState>,
    Caller(caller): Caller<markers::DeleteUser>,
    PathId(id): PathId<PrincipalId>,
    RequestOrigin(origin): RequestOrigin,
    Query(query): Query<DeletePrincipalQuery>,
) -> Result<StatusCode, Problem> {
    let (act, organization) = (act(&caller, origin), caller.organization());
    state
        .services
        .keys
        .delete_user(&act, caller.owner_role(), organization, id, query.into())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
