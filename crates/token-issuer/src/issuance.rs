//! The main job, from top to bottom: a caller that may issue, and what it asks for, become a recorded token.

use std::net::IpAddr;
use std::sync::Arc;

use key_admin::{ApiKey, ApiKeyContext, RefusalLog, Slug};
use policy::operations::markers::IssueSessionToken;
use policy::{Decision, Denial, Grant, GrantRequest, Permitted, PolicyError, PolicyService};
use secrecy::SecretString;
use storage::{ChangeFeed, Clock, Database, SessionId, Versioned};

use crate::claims::{Claims, ClaimsError, SignedToken};
use crate::metadata::PublicUrl;
use crate::refusals;
use crate::rings::{OrganizationIssuer, Ring, Rings, StartError};
use crate::sessions::{AttributeHasher, RecordError, Recorded, Recorder};

/// What a backend asks for, together with where it asks from.
#[derive(Debug)]
pub struct IssueRequest {
    /// Whom the token shall speak for, and what it shall carry.
    pub grant: GrantRequest,
    /// Where the request came from; recorded with the session.
    pub origin: Origin,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The request's identifier.
    pub request_id: String,
    /// The client's address.
    pub client: IpAddr,
}

/// A token whose session row is committed: it may be handed out.
#[derive(Debug)]
pub struct IssuedToken {
    claims: Claims,
    token: SecretString,
}

impl IssuedToken {
    fn new(token: SignedToken, _: Recorded) -> Self {
        let (claims, token) = token.into_parts();
        Self { claims, token }
    }

    /// What the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The token itself, a compact JWS.
    pub fn token(&self) -> &SecretString {
        &self.token
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request asks for what may not be granted.
    #[error("the request is refused")]
    Refused(Denial),
    /// The policy could not be read or compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The audience's keys could not be read or opened.
    #[error(transparent)]
    Rings(#[from] StartError),
    /// The caller's organization is gone.
    #[error("the organization does not exist any more")]
    OrganizationGone,
    /// The policy granted an audience that does not exist.
    #[error("the policy granted an audience that does not exist")]
    NoAudience,
    /// The claims are too long, or could not be signed.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The session row could not be committed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The service of this crate.
#[derive(Debug)]
pub struct TokenIssuer {
    pub(crate) database: Database,
    pub(crate) feed: Arc<ChangeFeed>,
    pub(crate) rings: Rings,
    pub(crate) recorder: Recorder,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) hasher: Arc<AttributeHasher>,
    pub(crate) policy: Arc<PolicyService>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) public_url: PublicUrl,
}

impl TokenIssuer {
    /// Issues one token: decide, sign, record, and only then answer.
    pub async fn issue(
        &self,
        caller: &Permitted<IssueSessionToken>,
        request: IssueRequest,
    ) -> Result<IssuedToken, IssueError> {
        let issuer = self.issuer_of(caller).await?;
        let decided = self.decide(caller, &issuer.value, request.grant).await;
        if let Err(IssueError::Refused(denial)) = &decided {
            refusals::record(&self.refusals, caller, &request.origin, denial).await;
        }
        let (ring, grant) = decided?;
        let (slug, key) = (caller.organization_slug(), caller.key());
        let token = self.claims(slug, key, ring, grant)?.sign(&ring.active)?;
        let recorded = self.recorder.record(&token, &request.origin).await?;
        Ok(IssuedToken::new(token, recorded))
    }

    /// Decides and shows the claims that a token would have; signs and records nothing.
    pub async fn preview(
        &self,
        caller: &Permitted<IssueSessionToken>,
        request: GrantRequest,
    ) -> Result<Claims, IssueError> {
        let issuer = self.issuer_of(caller).await?;
        let (ring, grant) = self.decide(caller, &issuer.value, request).await?;
        let (slug, key) = (caller.organization_slug(), caller.key());
        Ok(self.claims(slug, key, ring, grant)?)
    }

    /// The keys and audiences of an organization; `None` when there is none of this name.
    pub async fn organization(
        &self,
        slug: &Slug,
    ) -> Result<Option<Arc<Versioned<OrganizationIssuer>>>, StartError> {
        self.rings.get(slug).await
    }

    /// The address that issuers are built on.
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    pub(crate) async fn issuer_of(
        &self,
        caller: &ApiKeyContext,
    ) -> Result<Arc<Versioned<OrganizationIssuer>>, IssueError> {
        self.rings
            .get(caller.organization_slug())
            .await?
            .ok_or(IssueError::OrganizationGone)
    }

    async fn decide<'i>(
        &self,
        caller: &ApiKeyContext,
        issuer: &'i OrganizationIssuer,
        request: GrantRequest,
    ) -> Result<(&'i Ring, Grant), IssueError> {
        let ring = issuer.ring(&request.audience);
        let limits = ring.map(|ring| &ring.audience.limits);
        match (self.policy.decide(caller, limits, request).await?, ring) {
            (Decision::Granted(grant), Some(ring)) => Ok((ring, grant)),
            (Decision::Refused(denial), _) => Err(IssueError::Refused(denial)),
            (Decision::Granted(_), None) => Err(IssueError::NoAudience),
        }
    }

    /// The claims of a token that a key of the organization gets.
    pub(crate) fn claims(
        &self,
        organization: &Slug,
        key: &ApiKey,
        ring: &Ring,
        grant: Grant,
    ) -> Result<Claims, ClaimsError> {
        let stamp = (SessionId::new(&*self.clock), self.clock.now());
        let issuer = self.public_url.issuer(organization);
        Claims::new(grant, ring, key, issuer, stamp)
    }
}
