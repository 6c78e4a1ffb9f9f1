//! The two tables: what each operation needs, and what each role of a user includes.

use key_admin::Permission;
use key_admin::users::UserRole;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $id:literal needs $permission:expr,)*) => {
        /// An operation of the API, under the name it has in the OpenAPI document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// All that need a caller.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its `operationId`.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// The permission it needs; `None` when any caller may.
            pub const fn permission(self) -> Option<Permission> {
                match self {
                    $(Self::$name => $permission,)*
                }
            }
        }

        /// Each operation as a type, for the signatures of what needs it.
        pub mod markers {
            $(
                #[doc = concat!("`", $id, "`")]
                #[derive(Clone, Copy, Debug)]
                pub enum $name {}

                impl super::Marker for $name {
                    const OPERATION: super::Operation = super::Operation::$name;
                }
            )*
        }
    };
}

/// An operation as a type.
pub trait Marker {
    /// The operation.
    const OPERATION: Operation;
}

/// An operation that ends in session tokens, and so needs what issuing one needs.
pub trait Issuing: Marker {}

impl Issuing for markers::IssueSessionToken {}
impl Issuing for markers::IssueSessionTokenBatch {}
impl Issuing for markers::GenerateEmbedToken {}
impl Issuing for markers::ExchangeToken {}

