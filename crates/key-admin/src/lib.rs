//! Who may ask: organizations, the people and programs in them, and their API keys.
//!
//! | module | what it gives |
//! |---|---|
//! | [`organizations`] | [`Organization`], the unit of isolation |
//! | [`users`], [`service_accounts`] | people with a console login; programs |
//! | [`principals`] | what both have in common: state, keys, removal |
//! | [`api_keys`] | the key format, creation, authentication: [`PresentedKey`] → [`ApiKeyContext`] |
//! | [`sign_in`] | people in the console: passwords, second factors, providers, sessions |
//! | [`permissions`] | what a caller may do, in the words of the API |
//! | [`activity`] | how much is issued and refused, minute by minute |
//! | [`audit`] | what was done, by whom, to what |
//! | [`cutoffs`] | what was issued up to a moment, and is void |
//! | [`hashing`] | argon2id with the server's pepper, in a bounded pool |
//! | [`refusals`] | what was refused to whoever has proven a key: some of it, for the audit trail |
//! | [`rate_limit`] | token buckets in bounded memory |
//! | [`secrets`], [`random`] | the master secret and what is derived from it; the operating system's generator |
//! | [`sealing`] | secrets at rest |
//!
//! [`KeyAdmin`] is the service. It answers *who* asks. What may be granted is for the `policy` crate to decide.

pub mod activity;
pub mod api_keys;
mod asker;
pub mod audit;
pub mod cutoffs;
pub mod hashing;
mod like;
pub mod organizations;
pub mod permissions;
pub mod principals;
pub mod random;
pub mod rate_limit;
pub mod refusals;
pub mod sealing;
pub mod secrets;
mod service;
pub mod service_accounts;
pub mod sign_in;
#[cfg(test)]
mod testing;
pub mod users;

pub use activity::{Activity, ActivitySeries, ActivityStep, KeyActivity, RefusalCount};
pub use api_keys::{
    ApiKey, ApiKeyContext, ApiKeyId, ApiKeyPatch, AuthenticateError, ChangeKeyError,
    CreateKeyError, CreatedKey, Edit, ExpiringKey, FurtherUseError, IssuedTokens, KeyCeiling,
    KeyFilter, KeyRevocation, KeyState, ListedKey, NewApiKey, PresentedKey,
};
pub use asker::Asker;
pub use audit::{Act, Actor};
pub use organizations::{Organization, OrganizationError, OrganizationPatch, Slug};
pub use permissions::Permission;
pub use principals::{Deletion, PrincipalPage, PrincipalState};
pub use refusals::{Refusal, RefusalLog};
pub use secrets::{MasterSecret, MasterSecrets};
pub use service::{KeyAdmin, KeyAdminSecrets, KeyAdminSettings};
pub use service_accounts::{ServiceAccount, ServiceAccountChange, ServiceAccountError};
pub use sign_in::SignedIn;
pub use users::{NewUser, User, UserChange, UserError, UserRole};
