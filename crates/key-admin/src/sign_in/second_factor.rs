use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp, Transaction};

use super::totp::{self, Code, RECOVERY_CODES};
use super::{SecondFactorError, SignedIn, end_all, store};
use crate::users::Reach;
use crate::{Act, KeyAdmin, User, UserError, UserRole, principals, users};

/// A second factor that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Since when.
    pub confirmed_at: Timestamp,
    /// Recovery codes that have not been used.
    pub recovery_codes_left: u32,
}

/// What an authenticator app needs to know. Shown once.
#[derive(Debug)]
pub struct SecondFactorSetup {
    /// The secret, to be typed.
    pub secret_base32: SecretString,
    /// The same as an `otpauth:` URI, to be shown as a picture.
    pub uri: SecretString,
}

impl KeyAdmin {
    /// The person's second factor, if one is in force.
    pub async fn second_factor(
        &self,
        person: &SignedIn,
    ) -> Result<Option<SecondFactor>, StorageError> {
        let user = person.user().id;
        let mut read = self.database.read().await?;
        let stored = store::second_factors::find(read.conn(), user).await?;
        let Some(confirmed_at) = stored.and_then(|stored| stored.confirmed_at) else {
            return Ok(None);
        };
        let left = store::second_factors::recovery_codes_left(read.conn(), user).await?;
        Ok(Some(SecondFactor {
            confirmed_at,
            recovery_codes_left: left,
        }))
    }

    /// Begins to set a second factor up, in the place of any that was begun and never confirmed. It is in force once
    /// [`Self::confirm_second_factor`] has seen a code of it.
    pub async fn begin_second_factor(
        &self,
        person: &SignedIn,
    ) -> Result<SecondFactorSetup, SecondFactorError> {
        let user = person.user();
        let secret = totp::fresh_secret()?;
        let sealed = self.sealer.seal(&totp::identity(user.id), &secret)?;
        let (secret_base32, uri) = totp::shown(&secret, &user.email)?;
        let mut tx = self.database.write().await?;
        locked(&mut tx, person).await?;
        let now = self.clock.now();
        if !store::second_factors::begin(tx.conn(), person, &sealed, now).await? {
            return Err(SecondFactorError::AlreadyOn);
        }
        tx.commit().await?;
        Ok(SecondFactorSetup { secret_base32, uri })
    }

    /// Puts the second factor in force that was begun, by a code of it. The answer holds the recovery codes, which
    /// nothing shows again.
    pub async fn confirm_second_factor(
        &self,
        act: &Act,
        person: &SignedIn,
        code: &SecretString,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        let mut tx = self.database.write().await?;
        let user = locked(&mut tx, person).await?;
        let stored = store::second_factors::find(tx.conn(), user.id).await?;
        let stored = stored.ok_or(SecondFactorError::Off)?;
        if stored.confirmed_at.is_some() {
            return Err(SecondFactorError::AlreadyOn);
        }
        let Some(Code::Totp(code)) = Code::parse(code) else {
            return Err(SecondFactorError::WrongCode);
        };
        self.use_totp(&mut tx, user.id, (&stored.sealed_secret, &code))
            .await?;
        let now = self.clock.now();
        if !store::second_factors::confirm(tx.conn(), user.id, now).await? {
            return Err(SecondFactorError::AlreadyOn);
        }
        let codes = self.make_recovery_codes(&mut tx, person).await?;
        let detail = json!({ "recovery_codes": codes.len() });
        let deed = users::deed("user.second_factor.enable", user.id, detail);
        self.commit_sign_in(tx, act, person.organization_id(), deed)
            .await?;
        Ok(codes)
    }

    /// Makes new recovery codes, by a code of the app or one of the old ones. All old ones are void.
    pub async fn renew_recovery_codes(
        &self,
        act: &Act,
        person: &SignedIn,
        code: &SecretString,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        let (mut tx, user, used) = self.proven_by_code(person, code).await?;
        let codes = self.make_recovery_codes(&mut tx, person).await?;
        let detail = json!({ "code": used, "recovery_codes": codes.len() });
        let deed = users::deed("user.second_factor.renew_recovery_codes", user.id, detail);
        self.commit_sign_in(tx, act, person.organization_id(), deed)
            .await?;
        Ok(codes)
    }

