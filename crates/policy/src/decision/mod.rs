//! The decision itself: a request in, a [`Grant`] or a [`Denial`] out.
//!
//! * [`request`]: what a backend asks for.
//! * [`decide`]: the checks, in the order of the request document; the only maker of grants.
//! * [`attributes`], [`lifetime`]: the checks that need more room.
//! * [`trail`]: what a decision notes: reasons and, when asked, every rule.
//! * [`grant`]: what was granted.
//! * [`scope`]: a grant whose scope says less than its roles allow.
//! * [`replay`]: decisions about sessions that were recorded.
//! * [`reasons`]: why it was not, every reason with its place in the document.

mod attributes;
mod decide;
mod grant;
mod lifetime;
mod reasons;
mod replay;
mod request;
mod scope;
mod trail;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod property_tests;

pub use decide::{
    Decision, Effective, Explanation, MAX_RESOURCE_ID_BYTES, MAX_RESOURCES, MAX_ROLES_PER_REQUEST,
    MAX_SUBJECT_BYTES,
};
pub use grant::Grant;
pub use reasons::{Denial, MAX_REASONS, Reason, ReasonCode, ReasonKind};
pub use replay::{Hidden, Recorded, Replay};
pub use request::{AudienceLimits, GrantRequest, Resource};
pub use scope::ScopeNotGranted;
pub use trail::{Outcome, Step};
