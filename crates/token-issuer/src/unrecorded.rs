//! Signing alone, for whoever measures it.

use key_admin::ApiKeyContext;

use crate::claims::{Claims, SignedToken};
use crate::issuance::{IssueError, TokenIssuer};

impl TokenIssuer {
    /// Signs and records nothing. The token stays in a value that only a committed session row opens, so it is of no use
    /// but to be measured.
    pub async fn sign_unrecorded(
        &self,
        caller: &ApiKeyContext,
        claims: Claims,
    ) -> Result<SignedToken, IssueError> {
        let issuer = self.issuer_of(caller.organization_slug()).await?;
        let ring = issuer.value.ring_of(claims.audience_id());
        Ok(claims.sign(ring.ok_or(IssueError::NoAudience)?)?)
    }
}
