//! "What was issued until then is void", for everything that has something in common.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Number, Value};
use uuid::Uuid;

use super::SnapshotError;
use crate::claims::Claims;

/// Unix milliseconds; what was issued then or before is void.
type Milliseconds = u64;

/// The cutoffs of a snapshot, ready to be looked up.
#[derive(Default)]
pub(super) struct Cutoffs {
    organization: Option<Milliseconds>,
    api_keys: HashMap<String, Milliseconds>,
    subjects: HashMap<String, Milliseconds>,
    audiences: HashMap<String, Milliseconds>,
    signing_keys: HashMap<String, Milliseconds>,
    roles: HashMap<String, Milliseconds>,
    attributes: HashMap<String, HashMap<Scalar, Milliseconds>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    name: Option<String>,
    value: Option<Value>,
    before_ms: u64,
}

/// One value of an attribute. Numbers that differ only in how they are written are equal.
#[derive(PartialEq, Eq, Hash)]
enum Scalar {
    Boolean(bool),
    Whole(i128),
    /// The bits of a number with a fraction.
    Fraction(u64),
    Text(String),
}

impl Cutoffs {
    pub(super) fn read(written: Vec<Value>) -> Result<Self, SnapshotError> {
        let mut cutoffs = Self::default();
        for cutoff in written {
            let cutoff = serde_json::from_value(cutoff).map_err(|_| SnapshotError::Claims)?;
            cutoffs.add(cutoff)?;
        }
        Ok(cutoffs)
    }

    fn add(&mut self, cutoff: Written) -> Result<(), SnapshotError> {
        let Written {
            kind,
            name,
            value,
            before_ms,
        } = cutoff;
        let held = match (kind.as_str(), name, value) {
            ("organization", None, None) => self.organization.get_or_insert(before_ms),
            ("api_key", None, Some(Value::String(id))) => self.api_keys.entry(id).or_default(),
            ("subject", None, Some(Value::String(sub))) => self.subjects.entry(sub).or_default(),
            ("audience", None, Some(Value::String(aud))) => self.audiences.entry(aud).or_default(),
            ("signing_key", None, Some(Value::String(kid))) => {
                self.signing_keys.entry(kid).or_default()
            }
            ("role", None, Some(Value::String(role))) => self.roles.entry(role).or_default(),
            ("attribute", Some(name), Some(value)) => self
                .attributes
                .entry(name)
                .or_default()
                .entry(Scalar::of(&value).ok_or(SnapshotError::Claims)?)
                .or_default(),
            (
                "organization" | "api_key" | "subject" | "audience" | "signing_key" | "role"
                | "attribute",
                _,
                _,
            ) => return Err(SnapshotError::Claims),
            _ => return Err(SnapshotError::UnknownCutoff),
        };
        *held = before_ms.max(*held);
        Ok(())
    }

    /// Whether one of them voids the token.
    pub(super) fn void(&self, claims: &Claims) -> bool {
        let named = [
            self.organization,
            self.api_keys.get(&claims.client_id).copied(),
            self.subjects.get(&claims.sub).copied(),
            self.audiences.get(&claims.aud).copied(),
            self.signing_keys.get(claims.signing_key()).copied(),
        ];
        let roles = claims
            .roles
            .iter()
            .map(|role| self.roles.get(role).copied());
        let latest = named
            .into_iter()
            .chain(roles)
            .chain([self.of_attributes(claims)])
            .flatten()
            .max();
        latest.is_some_and(|cutoff| issued_at(claims) <= cutoff)
    }

    fn of_attributes(&self, claims: &Claims) -> Option<Milliseconds> {
        if self.attributes.is_empty() {
            return None;
        }
        claims
            .attributes()
            .values()
            .filter_map(|(name, value)| Some((self.attributes.get(name)?, value)))
            .flat_map(|(cutoffs, value)| {
                let items = value
                    .as_array()
                    .map_or(std::slice::from_ref(value), |items| items);
                items
                    .iter()
                    .filter_map(|item| cutoffs.get(&Scalar::of(item)?).copied())
            })
            .max()
    }
}

impl Scalar {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::Number(number) => Self::of_number(number),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn of_number(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_i128() {
            return Some(Self::Whole(whole));
        }
        let number = number.as_f64()?;
        // Beyond this a fraction has no digits left, and the conversion would no longer be exact.
        if number.fract() == 0.0 && number.abs() < 1e38 {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within i128")]
            return Some(Self::Whole(number as i128));
        }
        Some(Self::Fraction(number.to_bits()))
    }
}

/// When the token was issued, in Unix milliseconds: the time inside a `jti` that is a `UUIDv7` (RFC 9562 section 5.7),
/// if it lies in the second that `iat` names. Otherwise the earliest time that either of them allows, so that a token
/// of which it is in doubt on which side of a cutoff it was issued is void.
fn issued_at(claims: &Claims) -> Milliseconds {
    let second = claims.iat.saturating_mul(1000);
    match milliseconds_in(&claims.jti) {
        Some(exact) if exact / 1000 == claims.iat => exact,
        Some(other) => other.min(second),
        None => second,
    }
}

fn milliseconds_in(jti: &str) -> Option<Milliseconds> {
    // Only the hyphenated form; the parser takes others, which no session id has.
    let id = Uuid::try_parse(jti).ok().filter(|_| jti.len() == 36)?;
    if id.get_version_num() != 7 || id.get_variant() != uuid::Variant::RFC4122 {
        return None;
    }
    u64::try_from(id.as_u128() >> 80).ok()
}
