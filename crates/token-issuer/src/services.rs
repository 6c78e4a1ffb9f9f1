//! Everything that API, console and command line call, built in one place.

use std::sync::Arc;
use std::time::Duration;

use key_admin::hashing::Hasher;
use key_admin::organizations::CreateOrganizationError;
use key_admin::random::NoRandomness;
use key_admin::sealing::Sealer;
use key_admin::users::{CreateUserError, Email, HashedPassword, UserRole, create_user};
use key_admin::{
    Act, ApiKey, ApiKeyId, ApiKeyPatch, Asker, ChangeKeyError, CreateKeyError, CreatedKey, Edit,
    KeyAdmin, KeyAdminSecrets, KeyAdminSettings, KeyCeiling, MasterSecrets, NewApiKey,
    Organization, Slug,
};
use policy::{AudienceName, Authorizer, EngineError, PolicyError, PolicyService, starter_policy};
use secrecy::SecretString;
use storage::{
    AudienceId, ChangeFeed, Clock, Database, OrganizationId, PrincipalId, StorageError,
    record_change,
};

use crate::audiences::{
    self, Audience, AudienceSettings, DEFAULT_AUDIENCE, DEFAULT_LIMITS, KnownOrigins,
};
use crate::installation_keys::InstallationKeys;
use crate::issuance::TokenIssuer;
use crate::metadata::PublicUrl;
use crate::metrics::Steps;
use crate::renewal::FailedRenewals;
use crate::revocation::Revocations;
use crate::rings::{Rings, StartError};
use crate::sessions::{IssuanceLog, Recorder};
use crate::signing_keys::{self, GenerateError, SigningAlgorithm};
use crate::snapshot::Snapshots;

/// What the services are built from.
#[derive(Debug)]
pub struct ServiceSettings {
    /// The database, migrated.
    pub database: Database,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The master secret; while it is being changed, both.
    pub master: MasterSecrets,
    /// The address that clients reach.
    pub public_url: PublicUrl,
    /// The longest time for which this node acts on what it has cached without asking for changes.
    pub staleness_bound: Duration,
    /// When a token may leave.
    pub issuance_log: IssuanceLog,
    /// See [`KeyAdminSettings`].
    pub key_admin: KeyAdminSettings,
}

/// The services.
#[derive(Debug)]
pub struct Services {
    /// The database.
    pub database: Database,
    /// What this node knows of changes.
    pub feed: Arc<ChangeFeed>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who may ask.
    pub keys: KeyAdmin,
    /// Which caller may do what.
    pub authorizer: Authorizer,
    /// What may be granted.
    pub policy: Arc<PolicyService>,
    /// What is issued.
    pub issuer: TokenIssuer,
}

/// An organization to be, with its first owner.
#[derive(Debug)]
pub struct NewOrganization {
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The first owner's address.
    pub owner_email: Email,
    /// The first owner's password.
    pub owner_password: SecretString,
    /// Declare the roles `viewer`, `editor`, `admin` and the attributes `tenant_id` and `regions`?
    pub starter_policy: bool,
}

