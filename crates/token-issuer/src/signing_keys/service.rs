//! The life of a key ring: rotated, emptied of keys that may have leaked, filled with imported ones.
//!
//! Three invariants hold after every change: exactly one key signs; a key was in the JWKS for at least as long as
//! verifiers keep one before it signs (a shared secret, which is in none, need not); a key that signed stays in the
//! JWKS until its last token has ended. Only retiring a key in an emergency breaks the last two, on purpose.

use key_admin::Act;
use key_admin::cutoffs::{CutoffKind, CutoffTarget, void_for_good};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use storage::{AudienceId, OrganizationId, StorageError, Timestamp, Transaction, record_change};

use super::{GenerateError, KeyPair, KeyState, RingId, StoredKey, UnusableKey, store};
use crate::audiences::{self, Audience, MAX_TTL_SECONDS};
use crate::issuance::TokenIssuer;
use crate::rings::JWKS_MAX_AGE_SECONDS;

/// A key signs for this long before the ring rotates by itself: 30 days, in seconds.
pub const ROTATION_SECONDS: i64 = 30 * 24 * 60 * 60;
/// A previous key stays for the longest life that any token can have, and a minute for slow clocks; in seconds.
const PREVIOUS_SECONDS: i64 = MAX_TTL_SECONDS as i64 + 60;

/// A key of a ring, as people see it.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// Its identifier in headers and JWKS.
    pub kid: String,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
}

