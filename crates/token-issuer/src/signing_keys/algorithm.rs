use serde::{Deserialize, Serialize};

/// How an audience's tokens are signed ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.1),
/// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037)).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256: short, fast to sign, known to every library.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519: as short, faster.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA with SHA-256, for consumers that know nothing newer.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA with SHA-512, for Toucan, which verifies nothing else.
    #[serde(rename = "RS512")]
    Rs512,
    /// HMAC with SHA-256: a secret that the consumer shares, and could sign with as well. It is in no JWKS.
    #[serde(rename = "HS256")]
    Hs256,
}

impl SigningAlgorithm {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::Es256,
        Self::EdDsa,
        Self::Rs256,
        Self::Ps256,
        Self::Rs512,
        Self::Hs256,
    ];

    /// The value of `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Rs512 => "RS512",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm that `alg` names. Case counts.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == text)
    }

    /// All their names, for people.
    pub(crate) fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|it| it.as_str()).collect();
        names.join(", ")
    }

    /// Do signer and verifier share one secret?
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256)
    }
}

impl From<SigningAlgorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Es256 => Self::ES256,
            SigningAlgorithm::EdDsa => Self::EdDSA,
            SigningAlgorithm::Rs256 => Self::RS256,
            SigningAlgorithm::Ps256 => Self::PS256,
            SigningAlgorithm::Rs512 => Self::RS512,
            SigningAlgorithm::Hs256 => Self::HS256,
        }
    }
}

impl std::fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
