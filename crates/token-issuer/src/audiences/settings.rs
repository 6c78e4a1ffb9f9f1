//! What an audience's tokens look like, beside their algorithm and their lives.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{EncryptionKey, WebOrigin};
use crate::claims::MAX_TOKEN_BYTES;
use crate::templates::{InvalidClaimValue, RegisteredClaims, Template, TemplateFault};

/// The longest token when the audience does not say, in bytes: it shares the 8 KiB of a request's head with others.
pub const DEFAULT_TOKEN_BYTES: u32 = 4096;
/// No token is shorter than this, in bytes.
pub const MIN_TOKEN_BYTES: u32 = 512;
/// The most origins of one audience.
pub const MAX_ORIGINS: usize = 100;
/// The longest session, however often it is renewed: 30 days, in seconds.
pub const MAX_SESSION_SECONDS: u32 = 30 * 24 * 60 * 60;
/// The most Superset datasets of one audience.
pub const MAX_DATASETS: usize = 500;
/// The longest time after its end in which a token can be renewed, in seconds.
pub const MAX_GRACE_SECONDS: u32 = 300;

/// The settings, as they are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AudienceSettings {
    /// The longest token, in bytes.
    pub max_token_bytes: u32,
    /// The pages that may renew its tokens from a browser. None is none.
    pub authorized_origins: BTreeSet<WebOrigin>,
    /// Whether a token can be traded for a fresh one; `None` for no.
    pub renewal: Option<Renewal>,
    /// What the tokens say.
    pub claims: ClaimSettings,
    /// The form in which they leave.
    pub format: TokenFormat,
}

/// The form in which tokens leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "FormatParts")]
pub enum TokenFormat {
    /// A signed JWT, which everybody can read.
    #[default]
    Signed,
    /// A signed JWT, encrypted (JWE with `ECDH-ES` and `A256GCM`): only the consumer can read it.
    Encrypted {
        /// The consumer's public key.
        key: Box<EncryptionKey>,
    },
    /// A random reference, which only introspection resolves.
    Opaque,
}

/// [`TokenFormat`] as it is read. serde itself would take a key for the forms that have none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatParts {
    kind: FormatKind,
    #[serde(default, deserialize_with = "not_null")]
    key: Option<Box<EncryptionKey>>,
}

/// A key that is there is one, and not `null`.
fn not_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<EncryptionKey>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FormatKind {
    Signed,
    Encrypted,
    Opaque,
}

/// Why parts are no format, in serde's words.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum NoFormat {
    /// Only tokens that are encrypted have one.
    #[error("unknown field `key`, expected `kind`")]
    UnexpectedKey,
    /// There is none to encrypt for.
    #[error("missing field `key`")]
    NoKey,
}

impl TryFrom<FormatParts> for TokenFormat {
    type Error = NoFormat;

    fn try_from(parts: FormatParts) -> Result<Self, NoFormat> {
        match (parts.kind, parts.key) {
            (FormatKind::Signed, None) => Ok(Self::Signed),
            (FormatKind::Opaque, None) => Ok(Self::Opaque),
            (FormatKind::Encrypted, Some(key)) => Ok(Self::Encrypted { key }),
            (FormatKind::Encrypted, None) => Err(NoFormat::NoKey),
            (FormatKind::Signed | FormatKind::Opaque, Some(_)) => Err(NoFormat::UnexpectedKey),
        }
    }
}

/// How tokens are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// How long after the first token the last one ends, in seconds.
    pub session_seconds: u32,
    /// How long after the end of a token it can still be renewed, in seconds.
    #[serde(default)]
    pub grace_seconds: u32,
    /// How long after a token was issued it can be renewed at most, in seconds; `None`: until its end and the grace.
    #[serde(default)]
    pub idle_seconds: Option<u32>,
}

