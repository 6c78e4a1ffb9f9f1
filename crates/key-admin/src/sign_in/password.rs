use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use storage::{OrganizationId, PrincipalId, StorageError, Timestamp, Transaction};

use super::sessions::{OpenSessionError, Proof};
use super::store::Pending;
use super::throttle::Failure;
use super::{
    Browser, ChangePasswordError, NewConsoleSession, SignInError, SignInMethod, SignedIn, secret,
    store,
};
use crate::hashing::HashError;
use crate::random::NoRandomness;
use crate::users::store::Login;
use crate::users::{Email, NO_PASSWORD, User};
use crate::{Act, KeyAdmin, PrincipalState, UserError, principals, users};

/// How long a sign-in waits for its second factor, in seconds: 5 minutes.
pub const PENDING_SIGN_IN_SECONDS: i64 = 5 * 60;

/// A hash of the password's profile that no password has: what is checked where there is nothing to check, so that a
/// failure costs the same whatever its reason is.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
                            c2FsdCBvZiBub2JvZHkhIQ$\
                            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where a sign-in has got to.
#[derive(Debug)]
pub enum PasswordSignIn {
    /// It is done.
    Done(NewConsoleSession),
    /// It goes on with a code of the second factor.
    SecondFactor(PendingSignIn),
}

/// A sign-in that waits for its second factor.
#[derive(Debug)]
pub struct PendingSignIn {
    /// What the browser shows with the code: 256 random bits, in base62. Only its SHA-256 is kept. It opens nothing.
    pub secret: SecretString,
    /// Until when; see [`PENDING_SIGN_IN_SECONDS`].
    pub ends_at: Timestamp,
}

impl KeyAdmin {
    /// Signs somebody in by e-mail and password, or as far as the second factor.
    ///
    /// Only failures count against the limits. Whatever the reason of a failure is, it has cost one hash.
    pub async fn sign_in(
        &self,
        browser: &Browser,
        email: &str,
        password: SecretString,
    ) -> Result<PasswordSignIn, SignInError> {
        let email = Email::parse(email).ok();
        self.throttle.take_client(browser)?;
        if let Some(email) = &email {
            self.throttle.take_account(email)?;
        }
        let answer = self
            .sign_in_by_password(browser, email.as_ref(), password)
            .await;
        if !matches!(answer, Err(SignInError::Wrong)) {
            self.throttle.give_back_client(browser);
            if let Some(email) = &email {
                self.throttle.give_back_account(email);
            }
        }
        answer
    }

    async fn sign_in_by_password(
        &self,
        browser: &Browser,
        email: Option<&Email>,
        password: SecretString,
    ) -> Result<PasswordSignIn, SignInError> {
        let login = match email {
            Some(email) => {
                let mut read = self.database.read().await?;
                users::store::find_login(read.conn(), email).await?
            }
            None => None,
        };
        let right = self.is_password_of(login.as_ref(), password).await?;
        let Some(login) = login else {
            tracing::info!(client = %browser.address, "a sign-in names an unknown address");
            return Err(SignInError::Wrong);
        };
        if let Some(reason) = refusal(&login, right) {
            return Err(self.refuse_sign_in(browser, &login, reason));
        }
        let mut tx = self.database.write().await?;
        match locked(&mut tx, &login).await? {
            Some(user) => {
                let proof = Proof {
                    method: SignInMethod::Password,
                    provider: None,
                    code: None,
                };
                let user = (login.organization_id, user);
                Ok(self.go_on(tx, browser, user, (proof, true)).await?)
            }
            None => Err(self.refuse_sign_in(browser, &login, "changed_meanwhile")),
        }
    }

    /// Is it the password of this login? Costs one hash in any case. Nobody's password is right.
    async fn is_password_of(
        &self,
        login: Option<&Login>,
        password: SecretString,
    ) -> Result<bool, HashError> {
        let known = login
            .filter(|login| login.is_active())
            .map(|login| login.password_hash.as_str())
            .filter(|hash| *hash != NO_PASSWORD);
        let stored: Arc<str> = known.unwrap_or(NOBODYS_HASH).into();
        let matches = self.hasher.verify_password(password, stored).await?;
        Ok(matches && known.is_some())
    }

    fn refuse_sign_in(
        &self,
        browser: &Browser,
        login: &Login,
        reason: &'static str,
    ) -> SignInError {
        let failure = Failure {
            organization: login.organization_id,
            user: Some(login.user_id),
            reason,
            provider: None,
        };
        self.throttle.record(browser, failure);
        SignInError::Wrong
    }

