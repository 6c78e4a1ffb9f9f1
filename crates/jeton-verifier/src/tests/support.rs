//! Signers of every algorithm, whose headers and payloads are whatever a test writes.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{Algorithm, Rules, Verifier};

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const ISSUER: &str = "https://tokens.example.com/orgs/acme";
pub(super) const AUDIENCE: &str = "analytics";
pub(super) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(super) const PUBLIC_ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

pub(super) struct Signer {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    key: SigningKey,
}

enum SigningKey {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(&'static RsaKeyPair),
    Secret(Vec<u8>),
}

/// RSA keys take long to find, so there is one.
fn rsa() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm, kid: &str) -> Self {
        let key = match algorithm {
            Algorithm::Es256 => {
                SigningKey::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::EdDsa => SigningKey::Ed(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Rs256 | Algorithm::Ps256 => SigningKey::Rsa(rsa()),
            Algorithm::Hs256 => SigningKey::Secret(SECRET.to_vec()),
        };
        Self {
            kid: kid.to_owned(),
            algorithm,
            key,
        }
    }

    pub(super) fn es256() -> Self {
        Self::new(Algorithm::Es256, "k1")
    }

    pub(super) fn with_secret(secret: impl Into<Vec<u8>>) -> Self {
        Self {
            kid: "k1".to_owned(),
            algorithm: Algorithm::Hs256,
            key: SigningKey::Secret(secret.into()),
        }
    }

    pub(super) fn jwk(&self) -> Value {
        let (kid, alg) = (&self.kid, self.algorithm.name());
        match &self.key {
            SigningKey::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "alg": alg, "use": "sig",
                        "x": encode(x), "y": encode(y) })
            }
            SigningKey::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": alg,
                                            "use": "sig", "x": encode(pair.public_key()) }),
            SigningKey::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({ "kty": "RSA", "kid": kid, "alg": alg, "use": "sig",
                        "n": encode(&public.n), "e": encode(&public.e) })
            }
            SigningKey::Secret(secret) => {
                json!({ "kty": "oct", "kid": kid, "alg": alg, "use": "sig", "k": encode(secret) })
            }
        }
    }

    /// The public key as PEM, which confused libraries took for an HMAC secret (CVE-2016-10555).
    pub(super) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &self.key {
            SigningKey::Ec(pair) => pair.public_key().as_der().unwrap(),
            SigningKey::Ed(pair) => pair.public_key().as_der().unwrap(),
            SigningKey::Rsa(pair) => pair.public_key().as_der().unwrap(),
            SigningKey::Secret(_) => panic!("a secret has no public key"),
        };
        let body = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            SigningKey::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            SigningKey::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            SigningKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            SigningKey::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// Signs header and payload as they are written.
    pub(super) fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(payload));
        let signature = encode(self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.name(), "typ": "at+jwt", "kid": self.kid })
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }

    pub(super) fn sign_snapshot(&self, claims: &Value) -> String {
        let mut header = self.header();
        header["typ"] = json!("revocations+jwt");
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

pub(super) fn jwks<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> String {
    let keys: Vec<_> = signers.into_iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}

pub(super) fn rules() -> Rules {
    Rules::new(ISSUER, AUDIENCE)
}

/// A verifier of this signer's tokens.
pub(super) fn verifier_of(signer: &Signer) -> Verifier {
    match &signer.key {
        SigningKey::Secret(secret) => {
            Verifier::from_secrets(rules(), [(signer.kid.clone(), secret)]).unwrap()
        }
        _ => Verifier::from_jwks(rules(), signer.algorithm, &jwks([signer])).unwrap(),
    }
}

pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-42", "client_id": "key_000000000000",
        "jti": "01a203ac-c363-4c44-b2d3-af39a2eae215", "iat": NOW, "nbf": NOW - 10, "exp": NOW + 900,
        "roles": ["viewer"], "attributes": { "tenant_id": "t-1" }, "scope": "dashboard:view sales:read",
    })
}

pub(super) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}
