//! Jeton's HTTP API: it parses, calls the services, and renders. It holds no SQL and no rules.
//!
//! | module | what it gives |
//! |---|---|
//! | [`router`] | the whole service: routes, OpenAPI document, Swagger UI, middleware |
//! | [`routes`] | one module per noun, handlers with their request and answer types |
//! | [`caller`] | extractors for who asks: [`caller::Caller`] holds the permission the handler needs |
//! | [`client_address`] | whose request it is, behind proxies |
//! | [`json`], [`strict_json`] | request bodies: size, time, duplicate keys, depth, unknown fields |
//! | [`query`] | query strings, identifiers in paths, pages of lists |
//! | [`texts`] | what the OpenAPI document says of texts in lists |
//! | [`problem`], [`errors`] | RFC 9457 answers; the one place where failures get their status |
//! | [`refusals`] | what a known caller may not do, in the audit trail |
//! | [`metrics`] | what the server tells its operator |
//! | [`middleware`] | request ids, logs, timeouts, panics, headers |
//! | [`server`] | connections: deadlines, how many there may be, draining |

pub mod caller;
pub mod client_address;
pub mod errors;
pub mod json;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod refusals;
pub mod router;
pub mod routes;
pub mod server;
mod state;
pub mod strict_json;
pub mod texts;

pub use metrics::MetricsAccess;
pub use router::service;
pub use server::{ConnectionCounters, Deadline, Server, ServerSettings};
pub use state::{ApiSettings, ApiState, SharedState};
