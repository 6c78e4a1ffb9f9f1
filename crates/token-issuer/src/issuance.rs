//! The main job, from top to bottom: a caller that may issue, and what it asks for, become a recorded token.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use key_admin::{ApiKeyContext, RefusalLog, Slug};
use policy::operations::markers::IssueSessionToken;
use policy::{
    Decision, Denial, Grant, GrantRequest, Permitted, PolicyError, PolicyService, ScopeNotGranted,
    SupersetClause, TokenClaims, superset_rls,
};
use secrecy::SecretString;
use storage::{ChangeFeed, Clock, Database, OrganizationId, SessionId, Versioned};

use crate::audiences::KnownOrigins;
use crate::claims::{Claims, ClaimsError, Client, Descent, Occasion, SignedToken};
use crate::metadata::PublicUrl;
use crate::metrics::Steps;
use crate::refusals;
use crate::renewal::FailedRenewals;
use crate::revocation::Revocations;
use crate::rings::{OrganizationIssuer, Ring, Rings, Shape, StartError};
use crate::sessions::{AttributeHasher, RecordError, Recorded, Recorder};
use crate::snapshot::Snapshots;
use crate::templates::SupersetRule;

/// Of a dataset whose table no row rule is for, nothing is shown.
const NO_ROWS: &str = "1 = 0";

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
    pub(crate) fn new(token: SignedToken, _: Recorded) -> Self {
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
    /// The roles do not allow all of the wanted scope.
    #[error(transparent)]
    Scope(#[from] ScopeNotGranted),
    /// A narrower scope would be lost: the audience's tokens do not carry one.
    #[error("tokens of this audience carry no scope that could be narrowed")]
    NoScopeInToken,
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
    pub(crate) steps: Arc<Steps>,
    pub(crate) revocations: Revocations,
    pub(crate) snapshots: Snapshots,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) failed_renewals: FailedRenewals,
    pub(crate) known_origins: KnownOrigins,
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
        self.issue_within(caller, request, None).await
    }

    /// The same with a scope that is wanted instead of all that the roles allow. Its token cannot be renewed.
    pub async fn issue_within(
        &self,
        caller: &Permitted<IssueSessionToken>,
        request: IssueRequest,
        scope: Option<&[String]>,
    ) -> Result<IssuedToken, IssueError> {
        let IssueRequest { grant, origin } = request;
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let signed = self.signed(caller, &issuer.value, grant, scope).await;
        if let Err(error) = &signed {
            // Boxed, because what is granted would carry it.
            Box::pin(refusals::record(&self.refusals, caller, &origin, error)).await;
        }
        let token = signed?;
        let recorded = self.recorder.record(&token, &origin).await?;
        Ok(IssuedToken::new(token, recorded))
    }

    /// Issues many tokens: each is decided by itself, and those that are granted are recorded in one transaction. The
    /// answers are in the order of the requests.
    pub async fn issue_batch(
        &self,
        caller: &Permitted<IssueSessionToken>,
        requests: Vec<GrantRequest>,
        origin: &Origin,
    ) -> Result<Vec<Result<IssuedToken, IssueError>>, IssueError> {
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let mut signed = Vec::with_capacity(requests.len());
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            match self.signed(caller, &issuer.value, request, None).await {
                Ok(token) => {
                    signed.push(token);
                    answers.push(None);
                }
                Err(error) => {
                    refusals::record(&self.refusals, caller, origin, &error).await;
                    answers.push(Some(error));
                }
            }
        }
        let recorded = self.recorder.record_together(&signed, origin).await?;
        let mut issued = signed
            .into_iter()
            .zip(recorded)
            .map(|(token, recorded)| IssuedToken::new(token, recorded));
        let answers = answers.into_iter().filter_map(|refused| match refused {
            Some(error) => Some(Err(error)),
            None => issued.next().map(Ok),
        });
        Ok(answers.collect())
    }

    /// Decides and shows the claims that a token would have; signs and records nothing.
    pub async fn preview(
        &self,
        caller: &Permitted<IssueSessionToken>,
        request: GrantRequest,
    ) -> Result<Claims, IssueError> {
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let (ring, grant) = self.decide(caller, &issuer.value, request).await?;
        self.claims(ring, Client::of(caller), grant).await
    }

    pub(crate) async fn signed(
        &self,
        caller: &ApiKeyContext,
        issuer: &OrganizationIssuer,
        request: GrantRequest,
        scope: Option<&[String]>,
    ) -> Result<SignedToken, IssueError> {
        let (ring, mut grant) = self.decide(caller, issuer, request).await?;
        if let Some(scope) = scope {
            grant = grant.narrowed_to_scope(scope)?;
            check_scope_is_carried(ring, &grant)?;
        }
        let claims = self.claims(ring, Client::of(caller), grant).await?;
        Ok(self.sign(claims, ring)?)
    }

    pub(crate) fn sign(&self, claims: Claims, ring: &Ring) -> Result<SignedToken, ClaimsError> {
        let _timer = self.steps.sign.time();
        claims.sign(ring)
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
        organization: &Slug,
    ) -> Result<Arc<Versioned<OrganizationIssuer>>, IssueError> {
        self.rings
            .get(organization)
            .await?
            .ok_or(IssueError::OrganizationGone)
    }

    pub(crate) async fn decide<'i>(
        &self,
        caller: &ApiKeyContext,
        issuer: &'i OrganizationIssuer,
        request: GrantRequest,
    ) -> Result<(&'i Ring, Grant), IssueError> {
        let _timer = self.steps.decide.time();
        let ring = issuer.ring(&request.audience);
        let limits = ring.map(|ring| &ring.audience.limits);
        match (self.policy.decide(caller, limits, request).await?, ring) {
            (Decision::Granted(grant), Some(ring)) => Ok((ring, grant)),
            (Decision::Refused(denial), _) => Err(IssueError::Refused(denial)),
            (Decision::Granted(_), None) => Err(IssueError::NoAudience),
        }
    }

    /// The grant of a request to this very audience.
    pub(crate) async fn granted(
        &self,
        caller: &ApiKeyContext,
        ring: &Ring,
        request: GrantRequest,
    ) -> Result<Grant, IssueError> {
        let _timer = self.steps.decide.time();
        let limits = Some(&ring.audience.limits);
        match self.policy.decide(caller, limits, request).await? {
            Decision::Granted(grant) => Ok(grant),
            Decision::Refused(denial) => Err(IssueError::Refused(denial)),
        }
    }

    /// The claims of a token that a key of the organization gets.
    pub(crate) async fn claims(
        &self,
        ring: &Ring,
        client: Client<'_>,
        grant: Grant,
    ) -> Result<Claims, IssueError> {
        let place = (SessionId::new(&*self.clock), Descent::First);
        self.claims_of(ring, client, grant, place).await
    }

    /// The same for a token with this id, which may go back to another.
    pub(crate) async fn claims_of(
        &self,
        ring: &Ring,
        client: Client<'_>,
        grant: Grant,
        (id, descent): (SessionId, Descent),
    ) -> Result<Claims, IssueError> {
        let occasion = Occasion {
            ring,
            client,
            id,
            now: self.clock.now(),
            descent,
            superset_rules: self
                .superset_rules(ring, client.organization, &grant)
                .await?,
        };
        Ok(Claims::new(grant, &occasion)?)
    }

    /// The row filters of a Superset guest token, one for each dataset; `None` when the audience's template does not
    /// ask, or a table of the rules has no dataset: it would go without its filter.
    async fn superset_rules(
        &self,
        ring: &Ring,
        organization: OrganizationId,
        grant: &Grant,
    ) -> Result<Option<Vec<SupersetRule>>, PolicyError> {
        let asks =
            matches!(&ring.shape, Shape::Template(template) if template.names_superset_rules());
        if !asks {
            return Ok(None);
        }
        let policy = self.policy.snapshot(organization).await?;
        let claims = row_claims(grant);
        let clauses: BTreeMap<String, String> = superset_rls(policy.row_rules(), &claims)
            .into_iter()
            .map(|SupersetClause { table, clause }| (table.to_string(), clause))
            .collect();
        let datasets = &ring.audience.settings.claims.superset_datasets;
        if !clauses.keys().all(|table| datasets.contains_key(table)) {
            return Ok(None);
        }
        let rules = datasets.iter().filter_map(|(table, dataset)| {
            let clause = clauses.get(table).map_or(NO_ROWS, String::as_str);
            dataset.map(|dataset| SupersetRule {
                dataset: Some(dataset),
                clause: clause.to_owned(),
            })
        });
        Ok(Some(rules.collect()))
    }
}

/// What row rules read of a token that would say this.
pub(crate) fn row_claims(grant: &Grant) -> TokenClaims {
    let attributes = grant.attributes().iter();
    TokenClaims {
        roles: grant.roles().iter().map(ToString::to_string).collect(),
        attributes: attributes
            .map(|(name, value)| (name.to_string(), value.to_json()))
            .collect(),
    }
}

/// A scope that was narrowed must not be lost on the way to who goes by it.
fn check_scope_is_carried(ring: &Ring, grant: &Grant) -> Result<(), IssueError> {
    match &ring.shape {
        Shape::Template(template) if grant.is_scope_narrowed() && !template.names_scope() => {
            Err(IssueError::NoScopeInToken)
        }
        Shape::Standard | Shape::Template(_) => Ok(()),
    }
}