    /// Ends the first step of a sign-in, of a user that is locked in `tx`: with a session, or with a wait for the second
    /// factor where one is asked for and there is one.
    pub(super) async fn go_on(
        &self,
        mut tx: Transaction,
        browser: &Browser,
        (organization, user): (OrganizationId, User),
        (proof, second_factor): (Proof<'_>, bool),
    ) -> Result<PasswordSignIn, OpenSessionError> {
        let factor = store::second_factors::find(tx.conn(), user.id).await?;
        let answer = if second_factor && factor.is_some_and(|it| it.confirmed_at.is_some()) {
            let pending = Pending {
                organization_id: organization,
                user_id: user.id,
                method: proof.method.as_str().to_owned(),
                provider: proof.provider.map(str::to_owned),
            };
            PasswordSignIn::SecondFactor(self.wait_for_code(&mut tx, &pending).await?)
        } else {
            let user = (organization, user);
            PasswordSignIn::Done(self.open_session(&mut tx, browser, user, proof).await?)
        };
        tx.commit().await?;
        Ok(answer)
    }

    async fn wait_for_code(
        &self,
        tx: &mut Transaction,
        pending: &Pending,
    ) -> Result<PendingSignIn, OpenSessionError> {
        let secret = secret::fresh()?;
        let ends_at = self.clock.now().plus_seconds(PENDING_SIGN_IN_SECONDS);
        let hash = secret::hash(&secret);
        store::insert_pending(tx.conn(), (&hash, ends_at), pending).await?;
        Ok(PendingSignIn { secret, ends_at })
    }

    /// Does the person have a password? Who was made by a provider has none until an administrator sets one.
    pub async fn has_password(&self, person: &SignedIn) -> Result<bool, StorageError> {
        let login = self.own_login(person.user().id).await?;
        Ok(login.is_some_and(|login| login.password_hash != NO_PASSWORD))
    }

    async fn own_login(&self, user: PrincipalId) -> Result<Option<Login>, StorageError> {
        let mut read = self.database.read().await?;
        users::store::login_of(read.conn(), user).await
    }

    /// Changes the person's password. All other sessions of the person end, and what waits for a second factor.
    pub async fn change_own_password(
        &self,
        act: &Act,
        person: &SignedIn,
        current: SecretString,
        new: SecretString,
    ) -> Result<(), ChangePasswordError> {
        let (organization, user) = (person.organization_id(), person.user());
        let login = self.own_login(user.id).await?;
        let login = login.ok_or(UserError::NotFound)?;
        if login.password_hash == NO_PASSWORD {
            return Err(ChangePasswordError::NoPassword);
        }
        self.throttle.take_account(&user.email)?;
        let checked = self.is_password_of(Some(&login), current).await;
        if !matches!(checked, Ok(false)) {
            self.throttle.give_back_account(&user.email);
        }
        if !checked? {
            return Err(ChangePasswordError::Wrong);
        }
        let new = self.hash_password(organization, &user.email, new).await?;

        let mut tx = self.database.write().await?;
        principals::lock(tx.conn(), organization, user.id).await?;
        let passwords = (login.password_hash.as_str(), &new);
        if !users::store::replace_password(tx.conn(), user.id, passwords).await? {
            return Err(ChangePasswordError::Wrong);
        }
        store::delete_pending_of(tx.conn(), user.id).await?;
        let present = Some(person.session());
        let ended = store::sessions::delete_of(tx.conn(), user.id, present).await?;
        let detail = json!({ "password": "changed", "ended_sessions": ended });
        let deed = users::deed("user.password.change", user.id, detail);
        self.commit_sign_in(tx, act, organization, deed).await?;
        Ok(())
    }
}

/// Why this login does not get in.
fn refusal(login: &Login, right: bool) -> Option<&'static str> {
    if !login.is_active() {
        Some("suspended")
    } else if login.password_hash == NO_PASSWORD {
        Some("no_password")
    } else if right {
        None
    } else {
        Some("wrong_password")
    }
}

/// The user, locked until the transaction ends, if it is active and its password is still the one that was checked.
async fn locked(tx: &mut Transaction, checked: &Login) -> Result<Option<User>, StorageError> {
    let (organization, id) = (checked.organization_id, checked.user_id);
    let Some(user) = locked_active(tx, organization, id).await? else {
        return Ok(None);
    };
    let login = users::store::login_of(tx.conn(), id).await?;
    let same = login.is_some_and(|login| login.password_hash == checked.password_hash);
    Ok(same.then_some(user))
}

/// The user, locked until the transaction ends, if it is active.
pub(super) async fn locked_active(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: PrincipalId,
) -> Result<Option<User>, StorageError> {
    if !principals::lock(tx.conn(), organization, id).await? {
        return Ok(None);
    }
    let user = users::store::find(tx.conn(), organization, id).await?;
    Ok(user.filter(|user| user.state == PrincipalState::Active))
}

impl From<OpenSessionError> for SignInError {
    fn from(error: OpenSessionError) -> Self {
        match error {
            OpenSessionError::NoRandomness(NoRandomness) => Self::NoRandomness(NoRandomness),
            OpenSessionError::Storage(error) => Self::Storage(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterSecret;
    use crate::hashing::{HashCost, Hasher, Pepper, has_other_cost};
    use crate::testing::MASTER;

    #[tokio::test]
    async fn nobodys_hash_costs_what_a_password_does_and_matches_nothing() {
        assert!(!has_other_cost(NOBODYS_HASH, HashCost::PASSWORD));
        assert!(has_other_cost(NOBODYS_HASH, HashCost::API_KEY));
        let hasher = Hasher::new(Pepper::derived(&MasterSecret::parse(MASTER).unwrap()));
        for password in ["", "salt of nobody!!", "seven quiet otters"] {
            let checked = hasher
                .verify_password(password.into(), NOBODYS_HASH.into())
                .await;
            assert!(!checked.unwrap(), "{password}");
        }
    }
}
