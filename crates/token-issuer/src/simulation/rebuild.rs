//! A session's row becomes the request that it came from, as far as that can be told.

use std::collections::{BTreeMap, HashMap, HashSet};

use policy::{
    AttributeName, AttributeValue, CompiledCeiling, GrantRequest, Hidden, PolicySnapshot, Recorded,
    Scalar,
};
use serde_json::{Map, Value};

use crate::sessions::store::RecordedSession;
use crate::sessions::{OrganizationHasher, hashes};

/// Values that policies and keys name, by their hashes: a recorded hash of one of them is no secret.
#[derive(Debug)]
pub(super) struct Named {
    hasher: OrganizationHasher,
    attributes: HashSet<String>,
    values: HashMap<(String, String), Value>,
}

impl Named {
    pub(super) fn new(hasher: OrganizationHasher) -> Self {
        Self {
            hasher,
            attributes: HashSet::new(),
            values: HashMap::new(),
        }
    }

    /// Learns what the policies name of an attribute.
    fn learn(&mut self, attribute: &str, policies: [&PolicySnapshot; 2]) {
        if self.attributes.insert(attribute.to_owned()) {
            for policy in policies {
                self.add(attribute, &policy.named_values(attribute));
            }
        }
    }

    /// Learns what a key names of sensitive attributes.
    pub(super) fn learn_ceiling(&mut self, ceiling: &CompiledCeiling) {
        for (name, value) in ceiling.fixed_attributes() {
            self.add(name.as_str(), value.items());
        }
        for (name, values) in ceiling.allowed_attributes() {
            self.add(name.as_str(), values);
        }
    }

    fn add(&mut self, attribute: &str, values: &[Scalar]) {
        for value in values {
            let value = value.to_json();
            let hash = self.hasher.hash(attribute, &value);
            self.values.insert((attribute.to_owned(), hash), value);
        }
    }

    /// The value of these hashes, if all are of values that are named.
    fn value(&self, attribute: &str, stored: &Value, hashes: &[&str]) -> Option<Value> {
        let value = |hash: &&str| {
            let key = (attribute.to_owned(), (*hash).to_owned());
            self.values.get(&key).cloned()
        };
        let mut values: Vec<Value> = hashes.iter().map(value).collect::<Option<_>>()?;
        if stored.is_array() {
            Some(Value::Array(values))
        } else {
            values.pop()
        }
    }
}

/// The request of a session. What key and roles give under the current policy was not necessarily requested, and is left
/// out.
pub(super) fn rebuild(
    session: &RecordedSession,
    audience: &str,
    given: &BTreeMap<AttributeName, AttributeValue>,
    named: &mut Named,
    policies: [&PolicySnapshot; 2],
) -> Recorded {
    let mut attributes = Map::new();
    let mut hidden = BTreeMap::new();
    for (name, stored) in &session.attributes.0 {
        let value = match hashes(stored) {
            None => Some(stored.clone()),
            Some(hashes) => {
                named.learn(name, policies);
                named.value(name, stored, &hashes)
            }
        };
        match value {
            None => {
                hidden.insert(name.clone(), Hidden::Other);
            }
            Some(value)
                if given
                    .get(name.as_str())
                    .map(AttributeValue::to_json)
                    .as_ref()
                    != Some(&value) =>
            {
                attributes.insert(name.clone(), value);
            }
            Some(_) => {}
        }
    }
    let lifetime = session.expires_at.unix_seconds() - session.issued_at.unix_seconds();
    let request = GrantRequest {
        subject: session.subject.clone(),
        roles: session.roles.0.clone(),
        attributes,
        audience: audience.to_owned(),
        ttl_seconds: Some(lifetime),
        resources: session.resources.0.clone(),
    };
    Recorded { request, hidden }
}
