//! The fetching verifier against a real HTTP server, with a clock moved by hand.

mod keys;
mod limits;
mod revocations;
mod server;
