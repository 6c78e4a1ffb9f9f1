//! What tokens of an audience would say after a change that nobody has made yet: the claims of a sample. Nothing is signed,
//! recorded or written down.

use key_admin::{ApiKeyId, KeyCeiling};
use policy::operations::markers::UpdateAudience;
use policy::{Decision, Denial, GrantRequest, PermittedAsker, PolicyError};
use serde_json::{Map, Value};
use storage::AudienceId;

use crate::audiences::{AudienceError, AudiencePatch, changed};
use crate::claims::{Client, MAX_TOKEN_BYTES};
use crate::explain::ExplainedReason;
use crate::issuance::{IssueError, TokenIssuer};

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The organization has no such audience, or the change would make it wrong.
    #[error(transparent)]
    Audience(#[from] AudienceError),
    /// The policy could not be read or compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The organization's audiences could not be read, or the claims not written.
    #[error(transparent)]
    Issuer(#[from] IssueError),
    /// The claims could not be written down.
    #[error("the claims could not be written down")]
    Json(#[from] serde_json::Error),
}

/// What became of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A token would say this.
    Claims(SampleClaims),
    /// There would be no token, for all these reasons.
    Refused(Vec<ExplainedReason>),
}

/// The payload of a token that is not made.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleClaims {
    /// The claims.
    pub claims: Map<String, Value>,
    /// The length of the payload as JSON, in bytes.
    pub bytes: usize,
    /// The length of the token, in bytes. It may be more than is allowed.
    pub token_bytes: usize,
    /// The length that the audience would allow, in bytes.
    pub max_token_bytes: usize,
}

impl TokenIssuer {
    /// The claims that a key without limits would get for this request, if the audience were changed like that. What the
    /// request says of its audience does not count.
    pub async fn sample(
        &self,
        caller: impl Into<PermittedAsker<'_, UpdateAudience>>,
        audience: AudienceId,
        change: AudiencePatch,
        mut request: GrantRequest,
    ) -> Result<Sample, SampleError> {
        let caller = caller.into();
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let ring = issuer.value.ring_of(audience);
        let ring = ring.ok_or(AudienceError::NotFound)?;
        let draft = changed(&ring.audience, change)?;
        let allowed = draft.settings.max_token_bytes;
        let mut draft = ring.changed_to(draft).map_err(|faults| {
            AudienceError::Invalid(faults.into_iter().map(Into::into).collect())
        })?;
        // Also what would be too long can be looked at.
        draft.audience.settings.max_token_bytes = u32::MAX;
        request.audience = draft.audience.name.to_string();
        let organization = caller.organization_id();
        let ceiling = KeyCeiling::default();
        let limits = Some(&draft.audience.limits);
        let explained = self.policy.explain(organization, &ceiling, limits, request);
        let grant = match explained.await?.1.map(|it| it.decision) {
            Ok(Decision::Granted(grant)) => grant,
            Ok(Decision::Refused(denial)) | Err(denial) => return Ok(Sample::refused(&denial)),
        };
        let client = Client {
            key: ApiKeyId::NO_KEY,
            organization,
            slug: caller.organization_slug(),
        };
        let made = match self.claims(&draft, client, grant).await {
            Ok(made) => made,
            Err(IssueError::Claims(error)) => match error.refusal() {
                Some((code, detail)) => return Ok(Sample::Refused(vec![no_token(code, detail)])),
                None => return Err(IssueError::Claims(error).into()),
            },
            Err(error) => return Err(error.into()),
        };
        Ok(Sample::Claims(SampleClaims {
            claims: made.payload()?,
            bytes: made.payload_bytes(),
            token_bytes: made.token_bytes(),
            max_token_bytes: usize::try_from(allowed).unwrap_or(MAX_TOKEN_BYTES),
        }))
    }
}

impl Sample {
    fn refused(denial: &Denial) -> Self {
        let reasons = denial.reasons().iter().map(|reason| ExplainedReason {
            code: reason.code.as_str(),
            pointer: reason.pointer.clone(),
            detail: reason.detail.clone(),
        });
        Self::Refused(reasons.collect())
    }
}

fn no_token(code: &'static str, detail: String) -> ExplainedReason {
    ExplainedReason {
        code,
        pointer: String::new(),
        detail,
    }
}
