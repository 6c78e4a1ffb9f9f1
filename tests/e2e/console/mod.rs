//! The console in a real browser, on both engines.

mod api_keys;
mod audit;
mod overview;
mod people;
