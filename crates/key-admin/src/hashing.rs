//! argon2id (RFC 9106), keyed with the server's pepper, in a pool that cannot starve the rest of the server.

mod lane;

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hmac;
use lane::Lane;
pub use lane::{LaneUse, Place};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

use crate::MasterSecret;
use crate::random::{self, NoRandomness};

/// The cost of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashCost {
    /// Memory in KiB, at least 8.
    pub memory_kib: u32,
    /// Passes over the memory, at least 1.
    pub iterations: u32,
}

impl HashCost {
    /// For API keys: their 256 bits of entropy need no slow hash, only one that a leaked row does not undo.
    pub const API_KEY: Self = Self {
        memory_kib: 1024,
        iterations: 1,
    };
    /// For passwords: the OWASP profile, 19 MiB and two passes.
    pub const PASSWORD: Self = Self {
        memory_kib: 19 * 1024,
        iterations: 2,
    };

    /// Is it a cost that argon2 knows?
    pub fn is_usable(self) -> bool {
        self.params().is_ok()
    }

    fn params(self) -> Result<Params, HashError> {
        Params::new(self.memory_kib, self.iterations, 1, None).map_err(|_| HashError::Cost)
    }
}

/// Why no hash was computed or compared.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum HashError {
    /// So many hashes wait already that this one would come too late.
    #[error("too many credentials are being checked at once")]
    Overloaded,
    /// The configured cost is outside argon2's range.
    #[error("the configured hash cost is not usable")]
    Cost,
    /// A stored hash is no PHC string.
    #[error("a stored hash is not readable")]
    StoredHash,
    /// See [`NoRandomness`].
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The hashing thread died.
    #[error("the hashing thread failed")]
    Thread,
}

/// What keys all hashes of an installation: without it, a leaked hash is of no use. It outlives the master secret, for no
/// hash can be made anew without what was hashed.
#[derive(Debug)]
pub struct Pepper(SecretBox<[u8; 32]>);

impl Pepper {
    /// The label of its derivation in installations that began without one of their own.
    pub const LABEL: &'static str = "jeton/pepper/v1";

    /// Takes the pepper of this installation.
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The pepper that belongs to this master secret in installations that began without one of their own.
    pub fn derived(master: &MasterSecret) -> Self {
        Self(master.derive(Self::LABEL))
    }
}

/// So many API keys are hashed or wait for a thread; one takes 0.3 ms at the default cost. Each holds a part of its client's
/// budget of failures until it is over, and a client whose keys are all right must not run out of it.
const MAX_KEYS: usize = 32;
/// So many passwords; one takes tens of milliseconds.
const MAX_PASSWORDS: usize = 32;

/// The pool, in two lanes with threads of their own: however many passwords are tried, API keys are checked, and the
/// other way round. Half of the cores hash keys at most and a quarter passwords, at least one thread each, all of them at a
/// lower priority than the exchange.
#[derive(Clone, Debug)]
pub struct Hasher {
    pepper: Arc<Pepper>,
    keys: Arc<Lane>,
    passwords: Arc<Lane>,
}

