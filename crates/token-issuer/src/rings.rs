//! An organization's audiences and their key rings, as one immutable snapshot that issuing and verifying read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use key_admin::random::NoRandomness;
use key_admin::sealing::{CannotOpen, CannotSeal, Sealer};
use key_admin::{Organization, Slug};
use secrecy::SecretSlice;
use serde_json::json;
use storage::metrics::CacheUse;
use storage::{
    AudienceId, ChangeFeed, Database, OrganizationId, StorageError, Timestamp, Versioned,
    VersionedCache,
};

use crate::audiences::{self, Audience, SettingsFault};
use crate::claims::Wrapping;
use crate::metadata::PublicUrl;
use crate::sessions::{AttributeHasher, CannotHash};
use crate::signing_keys::{
    self, HeaderExtras, KeyState, OpenedKey, RingId, SigningAlgorithm, StoredKey, VerifyingKey,
};
use crate::templates::{Preset, RegisteredClaims, Template};

/// How long verifiers may keep a JWKS, in seconds. A next key is published at least this long before it signs.
pub const JWKS_MAX_AGE_SECONDS: u32 = 300;

/// Why an organization cannot issue. At the start of the server, any of these stops it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The master secret is not the one that sealed the key, or the row was altered.
    #[error(
        "signing key {kid} of organization {organization} does not open: the master secret is not the one it was sealed with, or the row was altered"
    )]
    SealedKey {
        /// The organization's slug.
        organization: Slug,
        /// The key.
        kid: String,
    },
    /// As [`SealedKey`](Self::SealedKey), of one of the [installation's own keys](crate::installation_keys).
    #[error(
        "the key `{purpose}` of this installation does not open: the master secret is not the one it was sealed with, or the row was altered"
    )]
    InstallationKey {
        /// What the key is for.
        purpose: &'static str,
    },
    /// There are signing keys, and none of them opens.
    #[error("no signing key opens: the master secret is not the one they were sealed with")]
    WrongMasterSecret,
    /// An audience has no active key; a ring always has exactly one.
    #[error("audience {audience} of organization {organization} has no active signing key")]
    NoActiveKey {
        /// The organization's slug.
        organization: Slug,
        /// The audience's name.
        audience: String,
    },
    /// The stored settings of an audience are not usable by this version.
    #[error(
        "the settings of audience {audience} of organization {organization} are not usable: {fault}"
    )]
    Settings {
        /// The organization's slug.
        organization: Slug,
        /// The audience's name.
        audience: String,
        /// The first thing wrong with them.
        fault: Box<SettingsFault>,
    },
    /// The organization's key for hashes could not be derived.
    #[error(transparent)]
    Hash(#[from] CannotHash),
    /// The sealing key could not be set up.
    #[error("the sealing key could not be set up")]
    Sealer(#[from] CannotOpen),
    /// The installation's own keys could not be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The installation's own keys could not be sealed.
    #[error(transparent)]
    Seal(#[from] CannotSeal),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// An audience with the key that signs for it.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) audience: Audience,
    pub(crate) active: OpenedKey,
    /// The organization's issuer.
    pub(crate) issuer: Arc<str>,
    pub(crate) shape: Shape,
    pub(crate) wrapping: Wrapping,
    /// For the filter `hash` of templates.
    pub(crate) hash_key: hmac::Key,
    jwks: Jwks,
}

/// The form of an audience's payloads.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Jeton's own.
    Standard,
    /// That of a template, or Jeton's own with other registered claims.
    Template(Template),
}

impl Ring {
    /// The same ring, if its audience were this one.
    pub(crate) fn changed_to(&self, audience: Audience) -> Result<Self, Vec<SettingsFault>> {
        Ok(Self {
            active: self.active.with(&header(&audience, &self.issuer)),
            shape: Shape::of(&audience)?,
            wrapping: Wrapping::of(&audience.settings.format),
            audience,
            issuer: self.issuer.clone(),
            hash_key: self.hash_key.clone(),
            jwks: self.jwks.clone(),
        })
    }
}

impl Shape {
    fn of(audience: &Audience) -> Result<Self, Vec<SettingsFault>> {
        let claims = &audience.settings.claims;
        Ok(match audience.settings.compile()? {
            Some(template) => Self::Template(template),
            None if claims.registered == RegisteredClaims::ALL => Self::Standard,
            None => Self::Template(own_form()?),
        })
    }
}

fn own_form() -> Result<Template, Vec<SettingsFault>> {
    let own = Preset::named("standard").map(Preset::template);
    own.unwrap_or_else(|| Err(Vec::new()))
        .map_err(|faults| faults.into_iter().map(SettingsFault::Template).collect())
}

/// What an organization issues with, and what its verifiers see.
#[derive(Debug)]
pub struct OrganizationIssuer {
    rings: HashMap<AudienceId, Ring>,
    /// By the audiences' names.
    names: BTreeMap<String, AudienceId>,
    published: PublishedKeys,
    jwks: Jwks,
}

/// The published keys by the `kid` that headers name them by, each with its own name.
type PublishedKeys = HashMap<String, Vec<(String, VerifyingKey)>>;

/// A JWKS (RFC 7517 section 5), written once, with its entity tag.
#[derive(Clone, Debug)]
pub struct Jwks {
    /// The JSON text.
    pub body: Arc<str>,
    /// Its strong entity tag, quotes included.
    pub etag: Arc<str>,
}

impl OrganizationIssuer {
    pub(crate) fn ring(&self, audience: &str) -> Option<&Ring> {
        self.ring_of(*self.names.get(audience)?)
    }

    /// All rings, by the names of their audiences.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.names.values().filter_map(|id| self.rings.get(id))
    }

    /// The ring of this audience.
    pub(crate) fn ring_of(&self, audience: AudienceId) -> Option<&Ring> {
        self.rings.get(&audience)
    }

    /// Is this key published, and one of this audience?
    pub(crate) fn has_key(&self, kid: &str, audience: AudienceId) -> bool {
        let Some(ring) = self.ring_of(audience) else {
            return false;
        };
        let mut keys = self.verifying(ring.audience.published_kid(kid));
        keys.any(|(own, key, _)| own == kid && key.audience == audience)
    }

    /// The published keys that a header can mean by this `kid`, by their own names, and the rings that they are of. Where
    /// the consumer has given the key a name, all keys of the ring go by it.
    pub(crate) fn verifying(
        &self,
        kid: &str,
    ) -> impl Iterator<Item = (&str, &VerifyingKey, &Ring)> {
        let keys = self.published.get(kid).into_iter().flatten();
        keys.filter_map(|(own, key)| Some((own.as_str(), key, self.ring_of(key.audience)?)))
    }

    /// The keys that verify this organization's tokens, the coming one included.
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// The keys that verify the tokens of one audience; `None` when there is no such audience.
    pub fn jwks_of(&self, audience: AudienceId) -> Option<&Jwks> {
        Some(&self.ring_of(audience)?.jwks)
    }

    /// The algorithms whose keys are in the JWKS.
    pub fn algorithms(&self) -> BTreeSet<SigningAlgorithm> {
        let all = self.rings().map(|ring| ring.audience.algorithm);
        all.filter(|algorithm| !algorithm.is_symmetric()).collect()
    }

    fn build(
        rings: &Rings,
        (organization, slug): (OrganizationId, &Slug),
        audiences: Vec<Audience>,
        keys: &[StoredKey],
    ) -> Result<Self, StartError> {
        let issuer: Arc<str> = rings.public_url.issuer(slug).into();
        let hash_key = rings.hasher.template_key(organization)?;
        // Those that do not sign are opened too: a key that this installation did not seal must never be published.
        let mut active = BTreeMap::new();
        let mut published = PublishedKeys::new();
        for key in keys {
            let mut of = audiences.iter();
            let of = of.find(|audience| audience.id == key.ring.audience);
            let extras = of.map(|it| header(it, &issuer)).unwrap_or_default();
            let opened = key
                .open(&rings.sealer, &extras)
                .map_err(|_| unusable(slug, key))?;
            let verifier = key
                .verifying(&rings.sealer)
                .map_err(|_| unusable(slug, key))?;
            let name = of.map_or(key.kid.as_str(), |it| it.published_kid(&key.kid));
            let same = published.entry(name.to_owned()).or_default();
            same.push((key.kid.clone(), verifier));
            if key.state == KeyState::Active {
                active.insert(key.ring.audience, opened);
            }
        }
        let (mut built, mut names) = (HashMap::new(), BTreeMap::new());
        for audience in audiences {
            let name = audience.name.to_string();
            let active = active
                .remove(&audience.id)
                .ok_or_else(|| StartError::NoActiveKey {
                    organization: slug.clone(),
                    audience: name.clone(),
                })?;
            let shape = Shape::of(&audience).map_err(|faults| StartError::Settings {
                organization: slug.clone(),
                audience: name.clone(),
                fault: faults
                    .into_iter()
                    .next()
                    .unwrap_or(SettingsFault::TokenBytes)
                    .into(),
            })?;
            let own = keys.iter().filter(|key| key.ring.audience == audience.id);
            let ring = Ring {
                jwks: Jwks::of(own),
                wrapping: Wrapping::of(&audience.settings.format),
                audience,
                active,
                issuer: issuer.clone(),
                shape,
                hash_key: hash_key.clone(),
            };
            names.insert(name, ring.audience.id);
            built.insert(ring.audience.id, ring);
        }
        Ok(Self {
            rings: built,
            names,
            published,
            jwks: Jwks::of(keys),
        })
    }
}

