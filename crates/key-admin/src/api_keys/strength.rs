//! How strong a key is, and whether another is no stronger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use serde_json::Value;
use storage::{PrincipalId, Timestamp};

use super::ApiKey;
use crate::rate_limit::RateLimit;
use crate::{Permission, SignedIn, UserRole};

/// Everything that limits what a key can do. Nothing else about a key makes it stronger: not its name. Its owner is a
/// matter of its own (`KeyOwner`).
///
/// Where a limit is absent (`None`, or no network at all), there is none: that is the strongest value. The one field
/// that works the other way round is `permissions`, where an empty set allows nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Strength {
    /// What the key may do.
    pub permissions: BTreeSet<Permission>,
    /// Roles it may grant, by name; `None` for all. Inheritance is not known here: a role that the stronger key only
    /// inherits must be listed in its set to count.
    pub roles: Option<BTreeSet<String>>,
    /// Audiences it may issue for; `None` for all.
    pub audiences: Option<BTreeSet<String>>,
    /// Attribute values that each of its tokens carries. Fixing one is a limit.
    pub fixed_attributes: BTreeMap<String, Value>,
    /// The only values that its tokens may carry, where it does not fix one.
    pub allowed_attributes: BTreeMap<String, Vec<Value>>,
    /// The longest life of a token; `None` for no limit of the key's own.
    pub max_ttl_seconds: Option<u32>,
    /// The networks it works from; empty for all.
    pub networks: Vec<IpNet>,
    /// How often it works; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A part of a key in which another is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// It holds a permission that the other lacks.
    Permissions,
    /// It may grant a role that the other may not.
    Roles,
    /// It may issue for an audience that the other may not.
    Audiences,
    /// It leaves open, or sets otherwise, an attribute that the other fixes.
    FixedAttributes,
    /// It leaves open an attribute that the other limits to some values, or allows more of them.
    AllowedAttributes,
    /// Its tokens may live longer.
    MaxTtl,
    /// It works from more networks.
    Networks,
    /// It may be used more often.
    RateLimit,
    /// It lives longer.
    Expiry,
    /// It acts for an owner whose role is stronger, or for anybody else where a member asks.
    Owner,
}

impl Aspect {
    /// The field of a key, as a JSON pointer (RFC 6901).
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Permissions => "/permissions",
            Self::Roles => "/ceiling/roles",
            Self::Audiences => "/ceiling/audiences",
            Self::FixedAttributes => "/ceiling/fixed_attributes",
            Self::AllowedAttributes => "/ceiling/allowed_attributes",
            Self::MaxTtl => "/ceiling/max_ttl_seconds",
            Self::Networks => "/allowed_networks",
            Self::RateLimit => "/rate_limit",
            Self::Expiry => "/expires_at",
            Self::Owner => "/owner_id",
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer()[1..].replace('/', "."))
    }
}

/// A key would be stronger than whoever makes or changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key would be stronger than who asks for it, in `{0}`")]
pub struct Stronger(pub Aspect);

/// For whom a key acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyOwner {
    pub(super) id: PrincipalId,
    /// `None` for a service account.
    pub(super) role: Option<UserRole>,
}

impl KeyOwner {
    /// Whoever has a key's secret acts for its owner. So nobody's key gets one of an owner whose role is stronger, and
    /// a member's key gets the same member's only. A service account reaches what an admin does.
    pub(super) fn covers(self, other: Self) -> Result<(), Stronger> {
        self.may_stop_keys_of(other)?;
        let reach = |owner: Self| owner.role.unwrap_or(UserRole::Admin);
        if reach(other).is_stronger_than(reach(self)) {
            return Err(Stronger(Aspect::Owner));
        }
        Ok(())
    }

    /// What needs no strength, such as switching a key off, is still not everybody's: a member has only its own keys.
    pub(super) fn may_stop_keys_of(self, other: Self) -> Result<(), Stronger> {
        if self.id == other.id || self.role.is_none_or(UserRole::manages_keys_of_others) {
            Ok(())
        } else {
            Err(Stronger(Aspect::Owner))
        }
    }
}

