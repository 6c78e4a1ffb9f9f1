//! The payload of a session token, and the token itself before anybody may see it.

mod payload;
mod wrapping;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use key_admin::{ApiKeyContext, ApiKeyId, Slug};
use policy::{AttributeName, AttributeValue, Grant, Resource, RoleName};
use secrecy::SecretString;
use serde_json::{Map, Value};
use storage::{AudienceId, OrganizationId, SessionId, Timestamp};

use crate::rings::Ring;
use crate::signing_keys::UnusableKey;
use crate::templates::{SupersetRule, TemplateError};
pub use wrapping::CannotWrap;
pub(crate) use wrapping::{OPAQUE_PREFIX, Wrapping, reference_of};

/// No audience allows longer tokens, in bytes. One has to fit into a header, and web servers take 8 KiB of one.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The token would be longer than its audience allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token would have {bytes} bytes, more than the {allowed} that its audience allows")]
pub struct TokenTooLarge {
    /// How long it would be.
    pub bytes: usize,
    /// How long it may be.
    pub allowed: usize,
}

/// Why there are no claims, or no token of them.
#[derive(Debug, thiserror::Error)]
pub enum ClaimsError {
    /// See [`TokenTooLarge`].
    #[error(transparent)]
    TooLarge(#[from] TokenTooLarge),
    /// The audience's claim template needs what the token does not have.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The claims could not be written as JSON.
    #[error("the claims could not be written")]
    Json(#[from] serde_json::Error),
    /// The token could not be encrypted, or no reference made.
    #[error(transparent)]
    Wrapping(#[from] CannotWrap),
    /// The key did not sign.
    #[error("the token could not be signed")]
    Signing(#[from] UnusableKey),
}

impl ClaimsError {
    /// What stands against the token, as a stable name of the API and in English, if it is the request's doing.
    pub fn refusal(&self) -> Option<(&'static str, String)> {
        let code = match self {
            Self::TooLarge(_) => "token_too_large",
            Self::Template(_) => "claim_template_refused",
            Self::Json(_) | Self::Signing(_) | Self::Wrapping(_) => return None,
        };
        let text = self.to_string();
        let (first, rest) = text.split_at_checked(1)?;
        Some((code, format!("{}{rest}.", first.to_uppercase())))
    }
}

/// Sessions that renew each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The first of them.
    pub(crate) root: SessionId,
    /// When the last one ends at the latest.
    pub(crate) ends_at: Timestamp,
}

/// What a session goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descent {
    /// Nothing: it is the first.
    First,
    /// The session that it renews.
    Renewal(Chain),
    /// A session that may do more. It is void with that one, ends with it at the latest, and is not renewed.
    Part {
        /// The first session of that one's chain.
        root: SessionId,
        /// When that one ends.
        not_after: Timestamp,
    },
}

/// Who asks for a token, as its claims name them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) key: ApiKeyId,
    pub(crate) organization: OrganizationId,
    pub(crate) slug: &'a Slug,
}

impl<'a> Client<'a> {
    pub(crate) fn of(caller: &'a ApiKeyContext) -> Self {
        Self {
            key: caller.key_id(),
            organization: caller.organization(),
            slug: caller.organization_slug(),
        }
    }
}

/// For whom and with what a token is made.
#[derive(Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) ring: &'a Ring,
    pub(crate) client: Client<'a>,
    pub(crate) id: SessionId,
    pub(crate) now: Timestamp,
    pub(crate) descent: Descent,
    /// See [`TemplateContext::superset_rules`](crate::templates::TemplateContext).
    pub(crate) superset_rules: Option<Vec<SupersetRule>>,
}

/// What a token says, built from a grant, and where it belongs.
pub struct Claims {
    grant: Grant,
    api_key: ApiKeyId,
    session: SessionId,
    root: SessionId,
    session_ends_at: Option<Timestamp>,
    issued_at: i64,
    expires_at: i64,
    organization: OrganizationId,
    audience: AudienceId,
    payload: Vec<u8>,
    token_bytes: usize,
    max_token_bytes: usize,
}

