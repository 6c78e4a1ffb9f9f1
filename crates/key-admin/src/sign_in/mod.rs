//! People in the console: how they prove who they are, and for how long that holds.
//!
//! | file | what it gives |
//! |---|---|
//! | `password` | [`KeyAdmin::sign_in`](crate::KeyAdmin::sign_in); a person's own password |
//! | `code` | the second step: a code of the second factor, or a recovery code |
//! | `second_factor`, `totp` | setting the second factor up and removing it; RFC 6238 and recovery codes |
//! | `provider`, `rules`, `attempt` | single sign-on: who is let in, created and given which role; round trips on their way |
//! | `sessions` | [`SignedIn`] from what a browser holds; listing and ending sessions |
//! | `throttle` | how often one may be wrong, and which failures the audit trail keeps |
//! | `secret` | what browsers hold: 256 random bits, stored as SHA-256 only |
//!
//! Whoever is refused learns nothing about why: an unknown address, a wrong password, a suspended user and a user
//! without a password all cost one hash of the password's profile and get one answer. The reason is in the audit trail.
//!
//! Every transaction here locks the user's principal first, like all changes of a user: a user that is being suspended
//! or removed gets no new session. No cache depends on what is written here, so no change is announced to other nodes;
//! each request reads its session from the database.

mod attempt;
mod browser;
mod code;
mod error;
mod password;
mod provider;
mod rules;
mod second_factor;
mod secret;
mod sessions;
mod settings;
mod signed_in;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
mod totp;

use storage::{PrincipalId, StorageError, Transaction};

pub use attempt::{PROVIDER_ATTEMPT_SECONDS, ProviderAttempt};
pub use browser::Browser;
pub use error::{
    ChangePasswordError, EndSessionError, ProviderSignInError, SecondFactorError, SignInError,
};
pub use password::{PENDING_SIGN_IN_SECONDS, PasswordSignIn, PendingSignIn};
pub use rules::{ProvenIdentity, ProviderRules};
pub use second_factor::{SecondFactor, SecondFactorSetup};
pub use sessions::{ConsoleSession, NewConsoleSession, SignInMethod};
pub use settings::SignInSettings;
pub use signed_in::SignedIn;
pub use store::second_factors::{replace_sealed, sealed};
pub(crate) use throttle::Throttle;

use crate::KeyAdmin;

/// Ends all sessions of a user, and the sign-ins that wait for a second factor.
pub(crate) async fn end_all(tx: &mut Transaction, user: PrincipalId) -> Result<u64, StorageError> {
    store::delete_pending_of(tx.conn(), user).await?;
    store::sessions::delete_of(tx.conn(), user, None).await
}

/// Removes everything about a user that is about to be removed.
pub(crate) async fn forget_user(
    tx: &mut Transaction,
    user: PrincipalId,
) -> Result<(), StorageError> {
    end_all(tx, user).await?;
    store::second_factors::delete(tx, user).await?;
    store::identities::delete_of(tx.conn(), user).await
}

/// A second factor that is not confirmed within this time is forgotten: 1 day.
const UNCONFIRMED_SECONDS: i64 = 24 * 60 * 60;

impl KeyAdmin {
    /// Removes what has ended: sessions, sign-ins that nobody finished, second factors that nobody confirmed. Answers
    /// how many rows that were. What has ended counts for nothing before that, too.
    pub async fn forget_sign_ins(&self) -> Result<u64, StorageError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        let ended = self.live_since(now);
        let gone = store::sessions::forget(tx.conn(), &ended).await?
            + store::forget_pending(tx.conn(), now).await?
            + store::forget_attempts(tx.conn(), now).await?
            + store::second_factors::forget_unconfirmed(
                tx.conn(),
                now.plus_seconds(-UNCONFIRMED_SECONDS),
            )
            .await?;
        tx.commit().await?;
        Ok(gone)
    }
}
