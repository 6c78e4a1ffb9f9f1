//! Private keys that were made elsewhere, in the forms that people have them in, read into the one that is stored.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Deserializer};

use super::{KeyPair, SigningAlgorithm};

/// The longest shared secret, in bytes: far beyond what HMAC has a use for.
const MAX_SECRET_BYTES: usize = 1024;

/// A private key from elsewhere.
#[derive(Clone, Debug)]
pub enum ImportedKey {
    /// PEM text: PKCS #8 (RFC 5208), SEC 1 (RFC 5915) or PKCS #1 (RFC 8017), not encrypted.
    Pem(SecretString),
    /// A JWK (RFC 7517) with its private members.
    Jwk(Box<PrivateJwk>),
    /// The bytes of a shared secret.
    Secret(SecretSlice<u8>),
}

/// A JWK with its private members. Members that mean nothing here are not looked at, as RFC 7517 section 4 asks.
#[derive(Clone, Debug, Deserialize)]
pub struct PrivateJwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    x: Member,
    #[serde(default)]
    y: Member,
    #[serde(default)]
    n: Member,
    #[serde(default)]
    e: Member,
    #[serde(default)]
    d: Member,
    #[serde(default)]
    p: Member,
    #[serde(default)]
    q: Member,
    #[serde(default)]
    dp: Member,
    #[serde(default)]
    dq: Member,
    #[serde(default)]
    qi: Member,
    #[serde(default)]
    k: Member,
}

/// A member in base64url; nothing prints it.
#[derive(Clone, Debug, Default)]
struct Member(Option<SecretString>);

/// Why a private key cannot be taken in. Says nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableImport {
    /// The text holds no private key, or several, or an encrypted one.
    #[error(
        "the PEM text must hold exactly one private key that is not encrypted: `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`"
    )]
    Pem,
    /// A member of the JWK is missing, or not base64url without padding.
    #[error("the JWK lacks `{member}`, or it is not base64url without padding")]
    Member {
        /// The member.
        member: &'static str,
    },
    /// `alg` or `use` of the JWK is for something else.
    #[error(
        "the JWK's own `{member}` says that it is not a signing key of the audience's algorithm, {algorithm}"
    )]
    Purpose {
        /// The member.
        member: &'static str,
        /// The audience's algorithm.
        algorithm: SigningAlgorithm,
    },
    /// A secret for an algorithm with key pairs, or the other way round.
    #[error("tokens of this audience are signed with {0}, which takes {needs}", needs = needs(*.0))]
    Kind(SigningAlgorithm),
    /// Another kind of key, another curve, too short or too long, or its parts do not fit together.
    #[error("this is not {needs}, which {0} takes", needs = needs(*.0))]
    Key(SigningAlgorithm),
}

const fn needs(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "a private key on the curve P-256",
        SigningAlgorithm::EdDsa => "an Ed25519 private key",
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Rs512 => {
            "an RSA private key of 2048 to 4096 bits"
        }
        SigningAlgorithm::Hs256 => "a shared secret of 32 to 1024 bytes",
    }
}

impl ImportedKey {
    /// The key in the form that is stored: PKCS #8, or the bare secret for HS256.
    pub(crate) fn read(
        &self,
        algorithm: SigningAlgorithm,
    ) -> Result<SecretSlice<u8>, UnusableImport> {
        let private = match (self, algorithm.is_symmetric()) {
            (Self::Pem(pem), false) => from_pem(algorithm, pem)?,
            (Self::Jwk(jwk), _) => jwk.read(algorithm)?,
            (Self::Secret(secret), true) => secret.clone(),
            (Self::Pem(_), true) | (Self::Secret(_), false) => {
                return Err(UnusableImport::Kind(algorithm));
            }
        };
        let too_long = algorithm.is_symmetric() && private.expose_secret().len() > MAX_SECRET_BYTES;
        match KeyPair::read(algorithm, &private) {
            Ok(_) if !too_long => Ok(private),
            _ => Err(UnusableImport::Key(algorithm)),
        }
    }
}

