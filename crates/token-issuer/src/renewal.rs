//! Renewal: whoever holds a token trades it for the next one, for as long as its session lasts.
//!
//! The token alone is the credential, and the page's origin is checked. A token is renewed once: of two attempts with the
//! same one, the second is refused and recorded, for one of them is not the page's. What is granted is decided again,
//! with the policy and the API key as they are now.
//!
//! The order of the checks decides who learns what. Who has no genuine token learns nothing; who has one learns what has
//! become of it, and only on a page of its audience.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::rate_limit::{Buckets, Limited, RateLimit, network_of};
use key_admin::{ApiKeyContext, AuthenticateError, Refusal, Slug};
use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, NotPermitted, Permitted};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use storage::{Clock, SessionId, StorageError, Timestamp, Versioned};

use crate::audiences::Renewal;
use crate::checking::{CheckTokenError, CheckedToken, GenuineToken, InactiveToken, is_reference};
use crate::claims::{Chain, Client, Descent, SignedToken, reference_of};
use crate::issuance::{IssueError, IssuedToken, Origin, TokenIssuer};
use crate::refusals;
use crate::rings::{OrganizationIssuer, Ring};
use crate::services::Services;
use crate::sessions::{self, Session};

/// How often one address may present what is no token.
const FAILURES: RateLimit = RateLimit {
    per_minute: 60,
    burst: 60,
};
const MAX_ADDRESSES: usize = 100_000;

/// Why a token was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It is no token that can be renewed now: forged, unknown, or over for too long.
    #[error("the token is not active")]
    Token(#[source] InactiveToken),
    /// Too much from this address was no token lately; nothing was checked.
    #[error("too many failed attempts from this address")]
    TooManyFailures(Limited),
    /// Its audience does not allow it, or the token lacks what deciding again needs.
    #[error("tokens of this audience are not renewed")]
    NotRenewable,
    /// The page that asks is not one that the audience authorizes.
    #[error("the audience does not authorize this origin")]
    Origin,
    /// It has been renewed before.
    #[error("the token has been renewed already")]
    AlreadyRenewed,
    /// The session is over or was revoked, or the API key that began it may not act any more.
    #[error("the session has ended")]
    SessionEnded,
    /// The keys of the organization could not be read.
    #[error(transparent)]
    Check(CheckTokenError),
    /// The API key could not be read.
    #[error(transparent)]
    Key(AuthenticateError),
    /// The policy refuses it now, or it could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<CheckTokenError> for RenewError {
    fn from(error: CheckTokenError) -> Self {
        match error {
            CheckTokenError::Inactive(inactive) => Self::Token(inactive),
            error => Self::Check(error),
        }
    }
}

impl From<AuthenticateError> for RenewError {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Hash(_) | AuthenticateError::Storage(_) => Self::Key(error),
            // Who holds the token learns nothing about the key.
            _ => Self::SessionEnded,
        }
    }
}

impl From<NotPermitted> for RenewError {
    fn from(_: NotPermitted) -> Self {
        Self::SessionEnded
    }
}

/// How often each address has presented what is no token.
#[derive(Debug)]
pub(crate) struct FailedRenewals(Buckets<IpAddr>);

impl FailedRenewals {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Buckets::new(clock, MAX_ADDRESSES))
    }
}

/// A token that may be renewed now, as far as it and its audience are concerned.
#[derive(Debug)]
struct Renewable {
    token: CheckedToken,
    issuer: Arc<Versioned<OrganizationIssuer>>,
    /// The id of the next token.
    next: SessionId,
    chain: Chain,
    /// What is left of the session, in seconds.
    left: i64,
}

impl Services {
    /// Trades a token for the next one. `page` is the value of the request's `Origin`.
    pub async fn renew_session_token(
        &self,
        token: &str,
        page: &str,
        origin: &Origin,
    ) -> Result<IssuedToken, RenewError> {
        let issuer = &self.issuer;
        let held = issuer.renewable(token, page, origin.client).await?;
        let caller = self.keys.resume(held.token.session.api_key).await?;
        let caller = self.authorizer.permit(caller)?;
        issuer.renew(&caller, &held, origin).await
    }
}

