//! The decision itself: a request in, a [`Grant`] or a [`Denial`] out.
//!
//! * [`request`]: what a backend asks for.
//! * [`decide`]: the checks, in the order of the request document; the only maker of grants.
//! * [`grant`]: what was granted.
//! * [`reasons`]: why it was not, every reason with its place in the document.

mod decide;
mod grant;
mod reasons;
mod request;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod property_tests;

pub use decide::{
    Decision, MAX_RESOURCE_ID_BYTES, MAX_RESOURCES, MAX_ROLES_PER_REQUEST, MAX_SUBJECT_BYTES,
};
pub use grant::Grant;
pub use reasons::{Denial, MAX_REASONS, Reason, ReasonCode, ReasonKind};
pub use request::{AudienceLimits, GrantRequest, Resource};
