//! What a token must say, beside being signed.

use crate::claims::Claims;
use crate::verifier::VerifyError;

/// The leeway for clocks that disagree, in seconds, unless set otherwise.
pub const DEFAULT_LEEWAY_SECONDS: u64 = 30;
/// The largest leeway that can be set, in seconds.
pub const MAX_LEEWAY_SECONDS: u64 = 300;

/// The leeway is above [`MAX_LEEWAY_SECONDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a leeway is at most {MAX_LEEWAY_SECONDS} seconds")]
pub struct LeewayTooLarge;

/// The issuer and the audience that a token must name, and how far clocks may disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    issuer: String,
    audience: String,
    leeway_seconds: u64,
    audience_list: bool,
}

impl Rules {
    /// Tokens of this issuer for this audience, compared byte by byte, with [`DEFAULT_LEEWAY_SECONDS`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway_seconds: DEFAULT_LEEWAY_SECONDS,
            audience_list: false,
        }
    }

    /// By how many seconds the issuer's clock may be ahead of this one. It applies to `nbf` and `iat`, and never to
    /// `exp`: a token ends when it says so, and a clock that is slow here already lets it live longer.
    pub fn leeway_seconds(mut self, seconds: u64) -> Result<Self, LeewayTooLarge> {
        if seconds > MAX_LEEWAY_SECONDS {
            return Err(LeewayTooLarge);
        }
        self.leeway_seconds = seconds;
        Ok(self)
    }

    /// Also accepts `aud` as a list with one member, as some issuers write it. Jeton writes a string. A list of several
    /// is refused even so: such a token could be used by any of its audiences against the others.
    #[must_use]
    pub fn accept_audience_list(mut self) -> Self {
        self.audience_list = true;
        self
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audience.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    pub(crate) fn accepts_audience_list(&self) -> bool {
        self.audience_list
    }

    /// The latest second that an issuer whose clock is allowed for may call the present one.
    pub(crate) fn latest(&self, now: u64) -> u64 {
        now.saturating_add(self.leeway_seconds)
    }

    pub(crate) fn check(&self, claims: &Claims, now: u64) -> Result<(), VerifyError> {
        if claims.iss != self.issuer {
            return Err(VerifyError::Issuer);
        }
        if claims.aud != self.audience {
            return Err(VerifyError::Audience);
        }
        if claims.exp <= now {
            return Err(VerifyError::Expired);
        }
        if claims.nbf > self.latest(now) || claims.iat > self.latest(now) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(())
    }
}
