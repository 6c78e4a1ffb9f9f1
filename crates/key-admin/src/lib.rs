//! Who may ask: organizations, the people and programs in them, and their API keys.
//!
//! | module | what it gives |
//! |---|---|
//! | [`organizations`] | [`Organization`], the unit of isolation |
//! | [`users`] | people with a console login |
//! | [`api_keys`] | the key format, creation, authentication: [`PresentedKey`] → [`ApiKeyContext`] |
//! | [`hashing`] | argon2id with the server's pepper, in a bounded pool |
//! | [`rate_limit`] | token buckets in bounded memory |
//! | [`secrets`], [`random`] | the master secret and what is derived from it; the operating system's generator |
//!
//! [`KeyAdmin`] is the service. It answers *who* asks. What may be granted is for the `policy` crate to decide.

pub mod api_keys;
pub mod hashing;
pub mod organizations;
pub mod random;
pub mod rate_limit;
pub mod secrets;
mod service;
#[cfg(test)]
mod testing;
pub mod users;

pub use api_keys::{
    ApiKey, ApiKeyContext, ApiKeyId, AuthenticateError, CreateKeyError, CreatedKey, KeyCeiling,
    KeyState, MissingPermission, NewApiKey, Permission, Permitted, PresentedKey, Requires,
    TokensIssue,
};
pub use organizations::{Organization, Slug};
pub use secrets::MasterSecret;
pub use service::{KeyAdmin, KeyAdminSettings};