impl TokenIssuer {
    async fn renewable(
        &self,
        token: &str,
        page: &str,
        client: IpAddr,
    ) -> Result<Renewable, RenewError> {
        // Before the token is looked at: a cutoff that is set from here on is later than this id, and voids it.
        let next = SessionId::new(&*self.clock);
        let genuine = self.held(token, client).await?;
        let session = &genuine.token.session;
        let ring = genuine.issuer.value.ring_of(session.audience);
        let ring = ring.ok_or(RenewError::NotRenewable)?;
        let (chain, left) = self.standing_chain(ring, &genuine, page)?;
        Ok(Renewable {
            token: genuine.token,
            issuer: genuine.issuer,
            next,
            chain,
            left,
        })
    }

    /// The token, if it is one. Only what is none counts against the client.
    async fn held(&self, token: &str, client: IpAddr) -> Result<GenuineToken, RenewError> {
        let (failures, client) = (&self.failed_renewals.0, network_of(client));
        failures
            .take(&client, FAILURES)
            .map_err(RenewError::TooManyFailures)?;
        let held = self.looked_up(token).await;
        if !matches!(held, Err(RenewError::Token(_))) {
            failures.give_back(&client, FAILURES);
        }
        held
    }

    async fn looked_up(&self, token: &str) -> Result<GenuineToken, RenewError> {
        let organization = self.organization_of(token).await?;
        Ok(self.genuine_token(&organization, token).await?)
    }

    /// Which organization's token is this, if it is one? Nothing is checked yet: this only tells whose keys to check it
    /// with.
    async fn organization_of(&self, token: &str) -> Result<Slug, RenewError> {
        let slug = if is_reference(token) {
            let found = self.find_reference(&reference_of(token)).await?;
            found.map(|(_, slug, _)| slug)
        } else {
            let session = claimed_session(token);
            let session = session.ok_or(RenewError::Token(InactiveToken::Malformed))?;
            let mut read = self.read_session(session).await?;
            sessions::store::organization_of(read.conn(), session).await?
        };
        let slug = slug.ok_or(RenewError::Token(InactiveToken::NoSession))?;
        let slug = Slug::parse(&slug).map_err(|error| StorageError::corrupt("slug", error));
        Ok(slug?)
    }

    /// Does the page belong to the session, and is there anything left of it? The second is how much, in seconds.
    fn standing_chain(
        &self,
        ring: &Ring,
        GenuineToken { token, void, .. }: &GenuineToken,
        page: &str,
    ) -> Result<(Chain, i64), RenewError> {
        let settings = &ring.audience.settings;
        if !settings.authorized_origins.contains(page) {
            return Err(RenewError::Origin);
        }
        let session = &token.session;
        let (Some(rule), Some(ends_at)) = (settings.renewal, session.ends_at) else {
            return Err(RenewError::NotRenewable);
        };
        let now = self.clock.now();
        let left = ends_at.unix_seconds() - now.unix_seconds();
        if *void || left <= 0 {
            return Err(RenewError::SessionEnded);
        }
        if now >= last_moment(&rule, session) {
            return Err(RenewError::Token(InactiveToken::Expired));
        }
        let root = session.root;
        Ok((Chain { root, ends_at }, left))
    }