/// The payload and the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// A claim template; `None` for Jeton's own form.
    pub template: Option<Value>,
    /// The claims that the issuer sets.
    pub registered: RegisteredClaims,
    /// `typ` in the header.
    pub typ: TokenType,
    /// `kid` in the header, where the consumer gave out a name for the key; `None` for the key's own.
    pub key_id: Option<String>,
    /// Whether `iss` stands in the header, too.
    pub issuer_in_header: bool,
    /// The Superset datasets of the tables that row rules name, for `row_filters.superset`; `null` for a table that is
    /// none. While a table of the rules is missing here, the reference is, too: a dataset without a filter shows all
    /// of its rows.
    pub superset_datasets: BTreeMap<String, Option<i64>>,
}

/// `typ` in the header of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// An access token of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.1).
    #[default]
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// Any JWT, for consumers that insist on it.
    #[serde(rename = "JWT")]
    Jwt,
}

impl Default for AudienceSettings {
    fn default() -> Self {
        Self {
            max_token_bytes: DEFAULT_TOKEN_BYTES,
            authorized_origins: BTreeSet::new(),
            renewal: None,
            claims: ClaimSettings::default(),
            format: TokenFormat::default(),
        }
    }
}

impl Default for ClaimSettings {
    fn default() -> Self {
        Self {
            template: None,
            registered: RegisteredClaims::ALL,
            typ: TokenType::default(),
            key_id: None,
            issuer_in_header: false,
            superset_datasets: BTreeMap::new(),
        }
    }
}

impl TokenType {
    /// The value of `typ`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// One thing wrong with an audience's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// `max_token_bytes` is out of its range.
    #[error("`max_token_bytes` must be between {MIN_TOKEN_BYTES} and {MAX_TOKEN_BYTES}")]
    TokenBytes,
    /// Too many origins.
    #[error("at most {MAX_ORIGINS} origins are possible")]
    TooManyOrigins,
    /// A time of the renewal rule is out of its range.
    #[error("`{field}` must be between {least} and {most}")]
    Renewal {
        /// The field.
        field: &'static str,
        /// The least, in seconds.
        least: u32,
        /// The most, in seconds.
        most: u32,
    },
    /// A given claim is not usable.
    #[error(transparent)]
    Claim(#[from] InvalidClaimValue),
    /// Too many datasets, or the name of a table is too long.
    #[error(
        "at most {MAX_DATASETS} datasets are possible, of tables with at most 127 bytes in their names"
    )]
    Datasets,
    /// The given `kid` is empty, too long, or has other characters than visible ASCII.
    #[error("a given `kid` has 1 to 255 visible ASCII characters")]
    KeyId,
    /// The template is not usable.
    #[error("{0}")]
    Template(TemplateFault),
}

impl SettingsFault {
    /// Where in the settings, as a JSON pointer.
    pub fn pointer(&self) -> String {
        match self {
            Self::TokenBytes => "/max_token_bytes".into(),
            Self::TooManyOrigins => "/authorized_origins".into(),
            Self::Renewal { field, .. } => format!("/renewal/{field}"),
            Self::Claim(_) => "/claims/registered".into(),
            Self::Datasets => "/claims/superset_datasets".into(),
            Self::KeyId => "/claims/key_id".into(),
            Self::Template(fault) => format!("/claims/template{}", fault.pointer),
        }
    }
}

impl AudienceSettings {
    /// Checks the settings, and compiles the template if there is one.
    pub fn compile(&self) -> Result<Option<Template>, Vec<SettingsFault>> {
        let mut faults = Vec::new();
        let most = u32::try_from(MAX_TOKEN_BYTES).unwrap_or(u32::MAX);
        if !(MIN_TOKEN_BYTES..=most).contains(&self.max_token_bytes) {
            faults.push(SettingsFault::TokenBytes);
        }
        if self.authorized_origins.len() > MAX_ORIGINS {
            faults.push(SettingsFault::TooManyOrigins);
        }
        faults.extend(self.renewal.iter().flat_map(Renewal::faults));
        faults.extend(self.claims.registered.check().err().map(Into::into));
        let tables = &self.claims.superset_datasets;
        if tables.len() > MAX_DATASETS || tables.keys().any(|table| table.len() > 127) {
            faults.push(SettingsFault::Datasets);
        }
        if self
            .claims
            .key_id
            .as_deref()
            .is_some_and(|kid| !is_key_id(kid))
        {
            faults.push(SettingsFault::KeyId);
        }
        let template = match self.claims.template.as_ref().map(Template::compile) {
            None => None,
            Some(Ok(template)) => Some(template),
            Some(Err(found)) => {
                faults.extend(found.into_iter().map(SettingsFault::Template));
                None
            }
        };
        if faults.is_empty() {
            Ok(template)
        } else {
            Err(faults)
        }
    }
}

