//! An installation with one organization and one owner of keys, as tests see it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use storage::{
    ChangeFeed, Clock, Database, ManualClock, OrganizationId, PrincipalId, Timestamp, execute,
    record_change,
};

use crate::{
    Act, ApiKeyContext, Asker, AuthenticateError, CreatedKey, KeyAdmin, KeyAdminSecrets,
    KeyAdminSettings, KeyCeiling, KeyFilter, ListedKey, MasterSecret, NewApiKey, Organization,
    Permission, PresentedKey, Slug, UserRole,
};

pub(crate) const MASTER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_MASTER: &str =
    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
pub(crate) const LONG: Duration = Duration::from_hours(1);

pub(crate) struct App {
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) organization: OrganizationId,
    pub(crate) owner: PrincipalId,
    pub(crate) node: Node,
}

/// One server of the installation: its own caches, its own knowledge of changes.
pub(crate) struct Node {
    pub(crate) feed: Arc<ChangeFeed>,
    pub(crate) keys: KeyAdmin,
}

impl App {
    pub(crate) async fn on(database: Database) -> Self {
        Self::with(database, KeyAdminSettings::default()).await
    }

    pub(crate) async fn with(database: Database, settings: KeyAdminSettings) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600)));
        let organization = add_organization(&database, &*clock, "acme").await;
        let owner = add_owner(&database, &*clock, organization).await;
        let node = Node::start(&database, clock.clone(), MASTER, LONG, settings).await;
        Self {
            database,
            clock,
            organization,
            owner,
            node,
        }
    }

    /// Another server on the same database.
    pub(crate) async fn another_node(&self) -> Node {
        self.node_with(MASTER, LONG, KeyAdminSettings::default())
            .await
    }

    pub(crate) async fn node_with(
        &self,
        master: &str,
        bound: Duration,
        settings: KeyAdminSettings,
    ) -> Node {
        Node::start(&self.database, self.clock.clone(), master, bound, settings).await
    }

    pub(crate) fn new_key(&self, name: &str) -> NewApiKey {
        NewApiKey {
            organization: self.organization,
            owner: self.owner,
            created_by: None,
            name: name.to_owned(),
            expires_at: None,
            permissions: vec![Permission::TokensIssue],
            ceiling: KeyCeiling::default(),
            allowed_networks: Vec::new(),
            rate_limit: None,
        }
    }

    pub(crate) async fn creates_key(&self, name: &str) -> CreatedKey {
        self.creates(self.new_key(name)).await
    }

    pub(crate) async fn creates(&self, new: NewApiKey) -> CreatedKey {
        self.node
            .keys
            .create_key(act(), Asker::Machine, new)
            .await
            .unwrap()
    }

    pub(crate) async fn disables(&self, key: &CreatedKey) {
        let keys = &self.node.keys;
        keys.disable_key(act(), Asker::Machine, self.organization, key.key.id)
            .await
            .unwrap();
    }

    pub(crate) async fn deletes(&self, key: &CreatedKey) {
        let keys = &self.node.keys;
        keys.delete_key(
            act(),
            Asker::Machine,
            self.organization,
            key.key.id,
            crate::IssuedTokens::Void,
        )
        .await
        .unwrap();
    }

    /// All keys of the organization, newest first, as far as one page goes.
    pub(crate) async fn lists(&self) -> Vec<ListedKey> {
        let keys = &self.node.keys;
        keys.list_keys(self.organization, &KeyFilter::default(), None, 100)
            .await
            .unwrap()
    }

    /// What no service offers yet, done to the row; known to this node when it returns.
    pub(crate) async fn suspends_owner(&self) {
        let mut tx = self.database.write().await.unwrap();
        let sql = "update principals set state = 'suspended' where id = $1";
        assert_eq!(execute!(tx.conn(), sql, self.owner).unwrap(), 1);
        record_change(&mut tx, self.organization).await.unwrap();
        tx.commit().await.unwrap();
        self.node.feed.refresh().await.unwrap();
    }

    pub(crate) async fn authenticates(
        &self,
        key: &CreatedKey,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        self.node.authenticates(key).await
    }
}

impl Node {
    async fn start(
        database: &Database,
        clock: Arc<dyn Clock>,
        master: &str,
        bound: Duration,
        settings: KeyAdminSettings,
    ) -> Self {
        let feed = ChangeFeed::start(database.clone(), bound).await.unwrap();
        let secrets = KeyAdminSecrets::derived(&MasterSecret::parse(master).unwrap()).unwrap();
        let keys = KeyAdmin::new(database.clone(), feed.clone(), clock, secrets, settings).unwrap();
        Self { feed, keys }
    }

    pub(crate) async fn authenticates(
        &self,
        key: &CreatedKey,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        self.presents(&key.secret, CLIENT).await
    }

    pub(crate) async fn presents(
        &self,
        key: &SecretString,
        client: &str,
    ) -> Result<ApiKeyContext, AuthenticateError> {
        let presented = PresentedKey::parse(key.expose_secret()).unwrap();
        let request_id = Some("req_test");
        self.keys
            .authenticate(&presented, address(client), request_id)
            .await
    }
}

/// Where requests come from when a test does not care.
pub(crate) const CLIENT: &str = "192.0.2.1";

/// Who acts when a test does not care.
pub(crate) fn act() -> &'static Act {
    static ACT: std::sync::LazyLock<Act> = std::sync::LazyLock::new(Act::on_command_line);
    &ACT
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) async fn add_organization(
    database: &Database,
    clock: &dyn Clock,
    slug: &str,
) -> OrganizationId {
    let mut tx = database.write().await.unwrap();
    let slug = Slug::parse(slug).unwrap();
    let organization = Organization::create(&mut tx, clock, act(), slug, "An organization")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    organization.id
}

pub(crate) async fn add_owner(
    database: &Database,
    clock: &dyn Clock,
    organization: OrganizationId,
) -> PrincipalId {
    let id = PrincipalId::new(clock);
    let mut tx = database.write().await.unwrap();
    execute!(
        tx.conn(),
        "insert into principals (id, organization_id, kind, name, state, created_at)
         values ($1, $2, 'service_account', 'ci', 'active', $3)",
        id,
        organization,
        clock.now(),
    )
    .unwrap();
    tx.commit().await.unwrap();
    id
}

/// A user with this role, as a row: hashing a password takes long, and nobody logs in here.
pub(crate) async fn add_user(app: &App, role: UserRole) -> PrincipalId {
    let id = PrincipalId::new(&*app.clock);
    let mut tx = app.database.write().await.unwrap();
    let sql = "insert into principals (id, organization_id, kind, name, state, created_at)
               values ($1, $2, 'user', 'somebody', 'active', $3)";
    execute!(tx.conn(), sql, id, app.organization, app.clock.now()).unwrap();
    execute!(
        tx.conn(),
        "insert into users (principal_id, organization_id, email, password_hash, role)
         values ($1, $2, $3, 'none', $4)",
        id,
        app.organization,
        format!("{id}@example.com"),
        role.as_str(),
    )
    .unwrap();
    tx.commit().await.unwrap();
    id
}
