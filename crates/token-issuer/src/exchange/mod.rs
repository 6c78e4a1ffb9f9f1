//! Token exchange ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)): for a user whom the backend has authenticated, or
//! for a session token that becomes one that may do less.
//!
//! Whatever is exchanged, the policy decides again with the calling key. The second kind is checked twice against the
//! `whole` that it shall be a part of: what is asked for, and what would be granted.

mod whole;

use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, Permitted, Resource};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use storage::SessionId;

use crate::checking::{CheckTokenError, InactiveToken};
use crate::claims::{Client, Descent, SignedToken};
use crate::issuance::{IssueError, IssueRequest, IssuedToken, Origin, TokenIssuer};
use crate::refusals;
use crate::rings::Shape;
use whole::Whole;

pub use whole::{Wider, WiderCode};

/// What a client hands in, and what it wants for it.
#[derive(Debug)]
pub struct Exchange {
    /// Whom the new token shall speak for.
    pub subject: ExchangeSubject,
    /// The roles. Left out: those of the token.
    pub roles: Option<Vec<String>>,
    /// The attributes. Of a token's, those that are not named stay as they are.
    pub attributes: Map<String, Value>,
    /// The resources. Left out: those of the token.
    pub resources: Option<Vec<Resource>>,
    /// The wanted lifetime, in seconds. Left out: the usual one, within the token's own.
    pub ttl_seconds: Option<i64>,
    /// The name of the audience. Left out: the token's own, or the default one for a user.
    pub audience: Option<String>,
    /// The wanted scope. Left out: all that the roles allow, within the token's own.
    pub scope: Option<Vec<String>>,
}

/// What is exchanged.
#[derive(Debug)]
pub enum ExchangeSubject {
    /// A user, by the identifier that the calling backend has authenticated.
    User(String),
    /// A session token of the caller's organization.
    Token(SecretString),
}

/// Why nothing was exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The token is none of the organization's that holds now.
    #[error("the token is not active")]
    Token(#[source] InactiveToken),
    /// The token, or the one it would become, is in the form of a claim template: what it is limited to cannot be told
    /// from it.
    #[error("tokens in the form of a claim template cannot be exchanged")]
    Form,
    /// The new token would say more than the one that is exchanged.
    #[error("the token would be wider than the one that is exchanged")]
    Wider(Vec<Wider>),
    /// The token could not be checked.
    #[error(transparent)]
    Check(CheckTokenError),
    /// The policy refuses it, or it could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl From<CheckTokenError> for ExchangeError {
    fn from(error: CheckTokenError) -> Self {
        match error {
            CheckTokenError::Inactive(inactive) => Self::Token(inactive),
            error => Self::Check(error),
        }
    }
}

impl TokenIssuer {
    /// Exchanges a user or a token for a session token of its own.
    pub async fn exchange(
        &self,
        caller: &Permitted<IssueSessionToken>,
        exchange: Exchange,
        origin: Origin,
    ) -> Result<IssuedToken, ExchangeError> {
        let Exchange { subject, scope, .. } = exchange;
        let wanted = Wanted {
            roles: exchange.roles,
            attributes: exchange.attributes,
            resources: exchange.resources,
            ttl_seconds: exchange.ttl_seconds,
            audience: exchange.audience,
        };
        let scope = scope.as_deref();
        match subject {
            ExchangeSubject::User(subject) => {
                let grant = wanted.of_user(subject);
                let request = IssueRequest { grant, origin };
                Ok(self.issue_within(caller, request, scope).await?)
            }
            ExchangeSubject::Token(token) => {
                let whole = self.whole(caller, token.expose_secret()).await?;
                let part = self.part(caller, &whole, wanted, scope).await;
                if let Err(error) = &part {
                    self.record_refusal(caller, &origin, error).await;
                }
                let part = part?;
                let id = whole.session();
                let recorded = self.recorder.record_part(&part, &origin, id).await;
                match recorded.map_err(IssueError::from)? {
                    Some(recorded) => Ok(IssuedToken::new(part, recorded)),
                    None => Err(ExchangeError::Token(InactiveToken::Revoked)),
                }
            }
        }
    }

