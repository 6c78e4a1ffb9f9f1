use serde_json::json;
use storage::{OrganizationId, PrincipalId, StorageError, Transaction, record_change};

use super::password::locked_active;
use super::sessions::{OpenSessionError, Proof};
use super::store::identities;
use super::throttle::Failure;
use super::{
    Browser, PasswordSignIn, ProvenIdentity, ProviderRules, ProviderSignInError, SignInMethod,
};
use crate::audit::{self, Actor};
use crate::principals::checked_name;
use crate::users::{Email, HashedPassword, User, is_active_owner, shown};
use crate::{KeyAdmin, Organization, PrincipalState, UserError, UserRole, organizations, users};

/// Why an identity is not let in, or what failed.
enum NotIn {
    /// For the audit trail only: whom it is about, if that is known, and why.
    Refused(Option<PrincipalId>, &'static str),
    /// Another sign-in of the same person was faster: what it has made is there now.
    Overtaken,
    /// The database failed.
    Storage(StorageError),
    /// No session could be made.
    Session(OpenSessionError),
}

impl From<StorageError> for NotIn {
    fn from(error: StorageError) -> Self {
        if error.is_unique_violation() {
            Self::Overtaken
        } else {
            Self::Storage(error)
        }
    }
}

/// One sign-in through a provider.
#[derive(Clone, Copy)]
struct Request<'a> {
    browser: &'a Browser,
    rules: &'a ProviderRules,
    identity: &'a ProvenIdentity,
    organization: OrganizationId,
}

impl KeyAdmin {
    /// Signs in whom a provider has proven. An identity that is known is its user; one that is not becomes that of the
    /// user of the same organization with the same address, or of a new user, as far as the rules allow it, and by a
    /// verified address only.
    ///
    /// All refusals are one answer; the audit trail has the reason. Jeton's own second factor is asked for only where
    /// the rules say so.
    pub async fn sign_in_through_provider(
        &self,
        browser: &Browser,
        rules: &ProviderRules,
        identity: ProvenIdentity,
    ) -> Result<PasswordSignIn, ProviderSignInError> {
        self.throttle.take_client(browser)?;
        let answer = self.let_in(browser, rules, &identity).await;
        if !matches!(answer, Err(ProviderSignInError::Refused)) {
            self.throttle.give_back_client(browser);
        }
        answer
    }

    async fn let_in(
        &self,
        browser: &Browser,
        rules: &ProviderRules,
        identity: &ProvenIdentity,
    ) -> Result<PasswordSignIn, ProviderSignInError> {
        let organization = self.organization_of(rules).await?;
        let request = Request {
            browser,
            rules,
            identity,
            organization: organization.id,
        };
        let mut answer = self.try_to_let_in(request).await;
        if matches!(answer, Err(NotIn::Overtaken)) {
            answer = self.try_to_let_in(request).await;
        }
        let (user, reason) = match answer {
            Ok(answer) => return Ok(answer),
            Err(NotIn::Storage(error)) => return Err(error.into()),
            Err(NotIn::Session(error)) => return Err(error.into()),
            Err(NotIn::Overtaken) => (None, "address_taken"),
            Err(NotIn::Refused(user, reason)) => (user, reason),
        };
        let failure = Failure {
            organization: organization.id,
            user,
            reason,
            provider: Some(rules.name.clone()),
        };
        self.throttle.record(browser, failure);
        Err(ProviderSignInError::Refused)
    }

    async fn organization_of(
        &self,
        rules: &ProviderRules,
    ) -> Result<Organization, ProviderSignInError> {
        let mut read = self.database.read().await?;
        let found = organizations::store::find_by_slug(read.conn(), &rules.organization).await?;
        found.ok_or_else(|| {
            let (provider, organization) = (&rules.name, &rules.organization);
            tracing::error!(%provider, %organization, "a provider's organization does not exist");
            ProviderSignInError::Refused
        })
    }

    async fn try_to_let_in(&self, request: Request<'_>) -> Result<PasswordSignIn, NotIn> {
        let mut tx = self.database.write().await?;
        let user = self.user_of(&mut tx, request).await?;
        let user = self.with_mapped_role(&mut tx, request, user).await?;
        let proof = Proof {
            method: SignInMethod::Provider,
            provider: Some(&request.rules.name),
            code: None,
        };
        let second_factor = request.rules.second_factor;
        let user = (request.organization, user);
        let answer = self.go_on(tx, request.browser, user, (proof, second_factor));
        let answer = answer.await.map_err(NotIn::Session)?;
        self.feed.catch_up().await;
        Ok(answer)
    }

