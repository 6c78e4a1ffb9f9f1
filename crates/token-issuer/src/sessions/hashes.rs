//! Sensitive attributes at rest: keyed hashes in place of values.
//!
//! HMAC-SHA-256 over the attribute's name and value, under a key of the organization that is derived (HKDF, RFC 5869)
//! from one of [`crate::installation_keys`]. Equal values of one attribute have equal hashes, so sessions can be found by
//! value; without that key, guessing values is of no use. A stored value is `{"hmac": "…"}`, of a list each item.

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::sealing::Sealer;
use secrecy::{ExposeSecret, SecretBox};
use serde_json::{Map, Value, json};
use storage::OrganizationId;

/// The largest whole number that a float keeps exactly, 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Hashes the values of sensitive attributes.
pub struct AttributeHasher(SecretBox<[u8; 32]>);

/// A value could not be hashed. It is then not stored either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of a sensitive attribute could not be hashed")]
pub struct CannotHash;

impl From<Unspecified> for CannotHash {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl std::fmt::Debug for AttributeHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttributeHasher").finish_non_exhaustive()
    }
}

impl AttributeHasher {
    /// The label of its key's derivation in installations that began without one of their own.
    pub const LABEL: &'static str = "jeton/attributes/v1";

    /// The hasher of the installation that this key belongs to.
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The hashes of one organization.
    pub fn of(&self, organization: OrganizationId) -> Result<OrganizationHasher, CannotHash> {
        self.key(organization, b"").map(OrganizationHasher)
    }

    /// The key of an organization for the filter `hash` of claim templates: what tokens show is no hash of what is
    /// stored.
    pub(crate) fn template_key(
        &self,
        organization: OrganizationId,
    ) -> Result<hmac::Key, CannotHash> {
        self.key(organization, b"claim templates")
    }

    /// What seals the claims of an organization's tokens that do not carry them.
    pub(crate) fn payload_sealer(
        &self,
        organization: OrganizationId,
    ) -> Result<Sealer, CannotHash> {
        self.derived(organization, b"session payloads", &AES_256_GCM)
            .map(Sealer::with_key)
    }

    fn key(&self, organization: OrganizationId, purpose: &[u8]) -> Result<hmac::Key, CannotHash> {
        self.derived(organization, purpose, hmac::HMAC_SHA256)
    }

    fn derived<L: hkdf::KeyType, K: for<'a> From<hkdf::Okm<'a, L>>>(
        &self,
        organization: OrganizationId,
        purpose: &[u8],
        kind: L,
    ) -> Result<K, CannotHash> {
        let root = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, self.0.expose_secret());
        let organization = organization.as_uuid();
        let info = [organization.as_bytes().as_slice(), purpose];
        Ok(root.expand(&info, kind)?.into())
    }
}

/// Hashes the values of one organization's sensitive attributes.
#[derive(Debug)]
pub struct OrganizationHasher(hmac::Key);

impl OrganizationHasher {
    /// The hash of a value, or of one item of a list, in base64url without padding.
    pub fn hash(&self, attribute: &str, value: &Value) -> String {
        // No name holds a zero byte.
        let text = format!("{attribute}\0{}", canonical(value));
        let tag = hmac::sign(&self.0, text.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag)
    }

    /// The form in which the database keeps a value.
    pub fn stored(&self, attribute: &str, value: &Value) -> Value {
        let one = |value: &Value| json!({ "hmac": self.hash(attribute, value) });
        match value {
            Value::Array(items) => items.iter().map(one).collect(),
            value => one(value),
        }
    }
}

/// The hashes in a stored value, one per item; `None` for a value that was stored as it is. Those are scalars and lists
/// of scalars.
pub fn hashes(stored: &Value) -> Option<Vec<&str>> {
    let hash = |item: &Value| item.as_object().and_then(hash_in).is_some();
    let items = match stored {
        Value::Array(items) => items.as_slice(),
        value => std::slice::from_ref(value),
    };
    if items.is_empty() || !items.iter().all(hash) {
        return None;
    }
    let objects = items.iter().filter_map(Value::as_object);
    Some(objects.filter_map(hash_in).collect())
}

