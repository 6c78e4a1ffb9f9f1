//! The playground: a person in the console lets one of the organization's API keys issue a token.
//!
//! It is a token like any other, with its session, under the key's limits, counted as the key's. Who could give the key a
//! new secret could use it anyway; nobody else issues with it here.

use key_admin::audit::{self, Act, Actor, Deed};
use key_admin::{ApiKeyId, AuthenticateError, ChangeKeyError};
use policy::operations::markers::IssueSessionToken;
use policy::{NotPermitted, PermittedPerson};
use serde_json::json;
use storage::StorageError;

use crate::issuance::{IssueError, IssueRequest, IssuedToken};
use crate::services::Services;

/// Why a person got no token.
#[derive(Debug, thiserror::Error)]
pub enum PlaygroundError {
    /// The person may not use the key: the organization has none such, or the person could not give it a new secret.
    #[error(transparent)]
    Key(#[from] ChangeKeyError),
    /// The key does not work now.
    #[error(transparent)]
    KeyState(#[from] AuthenticateError),
    /// The key may not issue.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The token itself.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The audit event could not be written; the token is not handed out.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Services {
    /// Issues one token with a key that nobody presents, because a person asks who may use it.
    pub async fn issue_for_person(
        &self,
        person: &PermittedPerson<IssueSessionToken>,
        key: ApiKeyId,
        request: IssueRequest,
    ) -> Result<IssuedToken, PlaygroundError> {
        self.keys.may_use_key(person, key).await?;
        let caller = self.keys.resume(key).await?;
        if caller.organization() != person.organization_id() {
            return Err(ChangeKeyError::NotFound.into());
        }
        let caller = self.authorizer.permit(caller)?;
        let act = Act {
            actor: Actor::User(person.user().id),
            client: Some(request.origin.client),
            request_id: Some(request.origin.request_id.clone()),
        };
        let issued = self.issuer.issue(&caller, request).await?;
        self.record_issuance(&act, &issued).await?;
        Ok(issued)
    }

    /// The session's row tells what was issued; this tells that a person did it.
    async fn record_issuance(&self, act: &Act, issued: &IssuedToken) -> Result<(), StorageError> {
        let claims = issued.claims();
        let deed = Deed {
            action: "session_token.issue",
            target_kind: "session",
            target_id: claims.session_id().to_string(),
            detail: json!({
                "api_key_id": claims.api_key(),
                "subject": claims.subject(),
                "audience": claims.audience_name(),
            }),
        };
        let mut tx = self.database.write().await?;
        audit::record(&mut tx, &*self.clock, claims.organization(), act, deed).await?;
        tx.commit().await
    }
}
