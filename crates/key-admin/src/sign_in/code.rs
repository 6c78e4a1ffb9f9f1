use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{PrincipalId, Timestamp, Transaction};

use super::password::locked_active;
use super::sessions::Proof;
use super::store::Pending;
use super::throttle::Failure;
use super::totp::{self, Code};
use super::{
    Browser, NewConsoleSession, SecondFactorError, SignInError, SignInMethod, secret, store,
};
use crate::{KeyAdmin, User};

/// Codes that one sign-in may try; after that it begins anew, with the password.
const MAX_TRIES: i32 = 5;

impl KeyAdmin {
    /// Ends a sign-in that waits for its second factor, by a code of the app or by a recovery code. Either works once.
    pub async fn sign_in_with_code(
        &self,
        browser: &Browser,
        pending: &SecretString,
        code: &SecretString,
    ) -> Result<NewConsoleSession, SignInError> {
        self.throttle.take_client(browser)?;
        let answer = self.try_code(browser, &secret::hash(pending), code).await;
        if !matches!(answer, Err(SignInError::Wrong)) {
            self.throttle.give_back_client(browser);
        }
        answer
    }

    async fn try_code(
        &self,
        browser: &Browser,
        secret_hash: &[u8],
        code: &SecretString,
    ) -> Result<NewConsoleSession, SignInError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        // The user comes first in the order of locks, and only this row tells who it is.
        let pending = store::find_pending(tx.conn(), secret_hash, now).await?;
        let pending = pending.ok_or(SignInError::Wrong)?;
        let (organization, id) = (pending.organization_id, pending.user_id);
        let Some(user) = locked_active(&mut tx, organization, id).await? else {
            return Err(self.refuse_code(browser, &pending, "suspended"));
        };
        if !store::count_try(tx.conn(), secret_hash, MAX_TRIES, now).await? {
            return Err(self.refuse_code(browser, &pending, "too_many_codes"));
        }
        let used = match self.use_code(&mut tx, &user, code).await {
            Ok(used) => used,
            Err(SecondFactorError::WrongCode | SecondFactorError::Off) => {
                // The try counts.
                tx.commit().await?;
                return Err(self.refuse_code(browser, &pending, "wrong_code"));
            }
            Err(error) => return Err(of_code(error)),
        };
        if !store::delete_pending(tx.conn(), secret_hash).await? {
            return Err(self.refuse_code(browser, &pending, "finished_already"));
        }
        let proof = Proof {
            method: SignInMethod::decode(&pending.method)?.and_code(),
            provider: pending.provider.as_deref(),
            code: Some(used),
        };
        let user = (organization, user);
        let session = self.open_session(&mut tx, browser, user, proof).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Uses a code of a user that is locked in `tx`. Answers what the audit trail says about it.
    pub(super) async fn use_code(
        &self,
        tx: &mut Transaction,
        user: &User,
        code: &SecretString,
    ) -> Result<Value, SecondFactorError> {
        let factor = store::second_factors::find(tx.conn(), user.id).await?;
        let factor = factor.filter(|factor| factor.confirmed_at.is_some());
        let factor = factor.ok_or(SecondFactorError::Off)?;
        match Code::parse(code).ok_or(SecondFactorError::WrongCode)? {
            Code::Totp(code) => {
                self.use_totp(tx, user.id, (&factor.sealed_secret, &code))
                    .await?;
                Ok(json!({ "kind": "totp" }))
            }
            Code::Recovery(code) => {
                let hash = self.recovery_hash(user.id, &code);
                let now: Timestamp = self.clock.now();
                let used = store::second_factors::use_recovery_code(tx.conn(), user.id, &hash, now);
                if !used.await? {
                    return Err(SecondFactorError::WrongCode);
                }
                let left = store::second_factors::recovery_codes_left(tx.conn(), user.id).await?;
                Ok(json!({ "kind": "recovery_code", "recovery_codes_left": left }))
            }
        }
    }

    /// Uses the code of a step up, within the limit of wrong codes.
    pub(super) async fn use_totp(
        &self,
        tx: &mut Transaction,
        user: PrincipalId,
        (sealed_secret, code): (&[u8], &SecretString),
    ) -> Result<(), SecondFactorError> {
        self.throttle.take_code(user)?;
        let secret = self.sealer.open(&totp::identity(user), sealed_secret)?;
        let step = totp::step_of(&secret, code, self.clock.now())?;
        let step = step.ok_or(SecondFactorError::WrongCode)?;
        if !store::second_factors::use_step(tx.conn(), user, step).await? {
            return Err(SecondFactorError::WrongCode);
        }
        self.throttle.give_back_code(user);
        Ok(())
    }

    fn refuse_code(
        &self,
        browser: &Browser,
        pending: &Pending,
        reason: &'static str,
    ) -> SignInError {
        let failure = Failure {
            organization: pending.organization_id,
            user: Some(pending.user_id),
            reason,
            provider: pending.provider.clone(),
        };
        self.throttle.record(browser, failure);
        SignInError::Wrong
    }
}

/// What a code can fail with, in the words of signing in.
fn of_code(error: SecondFactorError) -> SignInError {
    match error {
        SecondFactorError::Limited(limited) => SignInError::Limited(limited),
        SecondFactorError::Sealed(error) => SignInError::Sealed(error),
        SecondFactorError::NoRandomness(error) => SignInError::NoRandomness(error),
        SecondFactorError::Storage(error) => SignInError::Storage(error),
        SecondFactorError::WrongCode
        | SecondFactorError::AlreadyOn
        | SecondFactorError::Off
        | SecondFactorError::User(_)
        | SecondFactorError::Seal(_) => SignInError::Wrong,
    }
}
