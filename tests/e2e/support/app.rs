//! A server with an organization, and direct access to its services for arranging what the API cannot yet.

use std::sync::Arc;
use std::time::Duration;

use key_admin::users::{Email, NewUser, UserRole};
use key_admin::{
    Act, ApiKey, Asker, KeyCeiling, MasterSecret, NewApiKey, Organization, Permission, Slug,
};
use policy::PolicyDocument;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::testing::ScratchDatabase;
use storage::{Database, Engine, OrganizationId, PrincipalId, ReadConn, SystemClock, Timestamp};
use token_issuer::audiences::{AudiencePatch, AudienceSettings};
use token_issuer::{NewOrganization, PublicUrl, ServiceSettings, Services};

use super::{Answer, Jeton, contract, run_to_end};

pub(crate) const PUBLIC_URL: &str = "https://tokens.test";
pub(crate) const MASTER_SECRET: &str =
    "7f3c1d9a5b8e2f4061c7d8a9b0e1f2c37f3c1d9a5b8e2f4061c7d8a9b0e1f2c3";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Runs a test against a fresh server on each engine.
pub(crate) async fn on_both_engines<F: Future<Output = ()>>(test: impl Fn(App) -> F) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("engine: {engine:?}");
        test(App::start(engine).await).await;
    }
}

/// A running server.
pub(crate) struct App {
    pub(crate) server: Jeton,
    pub(crate) services: Services,
    pub(crate) organization: Organization,
    pub(crate) owner: PrincipalId,
    /// A key without limits of its own.
    pub(crate) key: String,
    pub(crate) http: reqwest::Client,
    settings: Vec<(String, String)>,
    // Last: the database goes when nothing uses it any more.
    _database: ScratchDatabase,
}

/// What a test wants of a key; the rest is ordinary.
#[derive(Clone, Debug)]
pub(crate) struct NewKey {
    pub(crate) ceiling: KeyCeiling,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) networks: Vec<ipnet::IpNet>,
}

impl Default for NewKey {
    fn default() -> Self {
        Self {
            ceiling: KeyCeiling::default(),
            expires_at: None,
            permissions: Permission::ALL.to_vec(),
            networks: Vec::new(),
        }
    }
}

impl App {
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// Starts a server with further settings in its environment.
    pub(crate) async fn start_with(engine: Engine, further: &[(&str, &str)]) -> Self {
        let database = ScratchDatabase::create(engine).await;
        let mut settings: Vec<(String, String)> = [
            ("JETON_DATABASE_URL", database.url()),
            ("JETON_MASTER_SECRET", MASTER_SECRET),
            ("JETON_PUBLIC_URL", PUBLIC_URL),
            ("JETON_LISTEN", "127.0.0.1:0"),
        ]
        .iter()
        .chain(further)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
        let migrated = run_to_end(&["migrate"], &borrowed(&settings));
        assert!(migrated.status.success(), "{migrated:?}");

        let services = services(database.url()).await;
        let (organization, owner) = services
            .create_organization(&Act::on_command_line(), acme())
            .await
            .unwrap();
        services
            .policy
            .replace(
                &Act::on_command_line(),
                organization.id,
                None,
                test_policy(),
            )
            .await
            .unwrap();
        let server = Jeton::start(&["serve"], &borrowed(&settings));
        settings.shrink_to_fit();
        let mut app = Self {
            server,
            services,
            organization,
            owner,
            key: String::new(),
            http: client(),
            settings,
            _database: database,
        };
        app.key = app.create_key(NewKey::default()).await.1;
        app
    }

    /// Starts the same server again after its end, on the same port.
    pub(crate) fn restart(&mut self) {
        let listen = self.server.address().to_owned();
        let mut environment = borrowed(&self.settings);
        environment.push(("JETON_LISTEN", &listen));
        self.server = Jeton::start(&["serve"], &environment);
        // Connections that are kept lead to the server that ended.
        self.http = client();
    }

