//! Making, changing and removing audiences, each with its key ring and its audit event in one transaction.

use key_admin::audit::{self, Act, Deed};
use policy::{AudienceLimits, AudienceName};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use storage::{AudienceId, OrganizationId, StorageError, Transaction, record_change};

use super::{
    Audience, AudienceFault, AudiencePatch, AudienceSettings, DEFAULT_AUDIENCE, MAX_AUD_BYTES,
    MAX_AUDIENCES, MAX_TTL_SECONDS, store,
};
use crate::issuance::TokenIssuer;
use crate::signing_keys::{
    self, GenerateError, ImportedKey, KeyState, SigningAlgorithm, StoredKey, generate_aside,
};

/// An audience to be.
#[derive(Clone, Debug)]
pub struct NewAudience {
    /// What requests call it.
    pub name: AudienceName,
    /// The `aud` of its tokens; `None` for its name.
    pub aud: Option<String>,
    /// How its tokens are signed.
    pub algorithm: SigningAlgorithm,
    /// How long its tokens live.
    pub limits: AudienceLimits,
    /// Everything else.
    pub settings: AudienceSettings,
    /// The secret that signs, for HS256 alone; `None` for a fresh one, until the consumer's is imported.
    pub secret: Option<SecretSlice<u8>>,
}

/// Why an audience was not made or changed. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum AudienceError {
    /// There is none of this id.
    #[error("there is no such audience")]
    NotFound,
    /// There is one of this name.
    #[error("there is an audience of this name already")]
    Exists,
    /// The organization has as many as it may.
    #[error("an organization has at most {MAX_AUDIENCES} audiences")]
    TooMany,
    /// Requests that name no audience mean this one.
    #[error("the audience `{DEFAULT_AUDIENCE}` stays")]
    IsDefault,
    /// The audience would be wrong; these are all its faults.
    #[error("the audience would be wrong")]
    Invalid(Vec<AudienceFault>),
    /// A key could not be made.
    #[error(transparent)]
    Keys(#[from] GenerateError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TokenIssuer {
    /// The organization's audiences, by name.
    pub async fn audiences(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<Audience>, StorageError> {
        let mut read = self.database.read().await?;
        store::list(read.conn(), organization).await
    }

    /// At most `limit` audiences of the organization, by name, those behind `after` where that is given.
    pub async fn list_audiences(
        &self,
        organization: OrganizationId,
        after: Option<&AudienceName>,
        limit: u32,
    ) -> Result<Vec<Audience>, StorageError> {
        let mut found = self.audiences(organization).await?;
        // Databases sort by rules of their own.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.retain(|it| after.is_none_or(|after| it.name > *after));
        found.truncate(limit as usize);
        Ok(found)
    }

    /// One audience of the organization.
    pub async fn audience(
        &self,
        organization: OrganizationId,
        id: AudienceId,
    ) -> Result<Audience, AudienceError> {
        let mut read = self.database.read().await?;
        let found = store::find(read.conn(), organization, id).await?;
        found.ok_or(AudienceError::NotFound)
    }

    /// Makes an audience with a key that signs and one that will.
    pub async fn create_audience(
        &self,
        act: &Act,
        organization: OrganizationId,
        new: NewAudience,
    ) -> Result<Audience, AudienceError> {
        let audience = Audience {
            id: AudienceId::new(&*self.clock),
            organization,
            aud: new.aud.unwrap_or_else(|| new.name.to_string()),
            name: new.name,
            algorithm: new.algorithm,
            limits: new.limits,
            settings: new.settings,
            created_at: self.clock.now(),
        };
        let mut faults = faults_of(&audience);
        if audience.name.as_str().parse::<AudienceId>().is_ok() {
            faults.push(AudienceFault::Name);
        }
        let secret = match read_secret(audience.algorithm, new.secret) {
            Ok(secret) if faults.is_empty() => secret,
            Ok(_) => return Err(AudienceError::Invalid(faults)),
            Err(fault) => {
                faults.push(fault);
                return Err(AudienceError::Invalid(faults));
            }
        };
        let keys = self.first_keys(&audience, secret).await?;
        let mut tx = self.database.write().await?;
        // First, for its lock: of two audiences made at once, the second is counted after the first.
        record_change(&mut tx, organization).await?;
        let others = store::list(tx.conn(), organization).await?;
        if others.iter().any(|it| it.name == audience.name) {
            return Err(AudienceError::Exists);
        }
        if others.len() >= MAX_AUDIENCES {
            return Err(AudienceError::TooMany);
        }
        store::insert(tx.conn(), &audience).await?;
        store::set_origins(&mut tx, &audience).await?;
        for key in keys {
            signing_keys::store::insert(tx.conn(), &key).await?;
        }
        let detail = json!({ "after": seen(&audience) });
        self.commit_audience(act, tx, &audience, ("audience.create", detail))
            .await?;
        Ok(audience)
    }

    /// Changes an audience. Tokens that exist stay what they are.
    pub async fn update_audience(
        &self,
        act: &Act,
        organization: OrganizationId,
        id: AudienceId,
        patch: AudiencePatch,
    ) -> Result<Audience, AudienceError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let before = store::find(tx.conn(), organization, id).await?;
        let before = before.ok_or(AudienceError::NotFound)?;
        let after = changed(&before, patch)?;
        if seen(&before) == seen(&after) {
            return Ok(before);
        }
        if !store::update(tx.conn(), &after).await? {
            return Err(AudienceError::NotFound);
        }
        store::set_origins(&mut tx, &after).await?;
        let detail = json!({ "before": seen(&before), "after": seen(&after) });
        self.commit_audience(act, tx, &after, ("audience.update", detail))
            .await?;
        Ok(after)
    }

    /// Removes an audience. Its keys are retired at once, so that its tokens verify nowhere any more.
    pub async fn delete_audience(
        &self,
        act: &Act,
        organization: OrganizationId,
        id: AudienceId,
    ) -> Result<(), AudienceError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let before = store::find(tx.conn(), organization, id).await?;
        let before = before.ok_or(AudienceError::NotFound)?;
        if before.name.as_str() == DEFAULT_AUDIENCE {
            return Err(AudienceError::IsDefault);
        }
        if !store::delete(tx.conn(), organization, id, self.clock.now()).await? {
            return Err(AudienceError::NotFound);
        }
        store::forget_origins(tx.conn(), id).await?;
        let keys = signing_keys::store::published(tx.conn(), organization).await?;
        for key in keys.iter().filter(|key| key.ring.audience == id) {
            let kid = [key.kid.as_str()];
            self.void_signed_by(&mut tx, organization, kid).await?;
        }
        signing_keys::store::retire_all(tx.conn(), organization, id, self.clock.now()).await?;
        let detail = json!({ "before": seen(&before) });
        self.commit_audience(act, tx, &before, ("audience.delete", detail))
            .await?;
        Ok(())
    }

    /// The key that signs from now on, which may be a secret that the consumer gave out, and its successor.
    async fn first_keys(
        &self,
        audience: &Audience,
        secret: Option<SecretSlice<u8>>,
    ) -> Result<[StoredKey; 2], GenerateError> {
        let (ring, now) = (audience.ring(), audience.created_at);
        let first = match secret {
            Some(secret) => secret,
            None => generate_aside(ring.algorithm).await?,
        };
        let next = generate_aside(ring.algorithm).await?;
        Ok([
            self.rings.seal(ring, &first, KeyState::Active, now)?,
            self.rings.seal(ring, &next, KeyState::Next, now)?,
        ])
    }

    /// The end of every change of an audience and its ring: its event, the commit, and this node's knowledge of it.
    pub(crate) async fn commit_audience(
        &self,
        act: &Act,
        mut tx: Transaction,
        audience: &Audience,
        (action, detail): (&'static str, Value),
    ) -> Result<(), StorageError> {
        let deed = Deed {
            action,
            target_kind: "audience",
            target_id: audience.id.to_string(),
            detail,
        };
        audit::record(&mut tx, &*self.clock, audience.organization, act, deed).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok(())
    }
}

