//! A client of a Jeton server: the generated operations of [`apis`] and values of [`models`], and around them what
//! every program needs: authentication, retries, typed problems and a cache of session tokens.
//!
//! ```no_run
//! # async fn example() -> Result<(), jeton_client::Error> {
//! let jeton = jeton_client::connect("https://tokens.example.com", "jtn_…")?;
//! let account = jeton_client::apis::account_api::get_account(&jeton).await?;
//! # Ok(())
//! # }
//! ```

#[allow(warnings, clippy::all, clippy::pedantic, reason = "generated")]
pub mod apis;
#[allow(warnings, clippy::all, clippy::pedantic, reason = "generated")]
pub mod models;

mod client;
mod problem;
mod retry;
mod tokens;

pub use client::{Builder, connect};
pub use problem::{Error, Problem};
pub use retry::{Retry, Sleep};
pub use tokens::{Clock, TokenCache};
