//! End-to-end tests: the real binary, real databases, real clients.
//!
//! Each test starts its own server on its own database and port; [`support`] speaks the product's language to it.
//! Run them through `tests/run`, which installs and starts what they need.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod api_keys;
mod audience_keys;
mod audiences;
mod audit;
mod audit_refusals;
mod authorize;
mod batch;
mod bodies;
mod buffered;
mod cli;
mod cli_apikey_update;
mod cli_audiences;
mod cli_http;
mod cli_login;
mod cli_organization;
mod cli_people;
mod cli_policy;
mod cli_scan;
mod cli_sessions;
mod console;
mod credentials;
mod dev;
mod documentation;
mod documented_commands;
mod embed;
mod embed_tokens;
mod errors;
mod exchange;
mod hash_floods;
mod independent_verifiers;
mod lifecycle;
mod logs;
mod loss;
mod members;
mod metrics;
mod oauth;
mod oauth_parts;
mod oauth_token;
mod openapi;
mod organization;
mod people;
mod people_refusals;
mod permissions;
mod policy;
mod policy_decisions;
mod policy_explain;
mod policy_faults;
mod policy_files;
mod policy_parts;
mod policy_rows;
mod policy_simulate;
mod preset_tokens;
mod refusals;
mod renewal;
mod renewal_pages;
mod reseal;
mod revocation_load;
mod revocations;
mod rotation_load;
mod schemathesis;
mod sessions;
mod slow_clients;
mod support;
mod swagger_ui;
mod token_forms;
mod verifier_documents;