operations! {
    /// Exchange the key for a session token.
    IssueSessionToken = "issueSessionToken" needs Some(Permission::TokensIssue),
    /// Exchange the key for many session tokens.
    IssueSessionTokenBatch = "issueSessionTokenBatch" needs Some(Permission::TokensIssue),
    /// Exchange the key for a session token, as Toucan AI's endpoint does.
    GenerateEmbedToken = "generateEmbedToken" needs Some(Permission::TokensIssue),
    /// Exchange a user or a token for a session token (RFC 8693).
    ExchangeToken = "exchangeToken" needs Some(Permission::TokensIssue),
    /// Show the caller.
    GetAccount = "getAccount" needs None,
    /// Show the organization's settings.
    GetOrganization = "getOrganization" needs Some(Permission::OrganizationRead),
    /// Change the organization's settings.
    UpdateOrganization = "updateOrganization" needs Some(Permission::OrganizationWrite),
    /// List API keys.
    ListApiKeys = "listApiKeys" needs Some(Permission::KeysRead),
    /// Show an API key.
    GetApiKey = "getApiKey" needs Some(Permission::KeysRead),
    /// Show how much an API key is used.
    GetApiKeyUsage = "getApiKeyUsage" needs Some(Permission::KeysRead),
    /// Make an API key.
    CreateApiKey = "createApiKey" needs Some(Permission::KeysWrite),
    /// Change an API key.
    UpdateApiKey = "updateApiKey" needs Some(Permission::KeysWrite),
    /// Give an API key a new secret.
    RotateApiKey = "rotateApiKey" needs Some(Permission::KeysWrite),
    /// Switch an API key off.
    DisableApiKey = "disableApiKey" needs Some(Permission::KeysWrite),
    /// Switch an API key on again.
    EnableApiKey = "enableApiKey" needs Some(Permission::KeysWrite),
    /// Take an API key back.
    RevokeApiKey = "revokeApiKey" needs Some(Permission::KeysWrite),
    /// Remove an API key.
    DeleteApiKey = "deleteApiKey" needs Some(Permission::KeysWrite),
    /// List users.
    ListUsers = "listUsers" needs Some(Permission::UsersRead),
    /// Show a user.
    GetUser = "getUser" needs Some(Permission::UsersRead),
    /// Make a user.
    CreateUser = "createUser" needs Some(Permission::UsersWrite),
    /// Change a user.
    UpdateUser = "updateUser" needs Some(Permission::UsersWrite),
    /// Remove a user.
    DeleteUser = "deleteUser" needs Some(Permission::UsersWrite),
    /// List service accounts.
    ListServiceAccounts = "listServiceAccounts" needs Some(Permission::UsersRead),
    /// Show a service account.
    GetServiceAccount = "getServiceAccount" needs Some(Permission::UsersRead),
    /// Make a service account.
    CreateServiceAccount = "createServiceAccount" needs Some(Permission::UsersWrite),
    /// Change a service account.
    UpdateServiceAccount = "updateServiceAccount" needs Some(Permission::UsersWrite),
    /// Remove a service account.
    DeleteServiceAccount = "deleteServiceAccount" needs Some(Permission::UsersWrite),
    /// List what happened.
    ListAuditEvents = "listAuditEvents" needs Some(Permission::AuditRead),
    /// Show the policy.
    GetPolicy = "getPolicy" needs Some(Permission::PolicyRead),
    /// Replace the policy.
    ReplacePolicy = "replacePolicy" needs Some(Permission::PolicyWrite),
    /// List roles.
    ListRoles = "listRoles" needs Some(Permission::PolicyRead),
    /// Show a role.
    GetRole = "getRole" needs Some(Permission::PolicyRead),
    /// Declare a role.
    CreateRole = "createRole" needs Some(Permission::PolicyWrite),
    /// Declare a role anew.
    ReplaceRole = "replaceRole" needs Some(Permission::PolicyWrite),
    /// Remove a role.
    DeleteRole = "deleteRole" needs Some(Permission::PolicyWrite),
    /// List attributes.
    ListAttributes = "listAttributes" needs Some(Permission::PolicyRead),
    /// Show an attribute.
    GetAttribute = "getAttribute" needs Some(Permission::PolicyRead),
    /// Declare an attribute.
    CreateAttribute = "createAttribute" needs Some(Permission::PolicyWrite),
    /// Declare an attribute anew.
    ReplaceAttribute = "replaceAttribute" needs Some(Permission::PolicyWrite),
    /// Remove an attribute.
    DeleteAttribute = "deleteAttribute" needs Some(Permission::PolicyWrite),
    /// List audiences.
    ListAudiences = "listAudiences" needs Some(Permission::AudiencesRead),
    /// Show an audience.
    GetAudience = "getAudience" needs Some(Permission::AudiencesRead),
    /// List what known consumers need.
    ListAudiencePresets = "listAudiencePresets" needs Some(Permission::AudiencesRead),
    /// List the keys of an audience.
    ListSigningKeys = "listSigningKeys" needs Some(Permission::AudiencesRead),
    /// Make an audience.
    CreateAudience = "createAudience" needs Some(Permission::AudiencesWrite),
    /// Change an audience.
    UpdateAudience = "updateAudience" needs Some(Permission::AudiencesWrite),
    /// Remove an audience.
    DeleteAudience = "deleteAudience" needs Some(Permission::AudiencesWrite),
    /// Let the next key of an audience sign.
    RotateSigningKey = "rotateSigningKey" needs Some(Permission::AudiencesWrite),
    /// Give an audience a key that was made elsewhere.
    ImportSigningKey = "importSigningKey" needs Some(Permission::AudiencesWrite),
    /// Take a key of an audience out of use.
    RetireSigningKey = "retireSigningKey" needs Some(Permission::AudiencesWrite),
    /// Ask what a token allows.
    Authorize = "authorize" needs Some(Permission::TokensIntrospect),
    /// Ask which rows a token may see.
    GetRowFilters = "getRowFilters" needs Some(Permission::TokensIntrospect),
    /// Find sessions.
    ListSessions = "listSessions" needs Some(Permission::SessionsRead),
    /// Show a session.
    GetSession = "getSession" needs Some(Permission::SessionsRead),
    /// Revoke a session.
    DeleteSession = "deleteSession" needs Some(Permission::TokensRevoke),
    /// Void what was issued up to now.
    RevokeSessions = "revokeSessions" needs Some(Permission::TokensRevoke),
    /// Ask whether a token is active (RFC 7662).
    IntrospectToken = "introspectToken" needs Some(Permission::TokensIntrospect),
    /// Revoke a token (RFC 7009).
    RevokeToken = "revokeToken" needs Some(Permission::TokensRevoke),
    /// Show why a token would be issued or not.
    ExplainPolicy = "explainPolicy" needs Some(Permission::PolicyRead),
    /// Show what another policy would change.
    SimulatePolicy = "simulatePolicy" needs Some(Permission::PolicyRead),
}

/// The permissions that a user's role includes. Keys of a user hold at most these.
pub fn role_permissions(role: UserRole) -> Vec<Permission> {
    let all = Permission::ALL.iter().copied();
    match role {
        UserRole::Owner | UserRole::Admin => all.collect(),
        // Of keys a member writes its own only: `key-admin` sees to that.
        UserRole::Member => vec![
            Permission::TokensIssue,
            Permission::KeysRead,
            Permission::KeysWrite,
        ],
        UserRole::Viewer => all.filter(|permission| permission.is_read()).collect(),
    }
}
