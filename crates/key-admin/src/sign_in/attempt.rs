use std::borrow::Cow;

use aws_lc_rs::aead::{AES_256_GCM, UnboundKey};
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use storage::StorageError;
use zeroize::Zeroizing;

use super::{Browser, ProviderSignInError, secret, store};
use crate::KeyAdmin;
use crate::sealing::{CannotSeal, Sealer};

/// How long a round trip through a provider may take, in seconds: 10 minutes.
pub const PROVIDER_ATTEMPT_SECONDS: i64 = 10 * 60;

/// A round trip through a provider, as it was begun.
#[derive(Clone, Debug)]
pub struct ProviderAttempt {
    /// Which provider. Its answer must come from the same one.
    pub provider: String,
    /// What the provider's ID token must repeat.
    pub nonce: SecretString,
    /// What proves to the provider that who asks for the token is who began (RFC 7636).
    pub pkce_verifier: SecretString,
    /// Where in the console the person wanted to go.
    pub next: String,
}

/// How an attempt is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    provider: Cow<'a, str>,
    nonce: Cow<'a, str>,
    pkce_verifier: Cow<'a, str>,
    next: Cow<'a, str>,
}

impl KeyAdmin {
    /// Keeps what is needed when the person comes back, and answers the `state` to go with: 256 random bits, in base62.
    /// Only its hash is kept, and the rest is sealed under it: nobody who reads the database can go on with it.
    ///
    /// The console also keeps the `state` in a cookie of the browser that begins, and takes the attempt only for a
    /// browser that has it: nobody gets into somebody else's account, or somebody else into theirs.
    pub async fn begin_provider_sign_in(
        &self,
        browser: &Browser,
        attempt: &ProviderAttempt,
    ) -> Result<SecretString, ProviderSignInError> {
        self.throttle.take_attempt(browser)?;
        let state = secret::fresh()?;
        let kept = Kept {
            provider: attempt.provider.as_str().into(),
            nonce: attempt.nonce.expose_secret().into(),
            pkce_verifier: attempt.pkce_verifier.expose_secret().into(),
            next: attempt.next.as_str().into(),
        };
        let plain: SecretSlice<u8> = serde_json::to_vec(&kept)
            .map_err(|error| StorageError::corrupt("provider attempt", error))?
            .into();
        let hash = secret::hash(&state);
        let sealed = sealer(&state)?.seal(IDENTITY, &plain)?;
        let ends_at = self.clock.now().plus_seconds(PROVIDER_ATTEMPT_SECONDS);
        let mut tx = self.database.write().await?;
        store::insert_attempt(tx.conn(), &hash, &sealed, ends_at).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Takes the attempt of this `state`. It is there once: of several takers, one gets it. `None` also when it took too
    /// long.
    pub async fn take_provider_attempt(
        &self,
        state: &SecretString,
    ) -> Result<Option<ProviderAttempt>, StorageError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        let taken = store::take_attempt(tx.conn(), &secret::hash(state)).await?;
        tx.commit().await?;
        let Some((sealed, _)) = taken.filter(|(_, ends_at)| *ends_at > now) else {
            return Ok(None);
        };
        let corrupt = |error: &dyn std::fmt::Display| {
            StorageError::corrupt("provider attempt", error.to_string())
        };
        let sealer = sealer(state).map_err(|error| corrupt(&error))?;
        let plain = sealer
            .open(IDENTITY, &sealed)
            .map_err(|error| corrupt(&error))?;
        let kept: Kept<'_> =
            serde_json::from_slice(plain.expose_secret()).map_err(|_| corrupt(&"it is no JSON"))?;
        Ok(Some(ProviderAttempt {
            provider: kept.provider.into_owned(),
            nonce: kept.nonce.into_owned().into(),
            pkce_verifier: kept.pkce_verifier.into_owned().into(),
            next: kept.next.into_owned(),
        }))
    }
}

const IDENTITY: &str = "provider_attempts";

/// The hash under which the row is found says nothing about this key: it is another hash of the 256 random bits.
fn sealer(state: &SecretString) -> Result<Sealer, CannotSeal> {
    let mut text = Zeroizing::new(b"jeton/provider_attempts/v1/".to_vec());
    text.extend_from_slice(state.expose_secret().as_bytes());
    let key = digest(&SHA256, &text);
    debug_assert_eq!(key.as_ref().len(), SHA256_OUTPUT_LEN);
    UnboundKey::new(&AES_256_GCM, key.as_ref())
        .map(Sealer::with_key)
        .map_err(|_| CannotSeal::TooLong)
}