    async fn renew(
        &self,
        caller: &Permitted<IssueSessionToken>,
        held: &Renewable,
        origin: &Origin,
    ) -> Result<IssuedToken, RenewError> {
        let session = &held.token.session;
        if session.renewed_at.is_some() {
            return Err(self.reused(caller, origin, session).await);
        }
        let ring = held.issuer.value.ring_of(session.audience);
        let ring = ring.ok_or(RenewError::NotRenewable)?;
        let request = request(&held.token, ring, held.left)?;
        let renewed = self.decided_again(caller, ring, request, held).await;
        if let Err(error) = &renewed {
            refusals::record(&self.refusals, caller, origin, error).await;
        }
        let signed = renewed?;
        let recorded = self
            .recorder
            .record_renewal(&signed, origin, session.id)
            .await
            .map_err(IssueError::from)?;
        match recorded {
            Some(recorded) => Ok(IssuedToken::new(signed, recorded)),
            None => Err(self.overtaken(caller, origin, session).await),
        }
    }

    async fn decided_again(
        &self,
        caller: &ApiKeyContext,
        ring: &Ring,
        request: GrantRequest,
        held: &Renewable,
    ) -> Result<SignedToken, IssueError> {
        let grant = self.granted(caller, ring, request).await?;
        let client = Client::of(caller);
        let place = (held.next, Descent::Renewal(held.chain));
        let claims = self.claims_of(ring, client, grant, place).await?;
        Ok(self.sign(claims, ring)?)
    }

    /// Somebody was faster: the session was renewed or revoked since it was read.
    async fn overtaken(
        &self,
        caller: &ApiKeyContext,
        origin: &Origin,
        session: &Session,
    ) -> RenewError {
        match self.is_revoked(session).await {
            Ok(true) => RenewError::SessionEnded,
            Ok(false) => self.reused(caller, origin, session).await,
            Err(error) => error.into(),
        }
    }

    async fn is_revoked(&self, session: &Session) -> Result<bool, StorageError> {
        let mut read = self.read_session(session.id).await?;
        let found = sessions::store::find(read.conn(), session.organization, session.id).await?;
        Ok(found.is_none_or(|found| found.revoked_at.is_some()))
    }

    /// Two have the same token, and one of them should not.
    async fn reused(
        &self,
        caller: &ApiKeyContext,
        origin: &Origin,
        session: &Session,
    ) -> RenewError {
        let refusal = Refusal {
            key: caller.key(),
            client: origin.client,
            request_id: Some(&origin.request_id),
            action: "session_token.renew_again",
            code: "already_renewed",
            detail: json!({ "session_id": session.id, "chain": session.root }),
        };
        self.refusals.record(refusal).await;
        RenewError::AlreadyRenewed
    }
}

/// The session that a token names, before anything about it is checked.
fn claimed_session(token: &str) -> Option<SessionId> {
    #[derive(Deserialize)]
    struct Claimed {
        jti: SessionId,
    }
    let payload = token.split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claimed: Claimed = serde_json::from_slice(&payload).ok()?;
    Some(claimed.jti)
}

/// When the token cannot be renewed any more.
fn last_moment(rule: &Renewal, session: &Session) -> Timestamp {
    let graced = session.expires_at.plus_seconds(rule.grace_seconds.into());
    match rule.idle_seconds {
        Some(idle) => graced.min(session.issued_at.plus_seconds(idle.into())),
        None => graced,
    }
}

/// What was granted is asked for again. Values that are stored as hashes come from the token itself.
fn request(token: &CheckedToken, ring: &Ring, left: i64) -> Result<GrantRequest, RenewError> {
    let session = &token.session;
    let mut attributes = Map::new();
    for (name, stored) in &session.attributes {
        let value: &Value = if sessions::hashes(stored).is_none() {
            stored
        } else {
            let value = token.attributes.get(name);
            value.ok_or(RenewError::NotRenewable)?
        };
        attributes.insert(name.clone(), value.clone());
    }
    let lifetime = session.expires_at.unix_seconds() - session.issued_at.unix_seconds();
    Ok(GrantRequest {
        subject: session.subject.clone(),
        roles: session.roles.clone(),
        attributes,
        audience: ring.audience.name.to_string(),
        ttl_seconds: Some(lifetime.min(left)),
        resources: session.resources.clone(),
    })
}
