//! Tokens made here, altered one thing at a time; and a server made here, which fails one way at a time.

mod algorithms;
mod attacks;
mod attributes;
mod flips;
mod key_sets;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "client")]
mod remote;
mod revocations;
mod session_tokens;
mod signatures;
mod support;
mod vectors;