fn from_pem(
    algorithm: SigningAlgorithm,
    pem: &SecretString,
) -> Result<SecretSlice<u8>, UnusableImport> {
    let mut keys = PrivateKeyDer::pem_slice_iter(pem.expose_secret().as_bytes());
    let (Some(Ok(key)), None) = (keys.next(), keys.next()) else {
        return Err(UnusableImport::Pem);
    };
    let key = Zeroizing::new(key);
    let der = key.secret_der();
    let wrong = UnusableImport::Key(algorithm);
    match algorithm {
        SigningAlgorithm::Es256 => {
            let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
            ec(EcdsaKeyPair::from_private_key_der(curve, der).ok()).ok_or(wrong)
        }
        SigningAlgorithm::EdDsa => ed25519(Ed25519KeyPair::from_pkcs8(der).ok()).ok_or(wrong),
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Rs512 => {
            let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
            rsa(pair.ok()).ok_or(wrong)
        }
        SigningAlgorithm::Hs256 => Err(wrong),
    }
}

impl PrivateJwk {
    fn read(&self, algorithm: SigningAlgorithm) -> Result<SecretSlice<u8>, UnusableImport> {
        self.check_purpose(algorithm)?;
        let wrong = UnusableImport::Key(algorithm);
        match (algorithm, self.kty.as_str(), self.crv.as_deref()) {
            (SigningAlgorithm::Es256, "EC", Some("P-256")) => {
                let d = self.d.bytes("d")?;
                let mut point = vec![4];
                point.extend_from_slice(&self.x.bytes("x")?);
                point.extend_from_slice(&self.y.bytes("y")?);
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &d, &point);
                ec(pair.ok()).ok_or(wrong)
            }
            (SigningAlgorithm::EdDsa, "OKP", Some("Ed25519")) => {
                let (d, x) = (self.d.bytes("d")?, self.x.bytes("x")?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &x);
                ed25519(pair.ok().filter(|_| d.len() == 32)).ok_or(wrong)
            }
            (
                SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Rs512,
                "RSA",
                _,
            ) => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents {
                        n: self.n.bytes("n")?,
                        e: self.e.bytes("e")?,
                    },
                    d: self.d.bytes("d")?,
                    p: self.p.bytes("p")?,
                    q: self.q.bytes("q")?,
                    dP: self.dp.bytes("dp")?,
                    dQ: self.dq.bytes("dq")?,
                    qInv: self.qi.bytes("qi")?,
                };
                rsa(RsaKeyPair::from_components(&components).ok()).ok_or(wrong)
            }
            (SigningAlgorithm::Hs256, "oct", _) => Ok(self.k.bytes("k")?.to_vec().into()),
            _ => Err(wrong),
        }
    }

    /// `alg` and `use` need not be there; what they say counts.
    fn check_purpose(&self, algorithm: SigningAlgorithm) -> Result<(), UnusableImport> {
        // RFC 9864 gives EdDSA on this curve a name of its own.
        let is_ours = |alg: &str| {
            alg == algorithm.as_str() || (algorithm == SigningAlgorithm::EdDsa && alg == "Ed25519")
        };
        let member = if !self.alg.as_deref().is_none_or(is_ours) {
            "alg"
        } else if self.purpose.as_deref().is_some_and(|it| it != "sig") {
            "use"
        } else {
            return Ok(());
        };
        Err(UnusableImport::Purpose { member, algorithm })
    }
}

impl Member {
    fn bytes(&self, member: &'static str) -> Result<Zeroizing<Vec<u8>>, UnusableImport> {
        let text = self.0.as_ref().ok_or(UnusableImport::Member { member })?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.expose_secret());
        bytes
            .map(Zeroizing::new)
            .map_err(|_| UnusableImport::Member { member })
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Self(text.map(SecretString::from)))
    }
}