/// What the header of an audience's tokens says.
fn header(audience: &Audience, issuer: &str) -> HeaderExtras {
    let claims = &audience.settings.claims;
    let issuer = claims.registered.issuer(issuer).to_owned();
    HeaderExtras {
        typ: claims.typ,
        key_id: claims.key_id.clone(),
        issuer: claims.issuer_in_header.then_some(issuer),
    }
}

fn unusable(organization: &Slug, key: &StoredKey) -> StartError {
    StartError::SealedKey {
        organization: organization.clone(),
        kid: key.kid.clone(),
    }
}

impl Jwks {
    /// The key that signs now comes first. A shared secret is never among them.
    fn of<'k>(keys: impl IntoIterator<Item = &'k StoredKey>) -> Self {
        let mut keys: Vec<&StoredKey> = keys.into_iter().collect();
        keys.sort_by_key(|key| key.state != KeyState::Active);
        let keys: Vec<_> = keys
            .iter()
            .filter_map(|key| key.public_jwk.as_ref())
            .collect();
        let body = json!({ "keys": keys }).to_string();
        let etag = format!(
            "\"{}\"",
            BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()))
        );
        Self {
            body: body.into(),
            etag: etag.into(),
        }
    }
}

/// All organizations' issuers, read when needed and kept until they change.
#[derive(Debug)]
pub(crate) struct Rings {
    database: Database,
    sealer: Sealer,
    hasher: Arc<AttributeHasher>,
    public_url: PublicUrl,
    cache: VersionedCache<Slug, OrganizationIssuer>,
}

