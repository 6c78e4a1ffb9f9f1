//! What `/metrics` tells an operator: `docs/metrics.md` lists all of it.
//!
//! | module | what it gives |
//! |---|---|
//! | [`requests`] | what became of requests, counted as they are answered |
//! | `families` | every metric with its name, read from where it is counted |
//! | `process` | this process, as the system sees it |
//! | [`exposition`] | the text formats |
//! | [`access`] | who may read it |
//!
//! Domain crates count without names and labels ([`storage::metrics`]); only here does a figure get them. A label's value
//! is `&'static str` throughout: nothing of a request, an organization or a key can become one, and their number is
//! fixed when the program is compiled.

pub mod access;
pub mod exposition;
mod families;
mod process;
pub mod requests;

pub use access::MetricsAccess;
pub(crate) use families::exposed;
pub use requests::RequestMetrics;