/// Why no organization was made. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum NewOrganizationError {
    /// The organization itself.
    #[error(transparent)]
    Organization(#[from] CreateOrganizationError),
    /// Its owner.
    #[error(transparent)]
    Owner(#[from] CreateUserError),
    /// Its first signing keys.
    #[error(transparent)]
    SigningKeys(#[from] GenerateError),
    /// Its policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why no API key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateApiKeyError {
    /// The ceiling names what is not declared.
    #[error("the key's limits are not usable: {0}")]
    Ceiling(String),
    /// The policy could not be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The key itself.
    #[error(transparent)]
    Key(#[from] CreateKeyError),
}

/// Why an API key was not edited.
#[derive(Debug, thiserror::Error)]
pub enum UpdateApiKeyError {
    /// The ceiling names what is not declared.
    #[error("the key's limits are not usable: {0}")]
    Ceiling(String),
    /// The policy could not be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The key itself.
    #[error(transparent)]
    Key(#[from] ChangeKeyError),
}

/// Why the services do not start.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// A key ring is not usable.
    #[error(transparent)]
    Rings(#[from] StartError),
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// casbin did not take the permission table.
    #[error(transparent)]
    Authorizer(#[from] EngineError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Services {
    /// Builds the services and checks that every sealed key opens.
    pub async fn start(settings: ServiceSettings) -> Result<Self, ServicesError> {
        let ServiceSettings {
            database,
            clock,
            master,
            public_url,
            staleness_bound,
            issuance_log,
            key_admin,
        } = settings;
        let feed = ChangeFeed::start(database.clone(), staleness_bound).await?;
        let sealer = Sealer::of_both(&master).map_err(StartError::from)?;
        let installation = InstallationKeys::open(&database, &master).await?;
        let hasher = Arc::new(installation.attributes);
        let rings = Rings::new(
            database.clone(),
            feed.clone(),
            sealer,
            hasher.clone(),
            public_url.clone(),
        );
        rings.check_all().await?;
        let keys = KeyAdmin::new(
            database.clone(),
            feed.clone(),
            clock.clone(),
            KeyAdminSecrets {
                pepper: installation.pepper,
                sealer: Box::new(Sealer::of_both(&master).map_err(StartError::from)?),
            },
            key_admin,
        )?;
        let policy = Arc::new(PolicyService::new(
            database.clone(),
            feed.clone(),
            clock.clone(),
        ));
        let steps = Arc::new(Steps::new());
        let recorder = Recorder::start(
            database.clone(),
            issuance_log,
            hasher.clone(),
            keys.counter().clone(),
            steps.clone(),
        )
        .await?;
        let issuer = TokenIssuer {
            database: database.clone(),
            feed: feed.clone(),
            rings,
            recorder,
            steps,
            revocations: Revocations::new(),
            snapshots: Snapshots::new(),
            refusals: keys.refusals().clone(),
            failed_renewals: FailedRenewals::new(clock.clone()),
            known_origins: KnownOrigins::new(),
            hasher,
            policy: policy.clone(),
            clock: clock.clone(),
            public_url,
        };
        let authorizer = Authorizer::new().await?;
        Ok(Self {
            database,
            feed,
            clock,
            keys,
            authorizer,
            policy,
            issuer,
        })
    }

    /// Makes an API key, after checking that its ceiling names only what the organization's policy declares.
    pub async fn create_api_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        new: NewApiKey,
    ) -> Result<CreatedKey, CreateApiKeyError> {
        self.check_ceiling(new.organization, &new.ceiling)
            .await?
            .map_err(CreateApiKeyError::Ceiling)?;
        Ok(self.keys.create_key(act, by, new).await?)
    }

    /// Edits an API key, after the same check of a new ceiling.
    pub async fn update_api_key(
        &self,
        act: &Act,
        by: Asker<'_>,
        organization: OrganizationId,
        id: ApiKeyId,
        patch: ApiKeyPatch,
    ) -> Result<ApiKey, UpdateApiKeyError> {
        if let Edit::Set(ceiling) = &patch.ceiling {
            self.check_ceiling(organization, ceiling)
                .await?
                .map_err(UpdateApiKeyError::Ceiling)?;
        }
        let keys = &self.keys;
        Ok(keys.update_key(act, by, organization, id, patch).await?)
    }

    /// Is everything that a ceiling names declared? The inner error says what is not.
    async fn check_ceiling(
        &self,
        organization: OrganizationId,
        ceiling: &KeyCeiling,
    ) -> Result<Result<(), String>, PolicyError> {
        let audiences = {
            let mut read = self.database.read().await?;
            audiences::store::list(read.conn(), organization).await?
        };
        let declared =
            |name: &&String| audiences.iter().any(|it| it.name.as_str() == name.as_str());
        if let Some(unknown) = ceiling
            .audiences
            .iter()
            .flatten()
            .find(|name| !declared(name))
        {
            return Ok(Err(format!("there is no audience `{unknown}`")));
        }
        self.policy.check_ceiling(organization, ceiling).await
    }

    /// Makes an organization with its first owner, its default audience and that audience's key ring, all or nothing.
    pub async fn create_organization(
        &self,
        act: &Act,
        new: NewOrganization,
    ) -> Result<(Organization, PrincipalId), NewOrganizationError> {
        let hasher: &Hasher = self.keys.hasher();
        let password =
            HashedPassword::for_login(hasher, new.owner_password, &new.owner_email, &new.slug)
                .await?;
        let mut tx = self.database.write().await?;
        let organization =
            Organization::create(&mut tx, &*self.clock, act, new.slug, &new.name).await?;
        let login = (&new.owner_email, &password);
        let owner = create_user(
            &mut tx,
            &*self.clock,
            (act, organization.id),
            login,
            UserRole::Owner,
        )
        .await?;

        let audience = default_audience(&organization, &*self.clock)?;
        audiences::store::insert(tx.conn(), &audience).await?;
        for key in self.issuer.rings.fresh_keys(&audience, self.clock.now())? {
            signing_keys::store::insert(tx.conn(), &key).await?;
        }
        if new.starter_policy {
            policy::first_policy(&mut tx, organization.id, &starter_policy()).await?;
        }
        record_change(&mut tx, organization.id).await?;
        tx.commit().await?;
        self.feed.catch_up().await;
        Ok((organization, owner))
    }
}

fn default_audience(
    organization: &Organization,
    clock: &dyn Clock,
) -> Result<Audience, StorageError> {
    Ok(Audience {
        id: AudienceId::new(clock),
        organization: organization.id,
        name: AudienceName::parse(DEFAULT_AUDIENCE)
            .map_err(|error| StorageError::corrupt("audience name", error))?,
        aud: DEFAULT_AUDIENCE.to_owned(),
        algorithm: SigningAlgorithm::default(),
        limits: DEFAULT_LIMITS,
        settings: AudienceSettings::default(),
        created_at: clock.now(),
    })
}
