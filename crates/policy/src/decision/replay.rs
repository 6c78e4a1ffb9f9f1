//! Decisions about sessions that were recorded: what a policy would say to the same request.
//!
//! Of sensitive attributes only hashes are recorded. Such a value is [`Hidden`]: it is there, and what it is can at most
//! be compared with values that somebody names.

use std::collections::BTreeMap;

use super::{
    attributes::joined_defaults,
    decide::{Asked, scope_of},
    reasons::Denial,
    request::{AudienceLimits, GrantRequest},
    trail::Trail,
};
use crate::{
    attributes::{AttributeValue, CompiledAttribute, Scalar},
    ceiling::CompiledCeiling,
    name::AttributeName,
    snapshot::PolicySnapshot,
};

/// What is known of a value that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// It is none of the values that the policy and the key name.
    Other,
    /// Nothing.
    Unknown,
}

/// A request as a session tells it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The request, without the attributes whose values are not known.
    pub request: GrantRequest,
    /// Those attributes.
    pub hidden: BTreeMap<String, Hidden>,
}

/// What would become of a recorded request. No [`Grant`](super::Grant): nothing can be issued with it.
#[derive(Clone, Debug, PartialEq)]
pub enum Replay {
    /// A token with this would be issued.
    Granted {
        /// The attributes whose values are known.
        attributes: BTreeMap<AttributeName, AttributeValue>,
        /// What the roles allow.
        scope: Vec<String>,
    },
    /// None would be, for at least these reasons.
    Refused(Denial),
}

impl PolicySnapshot {
    /// Decides about a recorded request. Hidden values count as well-formed; whether they are is for the caller to know,
    /// see [`PolicySnapshot::judges_alike`].
    pub fn replay(
        &self,
        ceiling: &CompiledCeiling,
        audience: Option<&AudienceLimits>,
        recorded: &Recorded,
    ) -> Replay {
        let mut trail = Trail::silent();
        let asked = Asked {
            request: &recorded.request,
            hidden: &recorded.hidden,
        };
        let parts = self.check(ceiling, audience, asked, &mut trail);
        match trail.finish().0 {
            Some(denial) => Replay::Refused(denial),
            None => Replay::Granted {
                scope: scope_of(&parts.roles),
                attributes: parts.attributes,
            },
        }
    }

    /// What a token of a key with this ceiling and with these roles carries when the request names no attribute.
    pub fn given(
        &self,
        ceiling: &CompiledCeiling,
        roles: &[String],
    ) -> BTreeMap<AttributeName, AttributeValue> {
        let roles = roles.iter().filter_map(|name| self.role(name));
        let given = joined_defaults(roles).into_iter();
        let mut given: BTreeMap<_, _> = given
            .filter_map(|(name, value)| Some((name.clone(), value?)))
            .collect();
        given.extend(ceiling.fixed_attributes().clone());
        given
    }

    /// Do both policies declare the attribute, and take the same values of it?
    pub fn judges_alike(&self, other: &Self, attribute: &str) -> bool {
        let both = self.attribute(attribute).zip(other.attribute(attribute));
        both.is_some_and(|(one, other)| one.judges_like(other))
    }

    /// The values, or items of a list, that the declaration of an attribute names: allowed ones and those of roles.
    pub fn named_values(&self, attribute: &str) -> Vec<Scalar> {
        let attribute = self.attribute(attribute);
        attribute.map_or_else(Vec::new, CompiledAttribute::named_values)
    }
}