impl Strength {
    /// The strength of a key as it stands. Switched off or on, it is the same: it can be switched on again.
    pub fn of(key: &ApiKey) -> Self {
        Self {
            permissions: key.permissions.iter().copied().collect(),
            roles: key.ceiling.roles.clone(),
            audiences: key.ceiling.audiences.clone(),
            fixed_attributes: key.ceiling.fixed_attributes.clone(),
            allowed_attributes: key.ceiling.allowed_attributes.clone(),
            max_ttl_seconds: key.ceiling.max_ttl_seconds,
            networks: key.allowed_networks.clone(),
            rate_limit: key.rate_limit,
            expires_at: key.expires_at,
        }
    }

    /// What a person may hand on: the permissions that the person holds, and nothing narrower.
    pub(super) fn of_person(person: &SignedIn) -> Self {
        Self {
            permissions: person.permissions().iter().copied().collect(),
            roles: None,
            audiences: None,
            fixed_attributes: BTreeMap::new(),
            allowed_attributes: BTreeMap::new(),
            max_ttl_seconds: None,
            networks: Vec::new(),
            rate_limit: None,
            expires_at: None,
        }
    }

    /// Is `other` no stronger in any aspect? Reflexive and transitive: what a covered key covers is covered.
    pub fn covers(&self, other: &Self) -> Result<(), Stronger> {
        let aspects = [
            (
                Aspect::Permissions,
                other.permissions.is_subset(&self.permissions),
            ),
            (
                Aspect::Roles,
                within_names(self.roles.as_ref(), other.roles.as_ref()),
            ),
            (
                Aspect::Audiences,
                within_names(self.audiences.as_ref(), other.audiences.as_ref()),
            ),
            (Aspect::FixedAttributes, self.fixes_no_more_than(other)),
            (Aspect::AllowedAttributes, self.allows_all_values_of(other)),
            (
                Aspect::MaxTtl,
                within(self.max_ttl_seconds, other.max_ttl_seconds),
            ),
            (
                Aspect::Networks,
                within_networks(&self.networks, &other.networks),
            ),
            (
                Aspect::RateLimit,
                within_rate(self.rate_limit, other.rate_limit),
            ),
            (Aspect::Expiry, within(self.expires_at, other.expires_at)),
        ];
        match aspects.into_iter().find(|(_, covered)| !covered) {
            Some((aspect, _)) => Err(Stronger(aspect)),
            None => Ok(()),
        }
    }

    /// Equal as JSON: a list in another order is another value.
    fn fixes_no_more_than(&self, other: &Self) -> bool {
        let mut fixed = self.fixed_attributes.iter();
        fixed.all(|(name, value)| other.fixed_attributes.get(name) == Some(value))
    }

    /// An attribute that this one limits, the other fixes within the limit, or limits at least as much.
    fn allows_all_values_of(&self, other: &Self) -> bool {
        let limited = self.allowed_attributes.iter();
        let mut open = limited.filter(|(name, _)| !self.fixed_attributes.contains_key(*name));
        open.all(|(name, allowed)| {
            let values = match other.fixed_attributes.get(name) {
                Some(Value::Array(items)) => Some(items.as_slice()),
                Some(value) => Some(std::slice::from_ref(value)),
                None => other.allowed_attributes.get(name).map(Vec::as_slice),
            };
            values.is_some_and(|values| values.iter().all(|value| allowed.contains(value)))
        })
    }
}

/// `None` is unlimited.
fn within<T: Ord>(limit: Option<T>, value: Option<T>) -> bool {
    match (limit, value) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(limit), Some(value)) => value <= limit,
    }
}

fn within_names(limit: Option<&BTreeSet<String>>, names: Option<&BTreeSet<String>>) -> bool {
    match (limit, names) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(limit), Some(names)) => names.is_subset(limit),
    }
}

/// Both the sustained rate and the burst.
fn within_rate(limit: Option<RateLimit>, rate: Option<RateLimit>) -> bool {
    match (limit, rate) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(limit), Some(rate)) => {
            rate.per_minute <= limit.per_minute && rate.burst <= limit.burst
        }
    }
}

/// No network at all is unlimited. Neighbours count together: 10.0.0.0/9 and 10.128.0.0/9 hold 10.0.0.0/8.
fn within_networks(limit: &[IpNet], networks: &[IpNet]) -> bool {
    if limit.is_empty() {
        return true;
    }
    let limit = IpNet::aggregate(&limit.to_vec());
    !networks.is_empty()
        && networks
            .iter()
            .all(|network| limit.iter().any(|limit| limit.contains(network)))
}

#[cfg(test)]
mod tests;