    /// Changes a setting for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a setting away for the next start.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(it, _)| it != name);
    }

    /// Starts the server again with the address that it listens on as its public one, for clients that follow it.
    pub(crate) fn serve_under_its_own_address(&mut self) {
        let url = self.server.url();
        for (name, value) in &mut self.settings {
            if name == "JETON_PUBLIC_URL" {
                value.clone_from(&url);
            }
        }
        self.server.kill();
        self.restart();
        // The connections that the other one kept lead nowhere.
        self.http = client();
    }

    /// The settings of the server, for commands on the same installation.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        borrowed(&self.settings)
    }

    /// The file of the embedded database.
    pub(crate) fn database_file(&self) -> String {
        let url = self.settings.iter().find(|it| it.0 == "JETON_DATABASE_URL");
        let path = url.unwrap().1.strip_prefix("sqlite:");
        path.expect("the embedded engine").to_owned()
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{PUBLIC_URL}/orgs/{}", self.organization.slug)
    }

    pub(crate) fn jwks_url(&self) -> String {
        format!(
            "{}/orgs/{}/.well-known/jwks.json",
            self.server.url(),
            self.organization.slug
        )
    }

    /// Makes a key that the server knows when this returns; the answer's second half is the whole key.
    pub(crate) async fn create_key(&self, new: NewKey) -> (ApiKey, String) {
        self.create_key_for(self.organization.id, self.owner, new)
            .await
    }

    async fn create_key_for(
        &self,
        organization: OrganizationId,
        owner: PrincipalId,
        new: NewKey,
    ) -> (ApiKey, String) {
        let new = NewApiKey {
            organization,
            owner,
            created_by: None,
            name: "test".into(),
            expires_at: new.expires_at,
            permissions: new.permissions,
            ceiling: new.ceiling,
            allowed_networks: new.networks,
            rate_limit: None,
        };
        let act = Act::on_command_line();
        let created = self
            .services
            .keys
            .create_key(&act, Asker::Machine, new)
            .await
            .unwrap();
        self.server_sees_changes().await;
        (created.key, created.secret.expose_secret().to_owned())
    }

    /// A key with all permissions in an organization of its own.
    pub(crate) async fn key_of_another_organization(&self) -> String {
        let mut other = acme();
        other.slug = Slug::parse("other").unwrap();
        other.name = "Other".into();
        other.owner_email = Email::parse("bob@other.example").unwrap();
        let (organization, owner) = self
            .services
            .create_organization(&Act::on_command_line(), other)
            .await
            .unwrap();
        self.create_key_for(organization.id, owner, NewKey::default())
            .await
            .1
    }

    /// A key that was given all permissions, owned by a user who is only a viewer.
    pub(crate) async fn key_of_a_viewer(&self) -> String {
        self.key_of_a_new_user("eve@acme.example", UserRole::Viewer)
            .await
    }

    /// A key with all permissions, owned by an admin.
    pub(crate) async fn key_of_an_admin(&self) -> String {
        self.key_of_a_new_user("joe@acme.example", UserRole::Admin)
            .await
    }

    async fn key_of_a_new_user(&self, email: &str, role: UserRole) -> String {
        let user = NewUser {
            email: Email::parse(email).unwrap(),
            password: PASSWORD.into(),
            role,
            name: None,
        };
        let act = Act::on_command_line();
        let keys = &self.services.keys;
        let user = keys
            .create_user(&act, None, self.organization.id, user)
            .await
            .unwrap();
        self.create_key_for(self.organization.id, user.id, NewKey::default())
            .await
            .1
    }

    /// Lets pages of these origins renew tokens of the default audience, by this rule.
    pub(crate) async fn lets_pages_renew(&self, origins: &[&str], rule: Value) {
        let settings = json!({ "authorized_origins": origins, "renewal": rule });
        let settings: AudienceSettings = serde_json::from_value(settings).unwrap();
        let patch = AudiencePatch {
            settings: settings.into(),
            ..AudiencePatch::default()
        };
        let (issuer, organization) = (&self.services.issuer, self.organization.id);
        let audiences = issuer.audiences(organization).await.unwrap();
        let default = audiences.iter().find(|it| it.name.as_str() == "default");
        let act = Act::on_command_line();
        let updated = issuer.update_audience(&act, organization, default.unwrap().id, patch);
        updated.await.unwrap();
        self.server_sees_changes().await;
    }

    /// Returns when the server has read every change that is committed now.
    pub(crate) async fn server_sees_changes(&self) {
        assert_eq!(self.get("/readyz").await.status, 200);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(self.server.url() + path)).await
    }

    /// Sends a request, and checks that the answer is one that the document describes.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = Answer::of(client.execute(request).await.unwrap()).await;
        contract::check(&method, &path, &answer);
        answer
    }

    /// Any operation, with the unlimited key.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.call_with(&self.key, method, path, body).await
    }

    /// Any operation, with this key.
    pub(crate) async fn call_with(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.http.request(method, self.server.url() + path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request.header("x-api-key", key)).await
    }

    /// `POST /v1/session-tokens` with the unlimited key.
    pub(crate) async fn issue(&self, body: &Value) -> Answer {
        self.issue_with(&self.key, body).await
    }

    /// `POST /v1/session-tokens` with this key.
    pub(crate) async fn issue_with(&self, key: &str, body: &Value) -> Answer {
        self.issue_text(key, body.to_string()).await
    }

    /// `POST /v1/session-tokens` with this key and a body that may be anything.
    pub(crate) async fn issue_text(&self, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .http
            .post(self.server.url() + "/v1/session-tokens")
            .header("authorization", format!("ApiKey {key}"))
            .header("content-type", "application/json")
            .body(body);
        self.send(request).await
    }

    /// Is the session of this answer recorded?
    pub(crate) async fn has_session(&self, answer: &Value) -> bool {
        let session = answer["session_id"].as_str().unwrap().parse().unwrap();
        let mut read = self.read_sessions().await;
        token_issuer::sessions::exists(read.conn(), self.organization.id, session)
            .await
            .unwrap()
    }

    /// How many sessions are recorded?
    pub(crate) async fn count_sessions(&self) -> i64 {
        let mut read = self.read_sessions().await;
        storage::fetch_one!(read.conn(), (i64,), "select count(*) from sessions")
            .unwrap()
            .0
    }

    /// A connection that sees what the server has recorded, also what it has not sorted into the table yet.
    pub(crate) async fn read_sessions(&self) -> ReadConn {
        self.services.issuer.take_over().await.unwrap();
        self.services.database.read().await.unwrap()
    }
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder.timeout(Duration::from_mins(1)).build().unwrap()
}