impl Renewal {
    fn faults(&self) -> Vec<SettingsFault> {
        let times = [
            (
                "session_seconds",
                Some(self.session_seconds),
                1,
                MAX_SESSION_SECONDS,
            ),
            (
                "grace_seconds",
                Some(self.grace_seconds),
                0,
                MAX_GRACE_SECONDS,
            ),
            ("idle_seconds", self.idle_seconds, 1, MAX_SESSION_SECONDS),
        ];
        let wrong = times.into_iter().filter(|(_, value, least, most)| {
            value.is_some_and(|value| !(*least..=*most).contains(&value))
        });
        wrong
            .map(|(field, _, least, most)| SettingsFault::Renewal { field, least, most })
            .collect()
    }
}

pub(super) fn is_key_id(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_encrypted_tokens_have_a_key() {
        let read =
            |text: &str| serde_json::from_str::<TokenFormat>(text).map_err(|it| it.to_string());
        assert_eq!(read(r#"{"kind":"signed"}"#), Ok(TokenFormat::Signed));
        assert_eq!(read(r#"{"kind":"opaque"}"#), Ok(TokenFormat::Opaque));
        let refused = |text: &str| read(text).unwrap_err();
        assert!(refused(r#"{"kind":"encrypted"}"#).starts_with("missing field `key`"));
        let key = r#"{"kty":"EC","crv":"P-256","x":"WKn-ZIGevcwGIyyrzFoZNBdaq9_TsqzGl96oc0CWuis","y":"y77t-RvAHRKTsSGdIYUfweuOvwrvDD-Q3Hv5J0fSKbE"}"#;
        for kind in ["signed", "opaque"] {
            let refused = refused(&format!(r#"{{"kind":"{kind}","key":{key}}}"#));
            assert!(refused.starts_with("unknown field `key`"), "{refused}");
            assert!(read(&format!(r#"{{"kind":"{kind}","key":null}}"#)).is_err());
        }
        let encrypted = read(&format!(r#"{{"kind":"encrypted","key":{key}}}"#)).unwrap();
        let written = serde_json::to_string(&encrypted).unwrap();
        assert_eq!(read(&written), Ok(encrypted));
    }

    fn pointers(json: Value) -> Vec<String> {
        let settings: AudienceSettings = serde_json::from_value(json).unwrap();
        let faults = settings.compile().err().unwrap_or_default();
        faults.iter().map(SettingsFault::pointer).collect()
    }

    #[test]
    fn nothing_said_is_the_standard_form() {
        let settings: AudienceSettings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(settings, AudienceSettings::default());
        assert!(settings.compile().unwrap().is_none());
        for unknown in [
            json!({ "orgins": [] }),
            json!({ "authorized_origins": ["*"] }),
        ] {
            assert!(serde_json::from_value::<AudienceSettings>(unknown).is_err());
        }
    }

    #[test]
    fn faults_are_found_all_at_once_with_their_place() {
        let found = pointers(json!({
            "max_token_bytes": 100,
            "renewal": { "session_seconds": 0, "grace_seconds": 301, "idle_seconds": 0 },
            "claims": { "key_id": "a b", "template": { "iss": "x", "a": "{{ user.name }}" } },
        }));
        assert_eq!(
            found,
            [
                "/max_token_bytes",
                "/renewal/session_seconds",
                "/renewal/grace_seconds",
                "/renewal/idle_seconds",
                "/claims/key_id",
                "/claims/template/iss",
                "/claims/template/a",
            ]
        );
    }
}
