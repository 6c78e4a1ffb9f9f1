//! What the OpenAPI document says of types that belong to the issuer.

use serde::Serialize;
use utoipa::ToSchema;

use crate::texts::GivenClaimText;

/// How tokens are signed (RFC 7518, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningAlgorithm)]
pub enum AlgorithmSchema {
    /// ECDSA with P-256 and SHA-256: short, fast to sign, known to every library.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSA with SHA-256.
    RS256,
    /// RSA-PSS with SHA-256.
    PS256,
    /// RSA with SHA-512, for Toucan.
    RS512,
    /// HMAC with SHA-256: a secret that the consumer shares, and could sign with as well. It is in no JWKS.
    HS256,
}

/// How tokens are renewed.
#[expect(
    clippy::struct_field_names,
    reason = "durations of the API end in `_seconds`"
)]
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Renewal)]
pub struct RenewalSchema {
    /// How long after the first token the last one ends, in seconds.
    #[schema(minimum = 1, maximum = 2_592_000)]
    session_seconds: u32,
    /// How long after its end a token can still be renewed, in seconds; 0 when left out.
    #[schema(required = false, default = 0, minimum = 0, maximum = 300)]
    grace_seconds: u32,
    /// How long after it was issued a token can be renewed at most, in seconds; `null`: until its end and the grace.
    #[schema(required = false, minimum = 1, maximum = 2_592_000)]
    idle_seconds: Option<u32>,
}

/// The claims that the issuer sets. `iat`, `exp`, `jti` and `aud` are always there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegisteredClaims)]
pub struct RegisteredSchema {
    /// `iss`.
    issuer: IssuerSchema,
    /// `sub`.
    subject: SubjectSchema,
    /// Whether `client_id` names the API key that asked.
    client_id: bool,
    /// Whether `nbf` is there.
    not_before: bool,
}

/// The value of `iss`: a word, or the given value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = IssuerClaim)]
pub enum IssuerSchema {
    /// A word.
    Word(IssuerWord),
    /// What the consumer knows this issuer by.
    Given(GivenValue),
}

/// `organization`: the organization's issuer, where its keys are published.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssuerWord {
    /// See there.
    Organization,
}

/// A value that is the same for all tokens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenValue {
    /// The value.
    given: GivenClaimText,
}

/// The value of `sub`: a word, or the given value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SubjectClaim)]
pub enum SubjectSchema {
    /// A word.
    Word(SubjectWord),
    /// The same for all; verifiers that work offline cannot see a revocation by subject.
    Given(GivenValue),
}

/// `user`: the user. `user_uuid`: the user, who must be identified by a UUID in its canonical form; others are refused.
/// `omitted`: none; verifiers that work offline cannot see a revocation by subject.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectWord {
    /// See there.
    User,
    /// See there.
    UserUuid,
    /// See there.
    Omitted,
}

/// `typ` in the header of a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenType)]
pub enum TypSchema {
    /// An access token of RFC 9068.
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// Any JWT, for consumers that insist on it.
    #[serde(rename = "JWT")]
    Jwt,
}

/// The form in which tokens leave.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenFormat)]
pub struct FormatSchema {
    /// `signed`: a JWT, which everybody can read. `encrypted`: the same inside a JWE (RFC 7516) with `ECDH-ES` and `A256GCM`,
    /// which only the consumer can read. `opaque`: a random reference, `jts_…`, which only introspection resolves.
    kind: FormatKind,
    /// The consumer's public key, for `encrypted` and no other.
    #[schema(required = false)]
    key: EncryptionKeySchema,
}

/// The kinds of [`FormatSchema`].
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokenFormatKind, description = "A form in which tokens leave.")]
pub enum FormatKind {
    /// See there.
    Signed,
    /// See there.
    Encrypted,
    /// See there.
    Opaque,
}

/// A public key to encrypt for: a JWK (RFC 7517) without its private part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EncryptionKey)]
pub struct EncryptionKeySchema {
    /// The type of key.
    #[schema(pattern = "^EC$")]
    kty: String,
    /// The curve.
    #[schema(pattern = "^P-256$")]
    crv: String,
    /// The first coordinate, in base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    x: String,
    /// The second coordinate, in base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    y: String,
    /// The key's name, which stands in the header of each token.
    #[schema(
        required = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    kid: String,
    /// What the key is for.
    #[serde(rename = "use")]
    #[schema(required = false, pattern = "^enc$")]
    usage: String,
    /// The algorithm.
    #[schema(required = false, pattern = "^ECDH-ES$")]
    alg: String,
}
