//! Session tokens for a backend that asks as Toucan AI's endpoint is asked: `docs/toucan.md`.

use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, Permitted, ReasonCode};
use serde_json::{Map, Value};

use crate::audiences::DEFAULT_AUDIENCE;
use crate::issuance::{IssueError, IssuedToken, Origin, TokenIssuer};
use crate::refusals;

/// The audience of these tokens, where the organization has it; the default one otherwise.
pub const EMBED_AUDIENCE: &str = "toucan";
/// How long these tokens live where every limit allows it, in seconds.
pub const EMBED_TTL_SECONDS: i64 = 3600;

/// Whom the token shall speak for.
#[derive(Debug)]
pub struct EmbedRequest {
    /// The user, as the backend calls it.
    pub subject: String,
    /// The user's one role.
    pub role: String,
    /// The row-level-security attributes.
    pub attributes: Map<String, Value>,
    /// The wanted scope; `None` for all that the role allows.
    pub scope: Option<Vec<String>>,
}

impl TokenIssuer {
    /// Issues a token that lives an hour, or as long as the limits allow.
    pub async fn issue_embed_token(
        &self,
        caller: &Permitted<IssueSessionToken>,
        request: EmbedRequest,
        origin: &Origin,
    ) -> Result<IssuedToken, IssueError> {
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let audience = match issuer.value.ring(EMBED_AUDIENCE) {
            Some(_) => EMBED_AUDIENCE,
            None => DEFAULT_AUDIENCE,
        };
        let scope = request.scope.as_deref();
        let request = |ttl_seconds| GrantRequest {
            subject: request.subject.clone(),
            roles: vec![request.role.clone()],
            attributes: request.attributes.clone(),
            audience: audience.to_owned(),
            ttl_seconds,
            resources: Vec::new(),
        };
        let hour = request(Some(EMBED_TTL_SECONDS));
        let mut signed = self.signed(caller, &issuer.value, hour, scope).await;
        if is_too_long(&signed) {
            let usual = request(None);
            signed = self.signed(caller, &issuer.value, usual, scope).await;
        }
        if let Err(error) = &signed {
            refusals::record(&self.refusals, caller, origin, error).await;
        }
        let token = signed?;
        let recorded = self.recorder.record(&token, origin).await?;
        Ok(IssuedToken::new(token, recorded))
    }
}

/// The hour was not asked for by the client: it does not count against its request.
fn is_too_long<T>(signed: &Result<T, IssueError>) -> bool {
    let Err(IssueError::Refused(denial)) = signed else {
        return false;
    };
    let mut reasons = denial.reasons().iter();
    reasons.any(|reason| reason.code == ReasonCode::TtlOutOfRange)
}
