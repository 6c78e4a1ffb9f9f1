//! Which keys of a JWKS ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)) count.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::json;
use crate::jws::decode;
use crate::keys::Key;

/// The text is no JWKS that can verify anything.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Not a JSON Web Key Set (RFC 7517).
    #[error("not a JSON Web Key Set: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It has no key with a `kid` that fits the pinned algorithm.
    #[error("the key set has no usable {0} key with a `kid`")]
    NoUsableKey(Algorithm),
    /// Two keys that fit the pinned algorithm have the same `kid`.
    #[error("the key set has two keys with the same `kid`")]
    RepeatedKid,
    /// HS256 was asked for; its secrets never come from a JWKS.
    #[error("an HS256 secret does not come from a key set")]
    Symmetric,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// The keys that fit the algorithm, by `kid`. Others are left out: a set may hold keys for other uses (RFC 7517
/// section 5).
pub(crate) fn usable(algorithm: Algorithm, jwks: &str) -> Result<HashMap<String, Key>, JwksError> {
    if algorithm == Algorithm::Hs256 {
        return Err(JwksError::Symmetric);
    }
    let set: KeySet = serde_json::from_value(json::parse(jwks.as_bytes())?)?;
    let mut usable = HashMap::new();
    for jwk in &set.keys {
        if let Some((kid, key)) = key(algorithm, jwk)
            && usable.insert(kid.to_owned(), key).is_some()
        {
            return Err(JwksError::RepeatedKid);
        }
    }
    Ok(usable)
}

fn key(algorithm: Algorithm, jwk: &Map<String, Value>) -> Option<(&str, Key)> {
    let text = |name| jwk.get(name).and_then(Value::as_str);
    let bytes = |name| decode(text(name)?).ok();
    let kid = text("kid").filter(|kid| !kid.is_empty())?;
    // A private key that was published is everybody's.
    if text("alg") != Some(algorithm.name()) || !is_for_verifying(jwk) || jwk.contains_key("d") {
        return None;
    }
    let key = match (algorithm, text("kty")?, text("crv")) {
        (Algorithm::Es256, "EC", Some("P-256")) => Key::es256(&bytes("x")?, &bytes("y")?),
        (Algorithm::EdDsa, "OKP", Some("Ed25519")) => Key::ed25519(&bytes("x")?),
        (Algorithm::Rs256 | Algorithm::Ps256, "RSA", _) => {
            Key::rsa(algorithm, &bytes("n")?, &bytes("e")?)
        }
        _ => None,
    };
    Some((kid, key?))
}

/// `use` and `key_ops` may be absent; what is there must allow verifying (RFC 7517 sections 4.2 and 4.3).
fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let use_fits = jwk.get("use").is_none_or(|usage| usage == "sig");
    let operations_fit = jwk.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    use_fits && operations_fit
}
