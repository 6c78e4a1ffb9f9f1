use super::{MAX_AUD_BYTES, MAX_TTL_SECONDS, SettingsFault};
use crate::signing_keys::{SigningAlgorithm, UnusableImport};

/// One thing wrong with an audience to be, or as it would become.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceFault {
    /// The name is one that an identifier has.
    #[error("a name must not look like an audience's identifier")]
    Name,
    /// `aud` is empty, too long, or has white space at its ends or control characters.
    #[error(
        "`aud` has 1 to {MAX_AUD_BYTES} bytes, without white space at its ends and without control characters"
    )]
    Aud,
    /// The longest life is out of its range.
    #[error("`max_ttl_seconds` must be between 1 and {MAX_TTL_SECONDS}")]
    MaxTtl,
    /// The usual life is none, or longer than the longest.
    #[error("`default_ttl_seconds` must be between 1 and `max_ttl_seconds`")]
    DefaultTtl,
    /// The settings are not usable.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// Tokens that are verified with public keys have no shared secret.
    #[error("only tokens that are signed with HS256 have a secret")]
    SecretNotTaken,
    /// The secret is not usable.
    #[error(transparent)]
    Secret(#[from] UnusableImport),
    /// The preset leaves a setting to the consumer, and the request does not have it.
    #[error("the consumer of the preset `{preset}` gives this out: it has to be set")]
    NotGiven {
        /// The preset.
        preset: &'static str,
        /// Where the setting belongs, as a JSON pointer.
        pointer: &'static str,
    },
    /// No algorithm of the preset is one to sign with.
    #[error(
        "the consumer of the preset `{preset}` verifies {wanted} only, which is not signed with here; there are {}",
        SigningAlgorithm::names()
    )]
    NoAlgorithm {
        /// The preset.
        preset: &'static str,
        /// What its consumer verifies.
        wanted: String,
    },
}

impl AudienceFault {
    /// Where, as a JSON pointer into the audience as the API shows it.
    pub fn pointer(&self) -> String {
        match self {
            Self::Name => "/name".into(),
            Self::Aud => "/aud".into(),
            Self::MaxTtl => "/max_ttl_seconds".into(),
            Self::DefaultTtl => "/default_ttl_seconds".into(),
            Self::Settings(fault) => fault.pointer(),
            Self::SecretNotTaken | Self::Secret(_) => "/secret".into(),
            Self::NotGiven { pointer, .. } => (*pointer).into(),
            Self::NoAlgorithm { .. } => "/algorithm".into(),
        }
    }

    /// What, as a stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name => "invalid_name",
            Self::Aud => "invalid_aud",
            Self::MaxTtl | Self::DefaultTtl => "out_of_range",
            Self::Settings(fault) => match fault {
                SettingsFault::TokenBytes | SettingsFault::Renewal { .. } => "out_of_range",
                SettingsFault::TooManyOrigins | SettingsFault::Datasets => "too_many",
                SettingsFault::Claim(_) => "invalid_claim",
                SettingsFault::KeyId => "invalid_key_id",
                SettingsFault::Template(_) => "invalid_template",
            },
            Self::SecretNotTaken | Self::Secret(_) => "unusable_key",
            Self::NotGiven { .. } => "setting_not_given",
            Self::NoAlgorithm { .. } => "no_algorithm",
        }
    }

    /// The codes of all there are, for their documentation.
    pub const CODES: &[&str] = &[
        "invalid_name",
        "invalid_aud",
        "out_of_range",
        "too_many",
        "invalid_claim",
        "invalid_key_id",
        "invalid_template",
        "unusable_key",
        "setting_not_given",
        "no_algorithm",
    ];
}
