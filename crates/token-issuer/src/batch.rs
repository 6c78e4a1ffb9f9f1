//! Many session tokens in one request.

use key_admin::FurtherUseError;
use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, Permitted};

use crate::issuance::{IssueError, IssuedToken, Origin};
use crate::services::Services;

/// The most requests of one batch.
pub const MAX_BATCH: usize = 100;

/// Why a batch is refused as a whole. Nothing of it was issued.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// It has no request, or too many.
    #[error("a batch has 1 to {MAX_BATCH} requests")]
    Size,
    /// The API key may not be used so often.
    #[error(transparent)]
    Uses(#[from] FurtherUseError),
    /// The tokens that were granted could not be recorded, or nothing could be decided.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Services {
    /// Issues many tokens, each decided by itself; see [`TokenIssuer::issue_batch`](crate::TokenIssuer::issue_batch). A
    /// batch counts as many uses of its key as it has requests, whatever becomes of them.
    pub async fn issue_session_tokens(
        &self,
        caller: &Permitted<IssueSessionToken>,
        requests: Vec<GrantRequest>,
        origin: &Origin,
    ) -> Result<Vec<Result<IssuedToken, IssueError>>, BatchError> {
        if !(1..=MAX_BATCH).contains(&requests.len()) {
            return Err(BatchError::Size);
        }
        let further = u32::try_from(requests.len() - 1).unwrap_or(u32::MAX);
        self.keys
            .count_further_uses(caller, further, (origin.client, &origin.request_id))
            .await?;
        Ok(self.issuer.issue_batch(caller, requests, origin).await?)
    }
}