    /// Removes the person's second factor, by a code of the app or a recovery code.
    pub async fn remove_second_factor(
        &self,
        act: &Act,
        person: &SignedIn,
        code: &SecretString,
    ) -> Result<(), SecondFactorError> {
        let (mut tx, user, used) = self.proven_by_code(person, code).await?;
        store::second_factors::delete(&mut tx, user.id).await?;
        let detail = json!({ "code": used });
        let deed = users::deed("user.second_factor.disable", user.id, detail);
        self.commit_sign_in(tx, act, person.organization_id(), deed)
            .await?;
        Ok(())
    }

    /// Removes the second factor of somebody who has lost it, and ends that user's sessions: who has the phone may have
    /// one. `by` is the actor's own role, as in [`Self::update_user`].
    pub async fn remove_second_factor_of(
        &self,
        act: &Act,
        by: Option<UserRole>,
        organization: OrganizationId,
        user: PrincipalId,
    ) -> Result<(), SecondFactorError> {
        let mut tx = self.database.write().await?;
        let found = locked_user(&mut tx, organization, user).await?;
        Reach::of(act, by).check(found.role)?;
        if !store::second_factors::delete(&mut tx, user).await? {
            return Err(SecondFactorError::Off);
        }
        let ended = end_all(&mut tx, user).await?;
        let detail = json!({ "ended_sessions": ended });
        let deed = users::deed("user.second_factor.remove", user, detail);
        self.commit_sign_in(tx, act, organization, deed).await?;
        Ok(())
    }

    /// A transaction in which the person is locked and has used a code.
    async fn proven_by_code(
        &self,
        person: &SignedIn,
        code: &SecretString,
    ) -> Result<(Transaction, User, Value), SecondFactorError> {
        let mut tx = self.database.write().await?;
        let user = locked(&mut tx, person).await?;
        let used = self.use_code(&mut tx, &user, code).await?;
        Ok((tx, user, used))
    }

    async fn make_recovery_codes(
        &self,
        tx: &mut Transaction,
        person: &SignedIn,
    ) -> Result<Vec<SecretString>, SecondFactorError> {
        let user = person.user().id;
        store::second_factors::delete_recovery_codes(tx.conn(), user).await?;
        let mut codes = Vec::with_capacity(RECOVERY_CODES);
        while codes.len() < RECOVERY_CODES {
            let code = totp::fresh_recovery_code()?;
            if let Some(Code::Recovery(plain)) = Code::parse(&code) {
                let hash = self.recovery_hash(user, &plain);
                store::second_factors::insert_recovery_code(tx.conn(), person, &hash).await?;
                codes.push(code);
            }
        }
        Ok(codes)
    }

    /// What is stored of a recovery code. It is keyed, for 60 bits alone are not out of reach.
    pub(super) fn recovery_hash(&self, user: PrincipalId, code: &SecretString) -> Vec<u8> {
        let user = user.as_uuid();
        let parts = [user.as_bytes().as_slice(), code.expose_secret().as_bytes()];
        self.hasher.keyed_digest("jeton/recovery_codes/v1", &parts)
    }
}

async fn locked(tx: &mut Transaction, person: &SignedIn) -> Result<User, SecondFactorError> {
    Ok(locked_user(tx, person.organization_id(), person.user().id).await?)
}

async fn locked_user(
    tx: &mut Transaction,
    organization: OrganizationId,
    user: PrincipalId,
) -> Result<User, UserError> {
    if !principals::lock(tx.conn(), organization, user).await? {
        return Err(UserError::NotFound);
    }
    let found = users::store::find(tx.conn(), organization, user).await?;
    found.ok_or(UserError::NotFound)
}
