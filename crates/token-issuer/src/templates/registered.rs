//! The claims that the issuer sets ([RFC 7519, section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)).
//!
//! | claim | in every token | what an audience may change |
//! |---|---|---|
//! | `iat`, `exp`, `jti` | yes, and true | nothing: expiry and revocation rest on them |
//! | `aud` | yes | its value is the audience's `aud` |
//! | `iss` | yes | may be what the consumer calls this issuer |
//! | `sub` | | must be a UUID; a fixed text; or left out |
//! | `client_id`, `nbf` | | left out |
//!
//! `iss` and `aud` are never left out: PostgREST and Hasura, told to check them, accept a token that has none.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::context::TemplateContext;
use super::faults::TemplateError;
use super::filter;

/// The longest given `iss` or `sub`, in bytes.
pub const MAX_GIVEN_BYTES: usize = 255;

/// A given claim that says nothing, or shows as something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{claim}` must be 1 to {MAX_GIVEN_BYTES} bytes, without white space at its ends and without control characters"
)]
pub struct InvalidClaimValue {
    /// The claim.
    pub claim: &'static str,
}

/// Which registered claims an audience's tokens have, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredClaims {
    /// `iss`.
    pub issuer: IssuerClaim,
    /// `sub`.
    pub subject: SubjectClaim,
    /// Whether `client_id` names the API key that asked.
    pub client_id: bool,
    /// Whether `nbf` is there.
    pub not_before: bool,
}

/// The value of `iss`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerClaim {
    /// The organization's issuer, where its keys are published.
    Organization,
    /// What the consumer knows this issuer by, such as a client id that it gave out.
    Given(Cow<'static, str>),
}

/// The value of `sub`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectClaim {
    /// The user.
    User,
    /// The user, who must be identified by a UUID in its canonical form; others are refused. The form is not changed:
    /// revocations by subject compare texts.
    UserUuid,
    /// The same for all. The user stands in the session, and in the template's claims; verifiers that work offline
    /// cannot see a revocation by subject.
    Given(Cow<'static, str>),
    /// None, with the same effect on revocations.
    Omitted,
}

impl RegisteredClaims {
    /// All of them, as [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068) asks of an access token.
    pub const ALL: Self = Self {
        issuer: IssuerClaim::Organization,
        subject: SubjectClaim::User,
        client_id: true,
        not_before: true,
    };

    /// Checks the given values, for whoever stores them.
    pub fn check(&self) -> Result<(), InvalidClaimValue> {
        let fits = |text: &str| {
            (1..=MAX_GIVEN_BYTES).contains(&text.len())
                && text.trim() == text
                && !text.chars().any(char::is_control)
        };
        if matches!(&self.issuer, IssuerClaim::Given(text) if !fits(text)) {
            return Err(InvalidClaimValue { claim: "iss" });
        }
        if matches!(&self.subject, SubjectClaim::Given(text) if !fits(text)) {
            return Err(InvalidClaimValue { claim: "sub" });
        }
        Ok(())
    }

    /// The value of `iss` for the organization of this issuer.
    pub fn issuer<'s>(&'s self, organization: &'s str) -> &'s str {
        match &self.issuer {
            IssuerClaim::Organization => organization,
            IssuerClaim::Given(issuer) => issuer,
        }
    }

    /// The claims of one token.
    pub fn render(
        &self,
        context: &TemplateContext<'_>,
    ) -> Result<Map<String, Value>, TemplateError> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        set("iss", self.issuer(context.issuer).into());
        set("aud", context.audience.into());
        if let Some(subject) = self.subject(context)? {
            set("sub", subject.into());
        }
        if self.client_id {
            set("client_id", context.client_id.to_string().into());
        }
        set("jti", context.session_id.to_string().into());
        set("iat", context.issued_at.into());
        if self.not_before {
            set("nbf", context.not_before.into());
        }
        set("exp", context.expires_at.into());
        Ok(claims)
    }

    fn subject<'c>(
        &'c self,
        context: &TemplateContext<'c>,
    ) -> Result<Option<&'c str>, TemplateError> {
        match &self.subject {
            SubjectClaim::User => Ok(Some(context.user_id)),
            SubjectClaim::UserUuid => match filter::uuid(context.user_id.into()) {
                Some(canonical) if canonical == context.user_id => Ok(Some(context.user_id)),
                _ => Err(TemplateError::Filter {
                    reference: "user.id".to_owned(),
                    filter: "uuid",
                }),
            },
            SubjectClaim::Given(subject) => Ok(Some(subject)),
            SubjectClaim::Omitted => Ok(None),
        }
    }
}