/// Why a ring was not changed. Nothing of the change remains.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// There is no such audience.
    #[error("there is no such audience")]
    NoSuchAudience,
    /// The ring has no published key of this name.
    #[error("the audience has no such signing key")]
    NoSuchKey,
    /// The next key has not been published for long enough: verifiers may not know it yet.
    #[error("the next key can sign in {seconds} seconds, when every verifier has seen it")]
    NotPublishedLongEnough {
        /// How long that takes, in seconds.
        seconds: i64,
    },
    /// The key is in a ring already.
    #[error("this key is in use already")]
    Exists,
    /// The key is not one of the audience's algorithm.
    #[error(transparent)]
    Unusable(#[from] UnusableKey),
    /// A key could not be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl TokenIssuer {
    /// The published keys of an audience: the one that signs first, then the next, then those that signed.
    pub async fn signing_keys(
        &self,
        organization: OrganizationId,
        audience: AudienceId,
    ) -> Result<Vec<ListedKey>, RingError> {
        let mut tx = self.database.snapshot().await?;
        find(&mut tx, organization, audience).await?;
        let keys = ring(&mut tx, organization, audience).await?;
        let listed = keys.into_iter().map(|key| ListedKey {
            kid: key.kid,
            state: key.state,
            created_at: key.created_at,
            activated_at: key.activated_at,
        });
        Ok(listed.collect())
    }

    /// Lets the next key sign from now on, and makes another next one.
    pub async fn rotate_signing_key(
        &self,
        act: &Act,
        organization: OrganizationId,
        audience: AudienceId,
    ) -> Result<(), RingError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let audience = find(&mut tx, organization, audience).await?;
        let now = self.clock.now();
        let keys = ring(&mut tx, organization, audience.id).await?;
        if let Some(next) = in_state(&keys, KeyState::Next) {
            let wait = if audience.algorithm.is_symmetric() {
                0
            } else {
                let published = now.unix_seconds() - next.created_at.unix_seconds();
                i64::from(JWKS_MAX_AGE_SECONDS) - published
            };
            if wait > 0 {
                return Err(RingError::NotPublishedLongEnough { seconds: wait });
            }
        }
        let detail = self
            .advance(&mut tx, &audience, &keys, KeyState::Previous)
            .await?;
        Ok(self
            .commit_audience(act, tx, &audience, ("signing_key.rotate", detail))
            .await?)
    }

    /// Takes a key out of use at once: its tokens verify nowhere any more. If it is the one that signs, the next does
    /// from now on, even if some verifiers have to learn of it first.
    pub async fn retire_signing_key(
        &self,
        act: &Act,
        organization: OrganizationId,
        audience: AudienceId,
        kid: &str,
    ) -> Result<(), RingError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let audience = find(&mut tx, organization, audience).await?;
        let keys = ring(&mut tx, organization, audience.id).await?;
        let key = keys.iter().find(|key| key.kid == kid);
        let key = key.ok_or(RingError::NoSuchKey)?;
        let now = self.clock.now();
        match key.state {
            KeyState::Active => {
                self.advance(&mut tx, &audience, &keys, KeyState::Retired)
                    .await?;
            }
            KeyState::Next => {
                store::change_state(tx.conn(), key, KeyState::Retired, now).await?;
                self.add(&mut tx, audience.ring(), KeyState::Next).await?;
            }
            KeyState::Previous => {
                store::change_state(tx.conn(), key, KeyState::Retired, now).await?;
            }
            KeyState::Retired => return Err(RingError::NoSuchKey),
        }
        self.void_signed_by(&mut tx, organization, [kid]).await?;
        let detail = json!({ "kid": kid, "was": key.state.as_str() });
        Ok(self
            .commit_audience(act, tx, &audience, ("signing_key.retire", detail))
            .await?)
    }

    /// Puts a private key in the place of the next one. It signs after a rotation, like any other; a shared secret, which
    /// nobody has to learn from a JWKS, at once.
    pub async fn import_signing_key(
        &self,
        act: &Act,
        organization: OrganizationId,
        audience: AudienceId,
        private: SecretSlice<u8>,
    ) -> Result<String, RingError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let audience = find(&mut tx, organization, audience).await?;
        KeyPair::read(audience.algorithm, &private)?;
        let keys = ring(&mut tx, organization, audience.id).await?;
        let now = self.clock.now();
        let key = self
            .rings
            .seal(audience.ring(), &private, KeyState::Next, now)?;
        if store::is_known(tx.conn(), &key.kid).await? {
            return Err(RingError::Exists);
        }
        if let Some(next) = in_state(&keys, KeyState::Next) {
            store::change_state(tx.conn(), next, KeyState::Retired, now).await?;
        }
        store::insert(tx.conn(), &key).await?;
        let kid = key.kid.clone();
        if audience.algorithm.is_symmetric() {
            let keys = ring(&mut tx, organization, audience.id).await?;
            self.advance(&mut tx, &audience, &keys, KeyState::Retired)
                .await?;
        }
        let detail = json!({ "kid": kid });
        self.commit_audience(act, tx, &audience, ("signing_key.import", detail))
            .await?;
        Ok(kid)
    }

    /// Rotates the rings whose key has signed for long enough, and retires previous keys whose last token has ended.
    /// Called now and then on every node: each ring is locked, looked at again, and changed once.
    pub async fn keep_rings(&self) -> Result<(), RingError> {
        let now = self.clock.now();
        let due = {
            let mut read = self.database.read().await?;
            store::due(read.conn(), now.plus_seconds(-ROTATION_SECONDS)).await?
        };
        for (organization, audience) in due {
            match self
                .rotate_signing_key(&Act::by_server(), organization, audience)
                .await
            {
                Ok(())
                | Err(RingError::NoSuchAudience | RingError::NotPublishedLongEnough { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.retire_ended(now).await
    }

    async fn retire_ended(&self, now: Timestamp) -> Result<(), RingError> {
        let ended = {
            let mut read = self.database.read().await?;
            store::left_before(read.conn(), now.plus_seconds(-PREVIOUS_SECONDS)).await?
        };
        for (organization, kid) in ended {
            let mut tx = self.database.write().await?;
            record_change(&mut tx, organization).await?;
            store::retire_previous(tx.conn(), organization, &kid, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The active key becomes `left_as`, the next one signs, and there is another next one.
    async fn advance(
        &self,
        tx: &mut Transaction,
        audience: &Audience,
        keys: &[StoredKey],
        left_as: KeyState,
    ) -> Result<Value, RingError> {
        let now = self.clock.now();
        let was = in_state(keys, KeyState::Active);
        if let Some(active) = was {
            store::change_state(tx.conn(), active, left_as, now).await?;
        }
        let signs = match in_state(keys, KeyState::Next) {
            Some(next) => {
                store::change_state(tx.conn(), next, KeyState::Active, now).await?;
                next.kid.clone()
            }
            None => self.add(tx, audience.ring(), KeyState::Active).await?,
        };
        self.add(tx, audience.ring(), KeyState::Next).await?;
        Ok(json!({ "before": was.map(|key| &key.kid), "after": signs }))
    }

    /// Voids what these keys have signed, for verifiers that still hold them.
    pub(crate) async fn void_signed_by<'k>(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        kids: impl IntoIterator<Item = &'k str>,
    ) -> Result<(), StorageError> {
        let now = self.clock.now();
        for kid in kids {
            let target = CutoffTarget::new(CutoffKind::SigningKey, kid);
            void_for_good(tx, organization, &target, now).await?;
        }
        Ok(())
    }

    async fn add(
        &self,
        tx: &mut Transaction,
        ring: RingId,
        state: KeyState,
    ) -> Result<String, RingError> {
        let key = self.rings.fresh_key(ring, state, self.clock.now())?;
        store::insert(tx.conn(), &key).await?;
        Ok(key.kid)
    }
}

async fn find(
    tx: &mut Transaction,
    organization: OrganizationId,
    audience: AudienceId,
) -> Result<Audience, RingError> {
    let found = audiences::store::find(tx.conn(), organization, audience).await?;
    found.ok_or(RingError::NoSuchAudience)
}

async fn ring(
    tx: &mut Transaction,
    organization: OrganizationId,
    audience: AudienceId,
) -> Result<Vec<StoredKey>, StorageError> {
    let mut keys = store::published(tx.conn(), organization).await?;
    keys.retain(|key| key.ring.audience == audience);
    keys.sort_by_key(|key| key.state);
    Ok(keys)
}

fn in_state(keys: &[StoredKey], state: KeyState) -> Option<&StoredKey> {
    keys.iter().find(|key| key.state == state)
}
