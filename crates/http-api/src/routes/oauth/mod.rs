//! The OAuth endpoints, for programs that speak the standards: token exchange (RFC 8693), introspection (RFC 7662)
//! and revocation (RFC 7009).
//!
//! They share the client's authentication ([`client`]), forms ([`form`]) and the errors of RFC 6749 ([`error`]).

pub mod client;
pub mod error;
pub mod form;
pub mod introspect;
pub mod revoke;
pub mod token;

pub use client::OAuthClient;
pub use error::OAuthError;
pub use form::OAuthForm;
