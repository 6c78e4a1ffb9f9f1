//! Tokens that a person wants to understand: what one says, and everything that is wrong with it.
//!
//! [`TokenIssuer::check_token`]'s own checks decide. What is told beyond their first objection is found beside them, so a
//! token that they refuse always has a problem, whatever is missed here. Nothing of the text is kept.

use key_admin::{ApiKeyId, Permission, SignedIn};
use serde_json::{Map, Value};
use storage::Timestamp;

use super::pasted::{kind_of, object, signature_is_right, unwrapped};
use super::{
    CheckTokenError, GenuineToken, InactiveToken, NOT_BEFORE_LEEWAY_SECONDS, Strict, check,
};
use crate::claims::MAX_TOKEN_BYTES;
use crate::issuance::TokenIssuer;
use crate::rings::{OrganizationIssuer, Ring};
use crate::sessions::{FindError, FoundSession, RevokedBy, SessionState};
use crate::signing_keys::VerifyingKey;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentedKind {
    /// A compact JWS (RFC 7515).
    Signed,
    /// A compact JWE (RFC 7516).
    Encrypted,
    /// A reference to a session, which only its issuer can resolve.
    Opaque,
    /// An API key, with its public part where it is well-formed. It was not checked.
    ApiKey(Option<ApiKeyId>),
    /// None of these.
    Other,
}

/// A key that a token names and that its organization publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// Its own name, the RFC 7638 thumbprint of most.
    pub kid: String,
    /// The name of the audience that it signs for.
    pub audience: String,
    /// Is it in the JWKS? A shared secret is not.
    pub is_public: bool,
}

/// What came of checking a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// There is none that could be checked here.
    NotChecked,
    /// The token names no key of the organization.
    UnknownKey,
    /// It belongs to header and payload, by this key.
    Right(NamedKey),
    /// It does not, by this key.
    Wrong(NamedKey),
}

/// What can be told about a text.
///
/// `Debug` prints no part of it.
#[derive(Clone)]
pub struct Inspection {
    /// What it is.
    pub kind: PresentedKind,
    /// The header as it says, whoever wrote it.
    pub header: Option<Map<String, Value>>,
    /// The payload as it says, whoever wrote it; `None` where it is encrypted or elsewhere.
    pub claims: Option<Map<String, Value>>,
    /// The `kid` of the header.
    pub kid: Option<String>,
    /// What came of checking the signature.
    pub signature: SignatureCheck,
    /// Everything that is wrong with it.
    pub problems: Vec<TokenProblem>,
    /// The session that it is of, for a person who may read sessions.
    pub session: Option<FoundSession>,
    /// Was the session asked for? If not, the token may have been revoked.
    pub session_was_checked: bool,
}

/// One thing that is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// A part is not base64url of a JSON object.
    #[error("The {0} is not base64url of a JSON object.")]
    Unreadable(&'static str),
    /// Readers differ in which of the two counts.
    #[error("The {0} names a member twice.")]
    Repeated(&'static str),
    /// No audience allows this length.
    #[error("It has {bytes} bytes; no session token has more than {MAX_TOKEN_BYTES}.")]
    TooLong {
        /// The length.
        bytes: usize,
    },
    /// The header has no `kid`.
    #[error("The header names no key (`kid`).")]
    NoKeyId,
    /// The `kid` is not one of the organization's.
    #[error(
        "The header names a key that this organization does not publish: another issuer's, or one that was retired."
    )]
    UnknownKey,
    /// A member of the header is not what tokens of this key have there.
    #[error("`{member}` of the header is not `{expected}`, as in all tokens of this key.")]
    Header {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: String,
    },
    /// The signature does not belong to header and payload.
    #[error(
        "The signature does not belong to this header and payload: they were changed, or another key signed."
    )]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("The claim `{0}` is missing or of the wrong type.")]
    Claim(&'static str),
    /// Another issuer.
    #[error("The issuer `iss` is not `{expected}`.")]
    Issuer {
        /// What it should be.
        expected: String,
    },
    /// Another audience than that of the key.
    #[error("The audience `aud` is not `{expected}`, for which this key signs.")]
    Audience {
        /// What it should be.
        expected: String,
    },
    /// It has ended.
    #[error("It has expired: it ended at {since}.")]
    Expired {
        /// When it ended.
        since: Timestamp,
    },
    /// It begins in the future.
    #[error("It is not valid before {until}.")]
    NotYetValid {
        /// When it begins.
        until: Timestamp,
    },
    /// No session of it is recorded.
    #[error("No session of this organization belongs to it.")]
    NoSession,
    /// It was taken back.
    #[error("It has been revoked{}.", through(*.0))]
    Revoked(Option<RevokedBy>),
    /// Something else that the check of tokens objects to.
    #[error("The check of tokens refuses it: {0}.")]
    Other(InactiveToken),
}