    /// Whose identity it is, locked: known, linked now, or made now.
    async fn user_of(&self, tx: &mut Transaction, request: Request<'_>) -> Result<User, NotIn> {
        let identity = request.identity;
        let known = identities::find(tx.conn(), identity).await?;
        if let Some((organization, user)) = known {
            if organization != request.organization {
                return Err(NotIn::Refused(None, "other_organization"));
            }
            let found = self.active(tx, request, user).await?;
            if !request.rules.admit(identity) {
                return Err(NotIn::Refused(Some(user), "not_allowed"));
            }
            return Ok(found);
        }
        let email = identity.verified_email();
        let email = email.ok_or(NotIn::Refused(None, "email_not_verified"))?;
        if !request.rules.admit(identity) {
            return Err(NotIn::Refused(None, "not_allowed"));
        }
        let user = match users::store::find_login(tx.conn(), &email).await? {
            Some(login) if login.organization_id != request.organization => {
                return Err(NotIn::Refused(None, "other_organization"));
            }
            Some(login) => self.active(tx, request, login.user_id).await?,
            None if request.rules.create_users => self.make_user(tx, request, &email).await?,
            None => return Err(NotIn::Refused(None, "no_such_user")),
        };
        self.link(tx, request, &user).await?;
        Ok(user)
    }

    async fn active(
        &self,
        tx: &mut Transaction,
        request: Request<'_>,
        user: PrincipalId,
    ) -> Result<User, NotIn> {
        let found = locked_active(tx, request.organization, user).await?;
        found.ok_or(NotIn::Refused(Some(user), "suspended"))
    }

    async fn make_user(
        &self,
        tx: &mut Transaction,
        request: Request<'_>,
        email: &Email,
    ) -> Result<User, NotIn> {
        let identity = request.identity;
        let name = identity.name.as_deref().and_then(checked_name);
        let user = User {
            id: PrincipalId::new(&*self.clock),
            email: email.clone(),
            name: name.unwrap_or_else(|| email.as_str().to_owned()),
            role: request.rules.first_role(identity),
            state: PrincipalState::Active,
            created_at: self.clock.now(),
        };
        let made = users::insert(tx, request.organization, &user, &HashedPassword::none()).await;
        made.map_err(|error| match error {
            UserError::Storage(error) => error.into(),
            // Somebody has taken the address since it was looked up.
            _ => NotIn::Overtaken,
        })?;
        let mut deed = users::creation(&user);
        deed.detail["provider"] = request.rules.name.as_str().into();
        let act = request.browser.act_of(user.id);
        audit::record(tx, &*self.clock, request.organization, &act, deed).await?;
        Ok(user)
    }

    /// Makes the identity the user's. A second identity of the same issuer is somebody else who got the address.
    async fn link(
        &self,
        tx: &mut Transaction,
        request: Request<'_>,
        user: &User,
    ) -> Result<(), NotIn> {
        let identity = request.identity;
        if identities::has_other(tx.conn(), user.id, identity).await? {
            return Err(NotIn::Refused(Some(user.id), "other_identity"));
        }
        let owner = (request.organization, user.id);
        identities::insert(tx.conn(), identity, owner, self.clock.now()).await?;
        let detail = json!({
            "provider": request.rules.name,
            "issuer": identity.issuer,
            "subject": identity.subject,
        });
        let deed = users::deed("user.identity.link", user.id, detail);
        let act = request.browser.act_of(user.id);
        audit::record(tx, &*self.clock, request.organization, &act, deed).await?;
        Ok(())
    }

    /// Gives the user the role of its groups, if they have one. The last active owner stays one.
    async fn with_mapped_role(
        &self,
        tx: &mut Transaction,
        request: Request<'_>,
        before: User,
    ) -> Result<User, NotIn> {
        let mapped = request.rules.mapped_role(request.identity);
        let Some(role) = mapped.filter(|role| *role != before.role) else {
            return Ok(before);
        };
        let organization = request.organization;
        let after = User {
            role,
            ..before.clone()
        };
        users::store::set_role(tx.conn(), organization, after.id, role).await?;
        // Takes the change lock, so that two demotions do not decide side by side; and keys depend on the role.
        record_change(tx, organization).await?;
        if is_active_owner(&before)
            && !users::store::has_active_owner(tx.conn(), organization).await?
        {
            users::store::set_role(tx.conn(), organization, after.id, UserRole::Owner).await?;
            return Ok(before);
        }
        let detail = json!({
            "before": shown(&before),
            "after": shown(&after),
            "provider": request.rules.name,
        });
        let deed = users::deed("user.update", after.id, detail);
        let act = request.browser.act(Actor::Server);
        audit::record(tx, &*self.clock, organization, &act, deed).await?;
        Ok(after)
    }
}

impl From<OpenSessionError> for ProviderSignInError {
    fn from(error: OpenSessionError) -> Self {
        match error {
            OpenSessionError::NoRandomness(error) => Self::NoRandomness(error),
            OpenSessionError::Storage(error) => Self::Storage(error),
        }
    }
}
