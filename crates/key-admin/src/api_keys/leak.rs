use std::net::IpAddr;

use super::{ApiKey, IssuedTokens, KeyRevocation, PresentedKey};
use crate::audit::{Act, Actor};
use crate::{Asker, AuthenticateError, ChangeKeyError, KeyAdmin};

/// Why a reported key was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum ReportLeakError {
    /// The key was not proven; see [`AuthenticateError`].
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The key could not be changed.
    #[error(transparent)]
    Change(#[from] ChangeKeyError),
}

impl KeyAdmin {
    /// Takes back a key that somebody found and hands in whole: whoever has it could use it, so the proof is enough.
    /// Also a disabled or expired key, and one of which only the previous secret leaked, is taken back.
    pub async fn report_leak(
        &self,
        presented: &PresentedKey,
        client: IpAddr,
        request_id: Option<String>,
    ) -> Result<ApiKey, ReportLeakError> {
        let (organization, id) = self.authenticator.identify(presented, client).await?;
        let act = Act {
            actor: Actor::Finder,
            client: Some(client),
            request_id,
        };
        let revocation = KeyRevocation {
            reason: Some("reported as leaked"),
            issued: IssuedTokens::Void,
        };
        Ok(self
            .revoke_key(&act, Asker::Machine, organization, id, revocation)
            .await?)
    }
}