/// A form, as OAuth clients send it.
pub(crate) trait Form {
    /// Of names and values that need no encoding.
    fn form(self, parameters: &[(&str, &str)]) -> Self;
}

impl Form for RequestBuilder {
    fn form(self, parameters: &[(&str, &str)]) -> Self {
        let pairs = parameters.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"))
    }
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The services on the same database, as another node would run them.
async fn services(url: &str) -> Services {
    let database = Database::connect(url).await.unwrap();
    Services::start(ServiceSettings {
        database,
        clock: Arc::new(SystemClock),
        master: MasterSecret::parse(MASTER_SECRET).unwrap().into(),
        public_url: PublicUrl::parse(PUBLIC_URL).unwrap(),
        staleness_bound: Duration::from_secs(2),
        issuance_log: token_issuer::IssuanceLog::Durable,
        key_admin: key_admin::KeyAdminSettings::default(),
    })
    .await
    .unwrap()
}

pub(crate) fn acme() -> NewOrganization {
    NewOrganization {
        slug: Slug::parse("acme").unwrap(),
        name: "Acme".into(),
        owner_email: Email::parse("ada@acme.example").unwrap(),
        owner_password: PASSWORD.into(),
        starter_policy: false,
    }
}

/// Roles and attributes of every kind.
fn test_policy() -> PolicyDocument {
    serde_json::from_value(json!({
        "roles": [
            { "name": "viewer", "permissions": [{ "resource": "dashboard", "action": "view" }] },
            { "name": "editor", "inherits": ["viewer"],
              "permissions": [{ "resource": "dashboard", "action": "edit" }] },
            { "name": "admin", "inherits": ["editor"] },
            { "name": "auditor", "required_attributes": ["since"] },
            { "name": "guest", "max_ttl_seconds": 60 },
        ],
        "attributes": [
            { "name": "tenant_id", "type": "string", "required": true, "max_length": 36 },
            { "name": "regions", "type": "string", "list": true },
            { "name": "plan", "type": "string", "allowed_values": ["free", "pro"] },
            { "name": "code", "type": "string", "pattern": "[A-Z]{3}[0-9]{2}" },
            { "name": "level", "type": "integer" },
            { "name": "score", "type": "number" },
            { "name": "internal", "type": "boolean" },
            { "name": "since", "type": "date" },
            { "name": "store_ids", "type": "integer", "list": true, "max_items": 3 },
        ],
    }))
    .unwrap()
}