    /// The token that somebody hands in, if what it is limited to can be told.
    async fn whole(
        &self,
        caller: &Permitted<IssueSessionToken>,
        token: &str,
    ) -> Result<Whole, ExchangeError> {
        // Before the token is looked at: a cutoff that is set from here on is later than this id, and voids it.
        let part = SessionId::new(&*self.clock);
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let checked = self.check_token(caller.organization_slug(), token).await?;
        let ring = issuer.value.ring_of(checked.session.audience);
        match ring.map(|ring| &ring.shape) {
            Some(Shape::Standard) => Ok(Whole::new(checked, part)),
            _ => Err(ExchangeError::Form),
        }
    }

    async fn part(
        &self,
        caller: &Permitted<IssueSessionToken>,
        whole: &Whole,
        wanted: Wanted,
        scope: Option<&[String]>,
    ) -> Result<SignedToken, ExchangeError> {
        let request = wanted.of_token(whole);
        let left = whole.ends_at().unix_seconds() - self.clock.now().unix_seconds();
        whole.covers_request(&request, left)?;
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let (ring, grant) = self.decide(caller, &issuer.value, request).await?;
        if !matches!(ring.shape, Shape::Standard) {
            return Err(ExchangeError::Form);
        }
        let mut grant = grant.within_scope(whole.scope());
        if let Some(scope) = scope {
            grant = grant.narrowed_to_scope(scope).map_err(IssueError::from)?;
        }
        whole.covers_grant(&grant)?;
        let client = Client::of(caller);
        let part = Descent::Part {
            root: whole.root(),
            not_after: whole.ends_at(),
        };
        let place = (whole.part(), part);
        let claims = self.claims_of(ring, client, grant, place).await?;
        Ok(self.sign(claims, ring).map_err(IssueError::from)?)
    }

    async fn record_refusal(
        &self,
        caller: &Permitted<IssueSessionToken>,
        origin: &Origin,
        error: &ExchangeError,
    ) {
        let wider = match error {
            ExchangeError::Issue(error) => {
                return refusals::record(&self.refusals, caller, origin, error).await;
            }
            ExchangeError::Wider(wider) => wider,
            _ => return,
        };
        let Some(first) = wider.first() else { return };
        let reasons = wider
            .iter()
            .map(|it| json!({ "code": it.code.as_str(), "pointer": it.pointer }));
        let why = (first.code.as_str(), reasons.collect());
        refusals::record_reasons(&self.refusals, caller, origin, why).await;
    }
}

/// What the new token shall say.
struct Wanted {
    roles: Option<Vec<String>>,
    attributes: Map<String, Value>,
    resources: Option<Vec<Resource>>,
    ttl_seconds: Option<i64>,
    audience: Option<String>,
}

impl Wanted {
    fn of_user(self, subject: String) -> GrantRequest {
        let default = || crate::audiences::DEFAULT_AUDIENCE.to_owned();
        GrantRequest {
            subject,
            roles: self.roles.unwrap_or_default(),
            attributes: self.attributes,
            audience: self.audience.unwrap_or_else(default),
            ttl_seconds: self.ttl_seconds,
            resources: self.resources.unwrap_or_default(),
        }
    }

    /// What is left out, the token says.
    fn of_token(self, whole: &Whole) -> GrantRequest {
        let token = whole.token();
        let mut attributes = token.attributes.clone();
        attributes.extend(self.attributes);
        GrantRequest {
            subject: token.session.subject.clone(),
            roles: self.roles.unwrap_or_else(|| token.roles.clone()),
            attributes,
            audience: self.audience.unwrap_or_else(|| token.audience.to_string()),
            ttl_seconds: self.ttl_seconds,
            resources: self.resources.unwrap_or_else(|| token.resources.clone()),
        }
    }
}
