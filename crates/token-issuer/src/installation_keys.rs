//! The keys of an installation that outlive its master secret: the pepper of all credential hashes, and the key that
//! hashes sensitive attributes.
//!
//! What they hash cannot be hashed again, so they must stay when the master secret changes. They are random, made at
//! the first start, and kept in the database, [sealed](key_admin::sealing) under the master secret like signing keys.
//! Installations that are older than this once derived them from their master secret; at their next start those very
//! keys are kept for good.

use aws_lc_rs::error::Unspecified;
use key_admin::hashing::Pepper;
use key_admin::sealing::SealedRow;
use key_admin::sealing::{SealedUnder, Sealer};
use key_admin::{MasterSecret, MasterSecrets, random};
use secrecy::{ExposeSecret, SecretBox, SecretSlice};
use storage::{Conn, Database, StorageError, Transaction, execute, fetch_all};

use crate::rings::StartError;
use crate::sessions::AttributeHasher;
use crate::signing_keys;

/// The keys, opened.
#[derive(Debug)]
pub struct InstallationKeys {
    /// Keys the hashes of API keys and passwords.
    pub pepper: Pepper,
    /// Keys the hashes of sensitive attributes.
    pub attributes: AttributeHasher,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Pepper,
    Attributes,
}

/// More rows than there are purposes.
const ALL_ROWS: i64 = 100;
/// How many signing keys are tried at most to find out which master secret an installation has.
const TRIED: i64 = 100;

impl Purpose {
    const ALL: [Self; 2] = [Self::Pepper, Self::Attributes];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::Attributes => "attributes",
        }
    }

    /// The label under which it was derived from the master secret before it was kept.
    const fn label(self) -> &'static str {
        match self {
            Self::Pepper => Pepper::LABEL,
            Self::Attributes => AttributeHasher::LABEL,
        }
    }
}

impl InstallationKeys {
    /// Opens the keys; makes them where there are none. Nodes that start at once open the same ones.
    pub async fn open(database: &Database, secrets: &MasterSecrets) -> Result<Self, StartError> {
        let sealer = &Sealer::of_both(secrets)?;
        let mut rows = read(database).await?;
        if rows.is_empty() {
            make(database, secrets, sealer).await?;
            rows = read(database).await?;
        }
        let key = |purpose| open(&rows, purpose, sealer);
        Ok(Self {
            pepper: Pepper::new(key(Purpose::Pepper)?),
            attributes: AttributeHasher::new(key(Purpose::Attributes)?),
        })
    }
}

async fn read(database: &Database) -> Result<Vec<SealedRow>, StorageError> {
    let mut read = database.read().await?;
    sealed(read.conn(), "", ALL_ROWS).await
}

/// A key that is gone while another is there is not made anew: no hash that it made would match again.
fn open(
    rows: &[SealedRow],
    purpose: Purpose,
    sealer: &Sealer,
) -> Result<SecretBox<[u8; 32]>, StartError> {
    let name = purpose.as_str();
    let row = rows
        .iter()
        .find(|row| row.key == name)
        .ok_or_else(|| StorageError::corrupt("installation keys", format!("no row `{name}`")))?;
    sealer
        .open(&row.identity, &row.sealed)
        .ok()
        .and_then(|plain| array(&plain).ok())
        .ok_or(StartError::InstallationKey { purpose: name })
}

fn array(plain: &SecretSlice<u8>) -> Result<SecretBox<[u8; 32]>, Unspecified> {
    let bytes: &[u8; 32] = plain.expose_secret().try_into().map_err(|_| Unspecified)?;
    Ok(SecretBox::init_with_mut(|key: &mut [u8; 32]| *key = *bytes))
}

/// All or none; of several nodes, one's.
async fn make(
    database: &Database,
    secrets: &MasterSecrets,
    sealer: &Sealer,
) -> Result<(), StartError> {
    let mut tx = database.write().await?;
    let derived_from = secret_in_use(&mut tx, secrets, sealer).await?;
    for purpose in Purpose::ALL {
        let key: SecretSlice<u8> = match derived_from {
            Some(master) => {
                let derived = master.derive(purpose.label());
                derived.expose_secret().to_vec().into()
            }
            None => random::bytes::<32>()?.to_vec().into(),
        };
        let name = purpose.as_str();
        let sealed = sealer.seal(&identity(name), &key)?;
        execute!(
            tx.conn(),
            "insert into installation_keys (purpose, sealed_key) values ($1, $2)
             on conflict (purpose) do nothing",
            name,
            &sealed,
        )?;
    }
    Ok(tx.commit().await?)
}

/// The master secret of an installation that is older than its own keys; `None` for a new one. It is the one that
/// opens the signing keys, which is not always the previous one: somebody may have mixed up the two.
async fn secret_in_use<'s>(
    tx: &mut Transaction,
    secrets: &'s MasterSecrets,
    sealer: &Sealer,
) -> Result<Option<&'s MasterSecret>, StartError> {
    let keys = signing_keys::store::sealed(tx.conn(), "", TRIED).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    let opened = keys
        .iter()
        .find_map(|row| sealer.open_and_tell(&row.identity, &row.sealed).ok());
    match opened {
        Some((SealedUnder::Current, _)) => Ok(Some(secrets.current())),
        Some((SealedUnder::Previous, _)) => Ok(secrets.previous()),
        None => Err(StartError::WrongMasterSecret),
    }
}

fn identity(purpose: &str) -> String {
    format!("installation_keys/{purpose}")
}

/// The next keys by purpose.
pub(crate) async fn sealed(
    conn: Conn<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<SealedRow>, StorageError> {
    let rows = fetch_all!(
        conn,
        (String, Vec<u8>),
        "select purpose, sealed_key from installation_keys where purpose > $1 order by purpose limit $2",
        after,
        limit,
    )?;
    let row = |(key, sealed): (String, Vec<u8>)| SealedRow {
        identity: identity(&key),
        key,
        sealed,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Puts a key that was sealed anew in the place of the same one, if it still is as it was read.
pub(crate) async fn replace_sealed(
    conn: Conn<'_>,
    row: &SealedRow,
    anew: &[u8],
) -> Result<bool, StorageError> {
    let changed = execute!(
        conn,
        "update installation_keys set sealed_key = $3 where purpose = $1 and sealed_key = $2",
        &row.key,
        &row.sealed,
        anew,
    )?;
    Ok(changed == 1)
}
