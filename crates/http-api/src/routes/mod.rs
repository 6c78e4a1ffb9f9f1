//! Handlers, one module per noun: each parses, calls a service, renders.

pub mod account;
pub mod docs;
pub mod health;
pub mod session_tokens;
pub mod verifiers;