/// Organizations kept in memory; others are read again.
const MAX_ORGANIZATIONS: usize = 20_000;

impl Rings {
    pub(crate) fn new(
        database: Database,
        feed: Arc<ChangeFeed>,
        sealer: Sealer,
        hasher: Arc<AttributeHasher>,
        public_url: PublicUrl,
    ) -> Self {
        Self {
            database,
            sealer,
            hasher,
            public_url,
            cache: VersionedCache::new(feed, MAX_ORGANIZATIONS),
        }
    }

    /// How the cache is used.
    pub(crate) fn usage(&self) -> CacheUse {
        self.cache.usage()
    }

    /// The database behind it.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The organization's issuer; `None` when there is no such organization.
    pub(crate) async fn get(
        &self,
        slug: &Slug,
    ) -> Result<Option<Arc<Versioned<OrganizationIssuer>>>, StartError> {
        self.cache.get(slug, || self.load(slug)).await
    }

    async fn load(&self, slug: &Slug) -> Result<Option<Versioned<OrganizationIssuer>>, StartError> {
        let mut tx = self.database.snapshot().await?;
        let Some((organization, version)) = Organization::version_by_slug(tx.conn(), slug).await?
        else {
            return Ok(None);
        };
        let audiences = audiences::store::list(tx.conn(), organization).await?;
        let keys = signing_keys::store::published(tx.conn(), organization).await?;
        let value = OrganizationIssuer::build(self, (organization, slug), audiences, &keys)?;
        Ok(Some(Versioned {
            organization,
            version,
            value,
        }))
    }

    /// Opens every key of every organization, so that a wrong master secret stops the start and not the first token.
    pub(crate) async fn check_all(&self) -> Result<(), StartError> {
        for organization in Organization::list(&self.database).await? {
            self.load(&organization.slug).await?;
        }
        Ok(())
    }

    /// A key of a ring, fresh or imported.
    pub(crate) fn seal(
        &self,
        ring: RingId,
        private: &SecretSlice<u8>,
        state: KeyState,
        now: Timestamp,
    ) -> Result<StoredKey, signing_keys::GenerateError> {
        StoredKey::seal(&self.sealer, ring, private, state, now)
    }

    /// A fresh ring: the key that signs from now on, and its successor.
    pub(crate) fn fresh_keys(
        &self,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<[StoredKey; 2], signing_keys::GenerateError> {
        let ring = audience.ring();
        Ok([
            StoredKey::generate(&self.sealer, ring, KeyState::Active, now)?,
            StoredKey::generate(&self.sealer, ring, KeyState::Next, now)?,
        ])
    }
}
