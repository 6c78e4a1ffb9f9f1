//! The public key that an audience's tokens are encrypted for.

use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A public key of the consumer: a JWK ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)) of type `EC` on the curve
/// `P-256`, without its private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Jwk", into = "Jwk")]
pub struct EncryptionKey {
    jwk: Jwk,
    /// SEC 1, section 2.3.3: one byte, then both coordinates.
    point: [u8; 65],
}

/// The JWK is no [`EncryptionKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tokens are encrypted for a public key: a JWK with `kty` EC, `crv` P-256, `x` and `y`, `use` enc and `alg` ECDH-ES if there, and no private part"
)]
pub struct InvalidEncryptionKey;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
}

impl EncryptionKey {
    /// Its name, which stands in the header of each token.
    pub fn key_id(&self) -> Option<&str> {
        self.jwk.kid.as_deref()
    }

    pub(crate) fn point(&self) -> &[u8; 65] {
        &self.point
    }
}

impl TryFrom<Jwk> for EncryptionKey {
    type Error = InvalidEncryptionKey;

    fn try_from(jwk: Jwk) -> Result<Self, InvalidEncryptionKey> {
        let fits = jwk.kty == "EC"
            && jwk.crv == "P-256"
            && jwk.usage.as_deref().is_none_or(|usage| usage == "enc")
            && jwk.alg.as_deref().is_none_or(|alg| alg == "ECDH-ES")
            && jwk.kid.as_deref().is_none_or(super::settings::is_key_id);
        let point = fits.then(|| point(&jwk)).flatten();
        let point = point.ok_or(InvalidEncryptionKey)?;
        Ok(Self { jwk, point })
    }
}

impl From<EncryptionKey> for Jwk {
    fn from(key: EncryptionKey) -> Self {
        key.jwk
    }
}

/// The point, if it is one of the curve.
fn point(jwk: &Jwk) -> Option<[u8; 65]> {
    let coordinate = |text: &str| -> Option<[u8; 32]> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok()
    };
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&coordinate(&jwk.x)?);
    point[33..].copy_from_slice(&coordinate(&jwk.y)?);
    let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, point));
    parsed.is_ok().then_some(point)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The public key of RFC 7518, appendix C.
    fn bob() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
            "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        })
    }

    #[test]
    fn only_a_public_point_of_the_curve_is_a_key() {
        let key: EncryptionKey = serde_json::from_value(bob()).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), bob());
        for (member, value) in [
            ("kty", json!("OKP")),
            ("crv", json!("P-384")),
            ("x", json!("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMR")),
            ("y", json!("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ")),
            ("y", json!("")),
            ("use", json!("sig")),
            ("alg", json!("RSA-OAEP")),
            ("d", json!("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw")),
            ("kid", json!("")),
        ] {
            let mut altered = bob();
            altered[member] = value;
            assert!(
                serde_json::from_value::<EncryptionKey>(altered.clone()).is_err(),
                "{altered}"
            );
        }
    }
}
