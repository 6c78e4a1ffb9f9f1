//! People in the console: how they prove who they are, and for how long that holds.

mod signed_in;

pub use signed_in::SignedIn;