/// The audience as it would become.
pub(crate) fn changed(before: &Audience, patch: AudiencePatch) -> Result<Audience, AudienceError> {
    let mut after = before.clone();
    patch.apply(&mut after);
    let faults = faults_of(&after);
    if faults.is_empty() {
        Ok(after)
    } else {
        Err(AudienceError::Invalid(faults))
    }
}

fn read_secret(
    algorithm: SigningAlgorithm,
    secret: Option<SecretSlice<u8>>,
) -> Result<Option<SecretSlice<u8>>, AudienceFault> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    if !algorithm.is_symmetric() {
        return Err(AudienceFault::SecretNotTaken);
    }
    Ok(Some(ImportedKey::Secret(secret).read(algorithm)?))
}

fn faults_of(audience: &Audience) -> Vec<AudienceFault> {
    let mut faults = Vec::new();
    let aud = &audience.aud;
    let fits = (1..=MAX_AUD_BYTES).contains(&aud.len()) && aud.trim() == aud;
    if !fits || aud.chars().any(char::is_control) {
        faults.push(AudienceFault::Aud);
    }
    let AudienceLimits {
        default_ttl_seconds,
        max_ttl_seconds,
    } = audience.limits;
    if !(1..=max_ttl_seconds).contains(&default_ttl_seconds) {
        faults.push(AudienceFault::DefaultTtl);
    }
    if !(1..=MAX_TTL_SECONDS).contains(&max_ttl_seconds) {
        faults.push(AudienceFault::MaxTtl);
    }
    let compiled = audience.settings.compile();
    faults.extend(
        compiled
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(Into::into),
    );
    faults
}

/// What the audit trail shows of an audience.
fn seen(audience: &Audience) -> Value {
    json!({
        "name": audience.name,
        "aud": audience.aud,
        "algorithm": audience.algorithm,
        "default_ttl_seconds": audience.limits.default_ttl_seconds,
        "max_ttl_seconds": audience.limits.max_ttl_seconds,
        "settings": audience.settings,
    })
}