impl Hasher {
    /// A pool keyed with this pepper.
    pub fn new(pepper: Pepper) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lane = |name, threads: usize, places| Arc::new(Lane::new(name, threads.max(1), places));
        Self {
            pepper: Arc::new(pepper),
            keys: lane("hash-keys", cores / 2, MAX_KEYS),
            passwords: lane("hash-passwords", cores / 4, MAX_PASSWORDS),
        }
    }

    /// How its lanes are used, by what they hash.
    pub fn usage(&self) -> [(&'static str, LaneUse); 2] {
        [
            ("keys", self.keys.usage()),
            ("passwords", self.passwords.usage()),
        ]
    }

    /// Hashes the secret of an API key under a fresh salt. The answer is a PHC string.
    pub async fn hash(&self, secret: SecretString, cost: HashCost) -> Result<String, HashError> {
        let salt = random::bytes()?;
        self.run(&self.keys, move |pepper| hash(pepper, &secret, &salt, cost))
            .await
    }

    /// Does the secret of an API key belong to the PHC string? Compares in constant time.
    pub async fn verify(&self, secret: SecretString, stored: Arc<str>) -> Result<bool, HashError> {
        let place = self.place_for_key().await?;
        self.verify_at(place, secret, stored).await
    }

    /// Waits until there is a place to check an API key, for a second at most.
    pub async fn place_for_key(&self) -> Result<Place, HashError> {
        self.keys.enter().await
    }

    /// [`Self::verify`] for who has a place.
    pub async fn verify_at(
        &self,
        place: Place,
        secret: SecretString,
        stored: Arc<str>,
    ) -> Result<bool, HashError> {
        let pepper = self.pepper.clone();
        let work = move || verify(pepper.0.expose_secret(), &secret, &stored);
        self.keys.run_at(place, work).await
    }

    /// Hashes a password at [`HashCost::PASSWORD`] under a fresh salt.
    pub async fn hash_password(&self, password: SecretString) -> Result<String, HashError> {
        let salt = random::bytes()?;
        self.run(&self.passwords, move |pepper| {
            hash(pepper, &password, &salt, HashCost::PASSWORD)
        })
        .await
    }

    /// Does the password belong to the PHC string? Compares in constant time.
    pub async fn verify_password(
        &self,
        password: SecretString,
        stored: Arc<str>,
    ) -> Result<bool, HashError> {
        self.run(&self.passwords, move |pepper| {
            verify(pepper, &password, &stored)
        })
        .await
    }

    /// A fast hash, keyed like the slow ones: for what is random already and only must not be found in a stolen
    /// database. HMAC-SHA-256 under a key of its own for each purpose.
    pub(crate) fn keyed_digest(&self, purpose: &str, data: &[&[u8]]) -> Vec<u8> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, self.pepper.0.expose_secret());
        let own = hmac::sign(&root, purpose.as_bytes());
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()));
        for part in data {
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    /// How many hashes have been computed or compared since the start, running ones included. Almost all of the CPU
    /// time that strangers can cost is in them.
    pub fn hashes_started(&self) -> u64 {
        self.usage().iter().map(|(_, lane)| lane.started).sum()
    }

    async fn run<T: Send + 'static>(
        &self,
        lane: &Lane,
        work: impl FnOnce(&[u8]) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let pepper = self.pepper.clone();
        lane.run(move || work(pepper.0.expose_secret())).await
    }
}

fn hash(
    pepper: &[u8],
    secret: &SecretString,
    salt: &[u8; 16],
    cost: HashCost,
) -> Result<String, HashError> {
    let argon2 = argon2(pepper, cost.params()?)?;
    let hash = argon2.hash_password_with_salt(secret.expose_secret().as_bytes(), salt);
    hash.map(|hash| hash.to_string())
        .map_err(|_| HashError::Cost)
}

fn verify(pepper: &[u8], secret: &SecretString, stored: &str) -> Result<bool, HashError> {
    let stored = PasswordHash::new(stored).map_err(|_| HashError::StoredHash)?;
    let argon2 = argon2(pepper, Params::DEFAULT)?;
    Ok(argon2
        .verify_password(secret.expose_secret().as_bytes(), &stored)
        .is_ok())
}

/// Was this PHC string made with another cost than the one configured now?
pub(crate) fn has_other_cost(stored: &str, cost: HashCost) -> bool {
    let (Ok(stored), Ok(wanted)) = (PasswordHash::new(stored), cost.params()) else {
        return false;
    };
    Params::try_from(&stored).is_ok_and(|params| {
        (params.m_cost(), params.t_cost()) != (wanted.m_cost(), wanted.t_cost())
    })
}

fn argon2(pepper: &[u8], params: Params) -> Result<Argon2<'_>, HashError> {
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| HashError::Cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(digit: &str) -> Hasher {
        let master = format!("{digit}1").repeat(32).replacen('1', "2", 1);
        Hasher::new(Pepper::derived(&MasterSecret::parse(&master).unwrap()))
    }

    #[tokio::test]
    async fn a_hash_belongs_to_one_secret_and_one_pepper() {
        let hash: Arc<str> = hasher("a")
            .hash("correct".into(), HashCost::API_KEY)
            .await
            .unwrap()
            .into();
        assert!(hash.starts_with("$argon2id$v=19$m=1024,t=1,p=1$"), "{hash}");
        assert!(
            hasher("a")
                .verify("correct".into(), hash.clone())
                .await
                .unwrap()
        );
        assert!(
            !hasher("a")
                .verify("wrong".into(), hash.clone())
                .await
                .unwrap()
        );
        assert!(
            !hasher("b").verify("correct".into(), hash).await.unwrap(),
            "another pepper"
        );
    }

    #[tokio::test]
    async fn notices_another_cost() {
        let hash = hasher("a")
            .hash("secret".into(), HashCost::API_KEY)
            .await
            .unwrap();
        assert!(!has_other_cost(&hash, HashCost::API_KEY));
        assert!(has_other_cost(
            &hash,
            HashCost {
                memory_kib: 2048,
                iterations: 1
            }
        ));
    }
}