fn through(by: Option<RevokedBy>) -> String {
    match by {
        None => String::new(),
        Some(RevokedBy::Session) => ": somebody revoked its session".to_owned(),
        Some(RevokedBy::Cutoff(kind)) => {
            let kind = kind.as_str().replace('_', " ");
            format!(", together with everything issued up to a moment for its {kind}")
        }
    }
}

impl TokenProblem {
    /// What the check of tokens says of the same.
    fn reason(&self) -> InactiveToken {
        match self {
            Self::Unreadable(_) | Self::Repeated(_) | Self::TooLong { .. } | Self::NoKeyId => {
                InactiveToken::Malformed
            }
            Self::Header { .. } => InactiveToken::Malformed,
            Self::UnknownKey => InactiveToken::UnknownKey,
            Self::Signature => InactiveToken::Signature,
            Self::Claim(_) => InactiveToken::Claims,
            Self::Issuer { .. } => InactiveToken::Issuer,
            Self::Audience { .. } => InactiveToken::Audience,
            Self::Expired { .. } => InactiveToken::Expired,
            Self::NotYetValid { .. } => InactiveToken::NotYetValid,
            Self::NoSession => InactiveToken::NoSession,
            Self::Revoked(_) => InactiveToken::Revoked,
            Self::Other(reason) => *reason,
        }
    }
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The token could not be checked.
    #[error(transparent)]
    Check(#[from] CheckTokenError),
    /// Its session could not be read.
    #[error(transparent)]
    Session(#[from] FindError),
}

impl TokenIssuer {
    /// Tells all about a text that can be told to this person: what it says to anybody, whether it is a token of the
    /// person's organization, and of what session it is to whoever may read sessions.
    pub async fn inspect_token(
        &self,
        person: &SignedIn,
        text: &str,
    ) -> Result<Inspection, InspectError> {
        let text = unwrapped(text);
        let mut inspection = Inspection::decode(text);
        if !inspection.is_token() {
            return Ok(inspection);
        }
        let slug = &person.organization().slug;
        let issuer = self.organization(slug).await;
        let issuer = issuer.map_err(CheckTokenError::from)?;
        let issuer = issuer.ok_or(CheckTokenError::Inactive(InactiveToken::UnknownKey))?;
        let now = self.clock.now();
        if inspection.kind == PresentedKind::Signed {
            inspection.judge(&issuer.value, text, now);
        }
        if !person.permissions().contains(&Permission::SessionsRead) {
            if inspection.kind == PresentedKind::Signed
                && let Err(reason) = check(&issuer.value, text, now)
            {
                inspection.object(reason);
            }
            return Ok(inspection);
        }
        inspection.session_was_checked = true;
        match self.genuine_token(slug, text).await {
            Ok(genuine) => self.add_session(&mut inspection, genuine, now).await?,
            Err(CheckTokenError::Inactive(reason)) => inspection.object(reason),
            Err(error) => return Err(error.into()),
        }
        Ok(inspection)
    }

    async fn add_session(
        &self,
        inspection: &mut Inspection,
        genuine: GenuineToken,
        now: Timestamp,
    ) -> Result<(), FindError> {
        let GenuineToken { token, void, .. } = genuine;
        let (organization, id) = (token.session.organization, token.session.id);
        let found = self.find_session(organization, id).await?;
        if void {
            let by = found.as_ref().and_then(|found| match found.state {
                SessionState::Revoked(by) => Some(by),
                _ => None,
            });
            inspection.problems.push(TokenProblem::Revoked(by));
        }
        if token.expires_at <= now {
            let since = token.expires_at;
            inspection.add(TokenProblem::Expired { since });
        }
        inspection.session = found;
        Ok(())
    }
}

impl Inspection {
    /// Does the token pass, as far as it was checked?
    pub fn passes(&self) -> bool {
        self.is_token() && self.problems.is_empty()
    }

    /// Is it a token at all?
    pub fn is_token(&self) -> bool {
        match self.kind {
            PresentedKind::Signed | PresentedKind::Encrypted | PresentedKind::Opaque => true,
            PresentedKind::ApiKey(_) | PresentedKind::Other => false,
        }
    }

    fn decode(text: &str) -> Self {
        let mut inspection = Self {
            kind: kind_of(text),
            header: None,
            claims: None,
            kid: None,
            signature: SignatureCheck::NotChecked,
            problems: Vec::new(),
            session: None,
            session_was_checked: false,
        };
        if !inspection.is_token() {
            return inspection;
        }
        if text.len() > MAX_TOKEN_BYTES {
            inspection.add(TokenProblem::TooLong { bytes: text.len() });
        }
        let mut parts = text.split('.');
        let (first, second) = (parts.next(), parts.next());
        if inspection.kind != PresentedKind::Opaque {
            inspection.header = inspection.part("header", first);
        }
        if inspection.kind == PresentedKind::Signed {
            inspection.claims = inspection.part("payload", second);
        }
        let kid = inspection.header.as_ref().and_then(|it| it.get("kid"));
        inspection.kid = kid.and_then(Value::as_str).map(ToOwned::to_owned);
        inspection
    }

    fn part(&mut self, name: &'static str, text: Option<&str>) -> Option<Map<String, Value>> {
        let object = text.and_then(object);
        let Some((bytes, object)) = object else {
            self.add(TokenProblem::Unreadable(name));
            return None;
        };
        if serde_json::from_slice::<Strict>(&bytes).is_err() {
            self.add(TokenProblem::Repeated(name));
        }
        Some(object)
    }

    /// Everything that header, payload and signature tell.
    fn judge(&mut self, issuer: &OrganizationIssuer, text: &str, now: Timestamp) {
        let kid = self.kid.clone();
        let Some(kid) = kid else {
            if self.header.is_some() {
                self.add(TokenProblem::NoKeyId);
            }
            self.judge_claims(issuer, None, now);
            return;
        };
        let mut named = issuer.verifying(&kid).collect::<Vec<_>>();
        let right = named
            .iter()
            .position(|(_, key, _)| signature_is_right(text, key));
        if named.is_empty() {
            self.signature = SignatureCheck::UnknownKey;
            self.add(TokenProblem::UnknownKey);
            self.judge_claims(issuer, None, now);
            return;
        }
        let (own, key, ring) = named.swap_remove(right.unwrap_or(0));
        let by = NamedKey {
            kid: own.to_owned(),
            audience: ring.audience.name.to_string(),
            is_public: !key.algorithm.is_symmetric(),
        };
        self.signature = match right {
            Some(_) => SignatureCheck::Right(by),
            None => SignatureCheck::Wrong(by),
        };
        self.judge_header(key, ring);
        if right.is_none() {
            self.add(TokenProblem::Signature);
        }
        self.judge_claims(issuer, Some(ring), now);
    }

    fn judge_header(&mut self, key: &VerifyingKey, ring: &Ring) {
        let settings = &ring.audience.settings.claims;
        let says = |member: &str| {
            let header = self.header.as_ref()?;
            header.get(member)?.as_str().map(ToOwned::to_owned)
        };
        let issuer = settings.registered.issuer(&ring.issuer);
        let mut expected = vec![
            ("alg", key.algorithm.as_str().to_owned()),
            ("typ", settings.typ.as_str().to_owned()),
        ];
        if settings.issuer_in_header {
            expected.push(("iss", issuer.to_owned()));
        }
        expected.retain(|(member, expected)| says(member).as_ref() != Some(expected));
        for (member, expected) in expected {
            self.add(TokenProblem::Header { member, expected });
        }
    }

    /// `ring` is that of the key, where one is known.
    fn judge_claims(&mut self, issuer: &OrganizationIssuer, ring: Option<&Ring>, now: Timestamp) {
        let Some(claims) = self.claims.clone() else {
            return;
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        if let Some(ring) = ring {
            for name in ["iss", "aud", "jti"] {
                if text(name).is_none() {
                    self.add(TokenProblem::Claim(name));
                }
            }
            for name in ["iat", "exp"] {
                if number(name).is_none() {
                    self.add(TokenProblem::Claim(name));
                }
            }
            if text("aud").is_some_and(|aud| aud != ring.audience.aud) {
                let expected = ring.audience.aud.clone();
                self.add(TokenProblem::Audience { expected });
            }
        }
        let issuer_of = |ring: &Ring| {
            let registered = &ring.audience.settings.claims.registered;
            registered.issuer(&ring.issuer).to_owned()
        };
        let own: Vec<String> = match ring {
            Some(ring) => vec![issuer_of(ring)],
            None => issuer.rings().map(issuer_of).collect(),
        };
        if let (Some(said), Some(expected)) = (text("iss"), own.first())
            && !own.iter().any(|own| own == said)
        {
            let expected = expected.clone();
            self.add(TokenProblem::Issuer { expected });
        }
        self.judge_times(number("exp"), number("nbf"), now);
    }

    fn judge_times(&mut self, exp: Option<i64>, nbf: Option<i64>, now: Timestamp) {
        let seconds = now.unix_seconds();
        if let Some(exp) = exp.filter(|exp| *exp <= seconds) {
            let since = Timestamp::from_unix_seconds(exp.max(0));
            self.add(TokenProblem::Expired { since });
        }
        let latest = seconds.saturating_add(NOT_BEFORE_LEEWAY_SECONDS);
        if let Some(nbf) = nbf.filter(|nbf| *nbf > latest) {
            let until = Timestamp::from_unix_seconds(nbf.min(LAST_SECOND));
            self.add(TokenProblem::NotYetValid { until });
        }
    }

    /// What the check of tokens objects to must be among the problems.
    fn object(&mut self, reason: InactiveToken) {
        if self.problems.iter().any(|it| it.reason() == reason) {
            return;
        }
        self.add(match reason {
            InactiveToken::NoSession => TokenProblem::NoSession,
            InactiveToken::UnknownKey => TokenProblem::UnknownKey,
            InactiveToken::Signature => TokenProblem::Signature,
            reason => TokenProblem::Other(reason),
        });
    }

    fn add(&mut self, problem: TokenProblem) {
        let same = |it: &TokenProblem| it.reason() == problem.reason() && *it == problem;
        let ended = matches!(problem, TokenProblem::Expired { .. })
            && self
                .problems
                .iter()
                .any(|it| matches!(it, TokenProblem::Expired { .. }));
        if !ended && !self.problems.iter().any(same) {
            self.problems.push(problem);
        }
    }
}

/// Without anything that was pasted: what is printed ends in logs.
impl std::fmt::Debug for Inspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspection")
            .field("kind", &self.kind)
            .field("signature", &self.signature)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// The end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
