//! The console in a real browser, on both engines.

mod api_keys;
mod audiences;
mod playground;
mod policy;
mod sessions;
mod tokens;
