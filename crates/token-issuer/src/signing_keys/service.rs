//! The life of a key ring: rotated, emptied of keys that may have leaked, filled with imported ones.
//!
//! Three invariants hold after every change: exactly one key signs; a key was in the JWKS for at least as long as
//! verifiers keep one before it signs (a shared secret, which is in none, need not); a key that signed stays in the
//! JWKS until its last token has ended. Only retiring a key in an emergency breaks the last two, on purpose.

use std::collections::BTreeMap;

use key_admin::Act;
use key_admin::cutoffs::{CutoffKind, CutoffTarget, void_for_good};
use secrecy::SecretSlice;
use serde_json::{Value, json};
use storage::{AudienceId, OrganizationId, StorageError, Timestamp, Transaction, record_change};

use super::{
    GenerateError, ImportedKey, KeyPair, KeyState, RingId, SigningAlgorithm, StoredKey,
    UnusableImport, UnusableKey, store,
};
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
    /// Of one that has stopped to sign: until when tokens of it can live, and it stays published.
    pub published_until: Option<Timestamp>,
}

impl From<StoredKey> for ListedKey {
    fn from(key: StoredKey) -> Self {
        Self {
            kid: key.kid,
            state: key.state,
            created_at: key.created_at,
            activated_at: key.activated_at,
            published_until: key.left_at.map(|at| at.plus_seconds(PREVIOUS_SECONDS)),
        }
    }
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
    /// The key cannot be used for the audience's algorithm.
    #[error(transparent)]
    Unusable(#[from] UnusableImport),
    /// A key is not where it was read. Changes of a ring wait for each other, so this is a fault of ours.
    #[error("a signing key was changed by somebody else at the same moment")]
    Changed,
    /// A key could not be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why not every ring was kept in order.
#[derive(Debug, thiserror::Error)]
pub enum KeepRingsError {
    /// Some rings failed; the others are in order.
    #[error("{failed} changes of key rings failed; the log names each")]
    Rings {
        /// How many changes failed.
        failed: usize,
    },
    /// What is due could not be read.
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
        Ok(keys.into_iter().map(ListedKey::from).collect())
    }

    /// The published keys of all audiences of the organization, in the same order.
    pub async fn signing_keys_of_all(
        &self,
        organization: OrganizationId,
    ) -> Result<BTreeMap<AudienceId, Vec<ListedKey>>, StorageError> {
        let mut read = self.database.read().await?;
        let mut keys = store::published(read.conn(), organization).await?;
        keys.sort_by_key(|key| key.state);
        let mut all: BTreeMap<AudienceId, Vec<ListedKey>> = BTreeMap::new();
        for key in keys {
            all.entry(key.ring.audience).or_default().push(key.into());
        }
        Ok(all)
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
                change_state(&mut tx, key, KeyState::Retired, now).await?;
                self.add(&mut tx, audience.ring(), KeyState::Next).await?;
            }
            KeyState::Previous => change_state(&mut tx, key, KeyState::Retired, now).await?,
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
        imported: ImportedKey,
    ) -> Result<ListedKey, RingError> {
        let mut tx = self.database.write().await?;
        record_change(&mut tx, organization).await?;
        let audience = find(&mut tx, organization, audience).await?;
        let private = imported.read(audience.algorithm)?;
        let keys = ring(&mut tx, organization, audience.id).await?;
        let now = self.clock.now();
        let key = self
            .rings
            .seal(audience.ring(), &private, KeyState::Next, now)?;
        if store::is_known(tx.conn(), &key.kid).await? {
            return Err(RingError::Exists);
        }
        if let Some(next) = in_state(&keys, KeyState::Next) {
            change_state(&mut tx, next, KeyState::Retired, now).await?;
        }
        store::insert(tx.conn(), &key).await?;
        let kid = key.kid;
        if audience.algorithm.is_symmetric() {
            let keys = ring(&mut tx, organization, audience.id).await?;
            self.advance(&mut tx, &audience, &keys, KeyState::Retired)
                .await?;
        }
        let keys = ring(&mut tx, organization, audience.id).await?;
        let added = keys.into_iter().find(|key| key.kid == kid);
        let added = added.ok_or(RingError::Changed)?;
        let detail = json!({ "kid": kid });
        self.commit_audience(act, tx, &audience, ("signing_key.import", detail))
            .await?;
        Ok(added.into())
    }

    /// Rotates the rings whose key has signed for long enough, and retires previous keys whose last token has ended.
    /// Called now and then on every node: each ring is locked, looked at again, and changed once. A ring that fails is
    /// logged, and keeps no other from its turn.
    pub async fn keep_rings(&self) -> Result<(), KeepRingsError> {
        let failed = self.rotate_due().await? + self.retire_ended().await?;
        if failed == 0 {
            Ok(())
        } else {
            Err(KeepRingsError::Rings { failed })
        }
    }

    /// How many rings that were due failed.
    async fn rotate_due(&self) -> Result<usize, StorageError> {
        let before = self.clock.now().plus_seconds(-ROTATION_SECONDS);
        let due = {
            let mut read = self.database.read().await?;
            store::due(read.conn(), before).await?
        };
        let (act, mut failed) = (Act::by_server(), 0);
        for (organization, audience) in due {
            let rotated = self.rotate_signing_key(&act, organization, audience).await;
            if let Err(error) = rotated
                && !matches!(
                    error,
                    // Another node was first.
                    RingError::NoSuchAudience | RingError::NotPublishedLongEnough { .. }
                )
            {
                tracing::error!(%organization, %audience, %error, "a key ring was not rotated");
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// How many keys that should go failed.
    async fn retire_ended(&self) -> Result<usize, StorageError> {
        let before = self.clock.now().plus_seconds(-PREVIOUS_SECONDS);
        let ended = {
            let mut read = self.database.read().await?;
            store::left_before(read.conn(), before).await?
        };
        let (act, mut failed) = (Act::by_server(), 0);
        for (organization, audience, kid) in ended {
            let retired = self.retire_signing_key(&act, organization, audience, &kid);
            if let Err(error) = retired.await
                // Another node was first.
                && !matches!(error, RingError::NoSuchAudience | RingError::NoSuchKey)
            {
                tracing::error!(%organization, %audience, kid, %error, "a key was not retired");
                failed += 1;
            }
        }
        Ok(failed)
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
            change_state(tx, active, left_as, now).await?;
        }
        let signs = match in_state(keys, KeyState::Next) {
            Some(next) => {
                change_state(tx, next, KeyState::Active, now).await?;
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
        let private = generate_aside(ring.algorithm).await?;
        let key = self.rings.seal(ring, &private, state, self.clock.now())?;
        store::insert(tx.conn(), &key).await?;
        Ok(key.kid)
    }
}

/// Makes a private key on a thread that may block: for RSA that takes its time.
pub(crate) async fn generate_aside(
    algorithm: SigningAlgorithm,
) -> Result<SecretSlice<u8>, GenerateError> {
    match tokio::task::spawn_blocking(move || KeyPair::generate(algorithm)).await {
        Ok(private) => Ok(private?),
        Err(error) => {
            tracing::error!(%error, "a signing key was not made");
            Err(UnusableKey.into())
        }
    }
}

/// Moves a key on in its life; what was not moved takes the whole change with it.
async fn change_state(
    tx: &mut Transaction,
    key: &StoredKey,
    state: KeyState,
    now: Timestamp,
) -> Result<(), RingError> {
    if store::change_state(tx.conn(), key, state, now).await? {
        Ok(())
    } else {
        Err(RingError::Changed)
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