fn ec(pair: Option<EcdsaKeyPair>) -> Option<SecretSlice<u8>> {
    Some(pair?.to_pkcs8v1().ok()?.as_ref().to_vec().into())
}

fn ed25519(pair: Option<Ed25519KeyPair>) -> Option<SecretSlice<u8>> {
    Some(pair?.to_pkcs8v1().ok()?.as_ref().to_vec().into())
}

fn rsa(pair: Option<RsaKeyPair>) -> Option<SecretSlice<u8>> {
    let der: Pkcs8V1Der<'_> = pair?.as_der().ok()?;
    Some(der.as_ref().to_vec().into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn jwk(value: Value) -> ImportedKey {
        ImportedKey::Jwk(serde_json::from_value(value).unwrap())
    }

    /// The keys of RFC 7515 appendix A.3 and RFC 8037 appendix A.
    fn p256() -> Value {
        json!({ "kty": "EC", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" })
    }

    fn ed() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519",
                "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    fn with(mut key: Value, member: &str, value: &str) -> Value {
        key[member] = value.into();
        key
    }

    #[test]
    fn published_keys_have_their_published_thumbprints() {
        let kid = |key: Value, algorithm| {
            let private = jwk(key).read(algorithm).unwrap();
            let pair = KeyPair::read(algorithm, &private).unwrap();
            pair.public_jwk().unwrap().unwrap().common.key_id.unwrap()
        };
        // RFC 8037 appendix A.3
        let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(kid(ed(), SigningAlgorithm::EdDsa), thumbprint);
        let marked = with(with(ed(), "alg", "Ed25519"), "kid", "mine");
        assert_eq!(kid(marked, SigningAlgorithm::EdDsa), thumbprint);
        assert_eq!(kid(p256(), SigningAlgorithm::Es256).len(), 43);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_not_repeated() {
        let es256 = SigningAlgorithm::Es256;
        for (key, algorithm, expected) in [
            (ed(), es256, UnusableImport::Key(es256)),
            (
                p256(),
                SigningAlgorithm::Hs256,
                UnusableImport::Key(SigningAlgorithm::Hs256),
            ),
            (
                with(p256(), "crv", "P-384"),
                es256,
                UnusableImport::Key(es256),
            ),
            (
                with(p256(), "x", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
                es256,
                UnusableImport::Key(es256),
            ),
            (with(p256(), "d", "AAAA"), es256, UnusableImport::Key(es256)),
            (
                with(p256(), "d", "!"),
                es256,
                UnusableImport::Member { member: "d" },
            ),
            (
                with(p256(), "alg", "ES384"),
                es256,
                UnusableImport::Purpose {
                    member: "alg",
                    algorithm: es256,
                },
            ),
            (
                with(p256(), "use", "enc"),
                es256,
                UnusableImport::Purpose {
                    member: "use",
                    algorithm: es256,
                },
            ),
            (
                json!({ "kty": "oct", "k": "c2hvcnQ" }),
                SigningAlgorithm::Hs256,
                UnusableImport::Key(SigningAlgorithm::Hs256),
            ),
        ] {
            let key = jwk(key);
            assert_eq!(key.read(algorithm).unwrap_err(), expected);
            let printed = format!("{key:?} {expected} {expected:?}");
            assert!(
                !printed.contains("jpsQ") && !printed.contains("c2hvcnQ"),
                "{printed}"
            );
        }
        let secret = |bytes: usize| ImportedKey::Secret(vec![7; bytes].into());
        for (bytes, fits) in [(31, false), (32, true), (1024, true), (1025, false)] {
            assert_eq!(
                secret(bytes).read(SigningAlgorithm::Hs256).is_ok(),
                fits,
                "{bytes}"
            );
        }
        let kind = secret(32).read(es256).unwrap_err();
        assert_eq!(kind, UnusableImport::Kind(es256));
        let pem = ImportedKey::Pem("-----BEGIN PRIVATE KEY-----".into());
        assert_eq!(pem.read(es256).unwrap_err(), UnusableImport::Pem);
    }
}
