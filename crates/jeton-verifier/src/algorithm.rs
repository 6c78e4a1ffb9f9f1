//! The algorithms, one of which a verifier is pinned to.

/// A signature algorithm of [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518) and
/// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037). Neither a token nor a JWKS ever chooses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256, what Jeton signs with unless told otherwise.
    #[default]
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, on keys of 2048 bits and more.
    Rs256,
    /// RSASSA-PSS with SHA-256, on keys of 2048 bits and more.
    Ps256,
    /// HMAC with SHA-256, whose secret is given to the verifier and never comes from a JWKS.
    Hs256,
}

impl Algorithm {
    /// Its name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Hs256 => "HS256",
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
