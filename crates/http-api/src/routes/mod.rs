//! Handlers, one module per noun: each parses, calls a service, renders.

pub mod account;
pub mod api_keys;
pub mod audiences;
pub mod audit_events;
pub mod authorize;
pub mod docs;
pub mod embed;
pub mod embed_tokens;
pub mod health;
pub mod metrics;
pub mod oauth;
pub mod organization;
pub mod policy;
pub mod policy_explain;
pub mod policy_simulate;
mod presented;
pub mod principals;
pub mod renewals;
pub mod revocations;
pub mod service_accounts;
pub mod session_token_batch;
pub mod session_tokens;
pub mod sessions;
pub mod users;
pub mod verifiers;