impl Claims {
    /// What the grant amounts to on this occasion.
    pub(crate) fn new(grant: Grant, occasion: &Occasion<'_>) -> Result<Self, ClaimsError> {
        let Occasion { ring, client, .. } = *occasion;
        let issued_at = occasion.now.unix_seconds();
        let granted = issued_at + i64::from(grant.ttl_seconds());
        let expires_at = match occasion.descent {
            Descent::Part { not_after, .. } => granted.min(not_after.unix_seconds()),
            Descent::First | Descent::Renewal(_) => granted,
        };
        let payload = payload::write(&grant, occasion, expires_at)?;
        // Before signing, so that a dry run says the same as the issuance.
        let token_bytes = ring.wrapping.bytes(ring.active.token_bytes(payload.len()));
        let settings = &ring.audience.settings;
        let max_token_bytes = usize::try_from(settings.max_token_bytes).unwrap_or(usize::MAX);
        if token_bytes > max_token_bytes {
            return Err(TokenTooLarge {
                bytes: token_bytes,
                allowed: max_token_bytes,
            }
            .into());
        }
        // A renewal is decided again by the roles: it would have their whole scope.
        let renewal = settings.renewal.filter(|_| !grant.is_scope_narrowed());
        let begun = renewal.map(|renewal| {
            Timestamp::from_unix_seconds(issued_at).plus_seconds(renewal.session_seconds.into())
        });
        let (root, session_ends_at) = match occasion.descent {
            Descent::First => (occasion.id, begun),
            Descent::Renewal(chain) => (chain.root, Some(chain.ends_at)),
            Descent::Part { root, .. } => (root, None),
        };
        Ok(Self {
            api_key: client.key,
            session: occasion.id,
            root,
            session_ends_at,
            issued_at,
            expires_at,
            organization: client.organization,
            audience: ring.audience.id,
            payload,
            token_bytes,
            max_token_bytes,
            grant,
        })
    }

    /// The token's identifier, `jti`.
    pub fn session_id(&self) -> SessionId {
        self.session
    }

    /// When the last token of the session ends at the latest, however often it is renewed; `None` when it cannot be.
    pub fn session_ends_at(&self) -> Option<Timestamp> {
        self.session_ends_at
    }

    /// The first session of those that go back to it; itself when there is no other.
    pub(crate) fn root(&self) -> SessionId {
        self.root
    }

    /// Who the token speaks for.
    pub fn subject(&self) -> &str {
        self.grant.subject()
    }

    /// The API key that asked.
    pub fn api_key(&self) -> ApiKeyId {
        self.api_key
    }

    /// The organization whose key signs.
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// The audience's identifier.
    pub fn audience_id(&self) -> AudienceId {
        self.audience
    }

    /// The audience's name, as requests call it.
    pub fn audience_name(&self) -> &str {
        self.grant.audience().as_str()
    }

    /// The roles.
    pub fn roles(&self) -> &[RoleName] {
        self.grant.roles()
    }

    /// The attributes, fixed ones included.
    pub fn attributes(&self) -> &BTreeMap<AttributeName, AttributeValue> {
        self.grant.attributes()
    }

    /// Those of the attributes whose values only the token itself may hold.
    pub fn sensitive(&self) -> &BTreeSet<AttributeName> {
        self.grant.sensitive()
    }

    /// The resources that the token is limited to; empty for no such limit.
    pub fn resources(&self) -> &[Resource] {
        self.grant.resources()
    }

    /// What the roles allow, as in the `scope` claim.
    pub fn scope(&self) -> &[String] {
        self.grant.scope()
    }

    /// When it was issued, to the second.
    pub fn issued_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.issued_at)
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.expires_at)
    }

    /// Its life, in seconds.
    pub fn lifetime_seconds(&self) -> i64 {
        self.expires_at - self.issued_at
    }

    /// The length of the token, in bytes.
    pub fn token_bytes(&self) -> usize {
        self.token_bytes
    }

    /// The length that its audience allows, in bytes.
    pub fn max_token_bytes(&self) -> usize {
        self.max_token_bytes
    }

    /// The length that its audience allows, in bytes, if the token has more than half of it: a little more in the
    /// attributes, and tokens are refused.
    pub fn budget_in_sight(&self) -> Option<usize> {
        (self.token_bytes > self.max_token_bytes / 2).then_some(self.max_token_bytes)
    }

    /// The payload, read from what is signed.
    pub fn payload(&self) -> Result<Map<String, Value>, serde_json::Error> {
        serde_json::from_slice(&self.payload)
    }

    /// The length of the payload as JSON, in bytes.
    pub fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Signs with the ring's active key, and gives the token the form in which it leaves.
    pub(crate) fn sign(self, ring: &Ring) -> Result<SignedToken, ClaimsError> {
        let signed = ring.active.sign(&self.payload)?;
        let text = ring.wrapping.wrap(signed)?;
        let is_reference = ring.wrapping.is_reference();
        Ok(SignedToken {
            claims: self,
            kid: ring.active.kid.clone(),
            reference: is_reference.then(|| wrapping::reference(&text)),
            text,
        })
    }
}

/// Without the subject and the values of attributes: what is printed ends in logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("jti", &self.session)
            .field("client_id", &self.api_key)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}

/// A signed token that nobody may see yet: its session row is not committed.
#[derive(Debug)]
pub struct SignedToken {
    claims: Claims,
    kid: String,
    /// What it is recognized by, when it is no plain JWS.
    reference: Option<[u8; 32]>,
    text: SecretString,
}

impl SignedToken {
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What it is recognized by, and the payload that only the record can tell then.
    pub(crate) fn reference(&self) -> Option<(&[u8; 32], &[u8])> {
        let reference = self.reference.as_ref()?;
        Some((reference, &self.claims.payload))
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Takes it apart, after the row is committed.
    pub(crate) fn into_parts(self) -> (Claims, SecretString) {
        (self.claims, self.text)
    }
}
