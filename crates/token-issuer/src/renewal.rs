//! Renewal: whoever holds a token trades it for the next one, for as long as its session lasts.
//!
//! The token alone is the credential, and the page's origin is checked. A token is renewed once: of two attempts with the
//! same one, the second is refused and recorded, for one of them is not the page's. What is granted is decided again,
//! with the policy and the API key as they are now.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::{ApiKeyContext, AuthenticateError, Refusal, Slug};
use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, NotPermitted, Permitted};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use storage::{SessionId, StorageError, Timestamp};

use crate::audiences::{Renewal, WebOrigin};
use crate::checking::{CheckTokenError, CheckedToken, InactiveToken};
use crate::claims::{Chain, Descent};
use crate::issuance::{IssueError, IssuedToken, Origin, TokenIssuer};
use crate::refusals;
use crate::rings::Ring;
use crate::services::Services;
use crate::sessions::{self, Session};

/// Why a token was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It is no token that can be renewed now: forged, revoked, or ended too long ago.
    #[error("the token is not active")]
    Token(#[source] InactiveToken),
    /// Its audience does not allow it, or the token lacks what deciding again needs.
    #[error("tokens of this audience are not renewed")]
    NotRenewable,
    /// The page that asks is not one that the audience authorizes.
    #[error("the audience does not authorize this origin")]
    Origin,
    /// It has been renewed before.
    #[error("the token has been renewed already")]
    AlreadyRenewed,
    /// The session is over, or the API key that began it may not act any more.
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

impl Services {
    /// Trades a token for the next one. `page` is the value of the request's `Origin`.
    pub async fn renew_session_token(
        &self,
        token: &str,
        page: &str,
        origin: &Origin,
    ) -> Result<IssuedToken, RenewError> {
        let issuer = &self.issuer;
        let organization = issuer.organization_of(token).await?;
        let checked = issuer.check_ended_token(&organization, token).await?;
        let caller = self.keys.resume(checked.session.api_key).await?;
        let caller = self.authorizer.permit(caller)?;
        issuer.renew(&caller, &checked, page, origin).await
    }
}

impl TokenIssuer {
    /// Which organization's token is this, if it is one? Nothing is checked yet: this only tells whose keys to check it
    /// with.
    async fn organization_of(&self, token: &str) -> Result<Slug, RenewError> {
        let session = claimed_session(token).ok_or(RenewError::Token(InactiveToken::Malformed))?;
        let mut read = self.database.read().await?;
        let slug = sessions::store::organization_of(read.conn(), session).await?;
        let slug = slug.ok_or(RenewError::Token(InactiveToken::NoSession))?;
        let slug = Slug::parse(&slug).map_err(|error| StorageError::corrupt("slug", error));
        Ok(slug?)
    }

    async fn renew(
        &self,
        caller: &Permitted<IssueSessionToken>,
        token: &CheckedToken,
        page: &str,
        origin: &Origin,
    ) -> Result<IssuedToken, RenewError> {
        let issuer = self.issuer_of(caller).await?;
        let ring = issuer.value.ring_of(token.session.audience);
        let ring = ring.ok_or(RenewError::NotRenewable)?;
        let (chain, left) = self.standing_chain(ring, token, page)?;
        if token.session.renewed_at.is_some() {
            return Err(self.reused(caller, origin, &token.session).await);
        }
        let request = request(token, ring, left)?;
        let renewed = self.decided_again(caller, ring, request, chain).await;
        if let Err(error) = &renewed {
            refusals::record(&self.refusals, caller, origin, error).await;
        }
        let signed = renewed?;
        let recorded = self
            .recorder
            .record_renewal(&signed, origin, token.session.id)
            .await
            .map_err(IssueError::from)?;
        match recorded {
            Some(recorded) => Ok(IssuedToken::new(signed, recorded)),
            None => Err(self.reused(caller, origin, &token.session).await),
        }
    }

    /// Is there anything left of the session, and does the page belong to it? The second is how much, in seconds.
    fn standing_chain(
        &self,
        ring: &Ring,
        token: &CheckedToken,
        page: &str,
    ) -> Result<(Chain, i64), RenewError> {
        let settings = &ring.audience.settings;
        let session = &token.session;
        let (Some(rule), Some(ends_at)) = (settings.renewal, session.ends_at) else {
            return Err(RenewError::NotRenewable);
        };
        let page = WebOrigin::parse(page).map_err(|_| RenewError::Origin)?;
        if !settings.authorized_origins.contains(&page) {
            return Err(RenewError::Origin);
        }
        let now = self.clock.now();
        if now >= last_moment(&rule, session) {
            return Err(RenewError::Token(InactiveToken::Expired));
        }
        let left = ends_at.unix_seconds() - now.unix_seconds();
        if left <= 0 {
            return Err(RenewError::SessionEnded);
        }
        let root = session.root;
        Ok((Chain { root, ends_at }, left))
    }

    async fn decided_again(
        &self,
        caller: &ApiKeyContext,
        ring: &Ring,
        request: GrantRequest,
        chain: Chain,
    ) -> Result<crate::SignedToken, IssueError> {
        let grant = self.granted(caller, ring, request).await?;
        let asked_by = (caller.organization_slug(), caller.key());
        let claims = self.claims_of(ring, asked_by, grant, Descent::Renewal(chain));
        Ok(claims.await?.sign(&ring.active)?)
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