fn hash_in(object: &Map<String, Value>) -> Option<&str> {
    object.get("hmac")?.as_str()
}

/// One text for values that the policy holds equal: `1` and `1.0` are.
pub(crate) fn canonical(value: &Value) -> String {
    let Value::Number(number) = value else {
        return value.to_string();
    };
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) if float.fract() == 0.0 && float.abs() <= MAX_EXACT => {
            // Adding zero makes zero of its negative.
            format!("{:.0}", float + 0.0)
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use key_admin::MasterSecret;
    use storage::SystemClock;

    use super::*;

    fn hasher(digits: &str) -> AttributeHasher {
        let master = MasterSecret::parse(&digits.repeat(16)).unwrap();
        AttributeHasher::new(master.derive(AttributeHasher::LABEL))
    }

    #[test]
    fn equal_values_and_only_they_hash_equal() {
        let organization = OrganizationId::new(&SystemClock);
        let of = hasher("0123").of(organization).unwrap();
        let values = [
            json!("1"),
            json!(1),
            json!(1.5),
            json!(-1),
            json!(0),
            json!(true),
            json!("true"),
            json!("é"),
            json!(1e300),
            json!(9_007_199_254_740_991_i64),
        ];
        let hashes: std::collections::HashSet<_> =
            values.iter().map(|value| of.hash("a", value)).collect();
        assert_eq!(hashes.len(), values.len());
        assert!(hashes.iter().all(|hash| hash.len() == 43));
        for (left, right) in [
            (json!(1), json!(1.0)),
            (json!(0), json!(-0.0)),
            (json!(-7), json!(-7.0)),
        ] {
            assert_eq!(of.hash("a", &left), of.hash("a", &right), "{left} {right}");
        }
        assert_ne!(of.hash("a", &json!("x")), of.hash("b", &json!("x")));
        let again = hasher("0123").of(organization).unwrap();
        assert_eq!(of.hash("a", &json!("x")), again.hash("a", &json!("x")));
    }

    #[test]
    fn organizations_and_installations_share_no_hash() {
        let one = OrganizationId::new(&SystemClock);
        let other = OrganizationId::new(&SystemClock);
        let hash = |hasher: AttributeHasher, of| hasher.of(of).unwrap().hash("a", &json!("x"));
        let here = hash(hasher("0123"), one);
        assert_ne!(here, hash(hasher("0123"), other));
        assert_ne!(here, hash(hasher("4567"), one));
    }

    #[test]
    fn a_stored_list_has_a_hash_per_item_and_plain_values_have_none() {
        let of = hasher("0123")
            .of(OrganizationId::new(&SystemClock))
            .unwrap();
        let stored = of.stored("a", &json!(["x", "y"]));
        let (x, y) = (of.hash("a", &json!("x")), of.hash("a", &json!("y")));
        assert_eq!(stored, json!([{ "hmac": x }, { "hmac": y }]));
        assert_eq!(hashes(&stored), Some(vec![x.as_str(), y.as_str()]));
        assert_eq!(of.stored("a", &json!("x")), json!({ "hmac": x }));
        for plain in [
            json!("x"),
            json!(["x"]),
            json!(1),
            json!([{ "hmac": x }, "y"]),
            json!([]),
        ] {
            assert_eq!(hashes(&plain), None, "{plain}");
        }
    }

    #[test]
    fn it_does_not_print_its_key() {
        let hasher = hasher("0123");
        let shown = format!(
            "{hasher:?} {:?}",
            hasher.of(OrganizationId::new(&SystemClock)).unwrap()
        );
        assert!(!shown.contains("1, ") && shown.len() < 120, "{shown}");
    }
}
