//! The whole chain from an organization to an issued token, on both engines.

mod attacks;
mod checking;
mod cutoffs;
mod exchanging;
mod explaining;
mod explaining_to_people;
mod finding;
mod forgetting;
mod inspecting;
mod installation_keys;
mod intake;
mod issuing;
mod organizations;
mod playground;
mod published;
mod renewing;
mod renewing_refused;
mod reseal;
mod revoking;
mod revoking_values;
mod rings;
mod samples;
mod sensitive;
mod settings;
mod starting;
mod tokens;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use key_admin::sign_in::{Browser, PasswordSignIn};
use key_admin::users::Email;
use key_admin::{
    Act, ApiKeyContext, Asker, KeyAdminSettings, KeyCeiling, MasterSecret, MasterSecrets,
    NewApiKey, Organization, Permission, PresentedKey, SignedIn, Slug,
};
use policy::operations::markers::IssueSessionToken;
use policy::{GrantRequest, Permitted, Resource};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use storage::{Clock, Database, ManualClock, PrincipalId, Timestamp};

use crate::services::{NewOrganizationError, ServicesError};
use crate::{
    IssueError, IssueRequest, IssuedToken, NewOrganization, Origin, PublicUrl, ServiceSettings,
    Services,
};

const MASTER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER_MASTER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
/// Half a second past a full one: tokens carry whole seconds.
const NOW: Timestamp = Timestamp::from_unix_micros(1_767_225_600_500_000);

/// A server with the organization `acme`, the starter policy, and a caller that may issue.
struct App {
    database: Database,
    services: Services,
    clock: Arc<ManualClock>,
    organization: Organization,
    owner: PrincipalId,
    caller: Permitted<IssueSessionToken>,
}

impl App {
    async fn on(database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let master = MasterSecret::parse(MASTER).unwrap();
        let services = start_at(&database, master, clock.clone()).await.unwrap();
        let (organization, owner) = found(&services, "acme", "ada@example.com").await.unwrap();
        let caller = caller(&services, &organization, owner).await;
        Self {
            caller: services.authorizer.permit(caller).unwrap(),
            database,
            services,
            clock,
            organization,
            owner,
        }
    }

    async fn default(&self) -> crate::audiences::Audience {
        let audiences = self.services.issuer.audiences(self.organization.id).await;
        let mut audiences = audiences.unwrap().into_iter();
        audiences.find(|it| it.name.as_str() == "default").unwrap()
    }

    async fn issues(&self, subject: &str) -> Result<IssuedToken, IssueError> {
        self.issues_to(&self.caller, subject).await
    }

    async fn issues_to(
        &self,
        caller: &Permitted<IssueSessionToken>,
        subject: &str,
    ) -> Result<IssuedToken, IssueError> {
        let request = IssueRequest {
            grant: request(subject),
            origin: Origin {
                request_id: "req-1".to_owned(),
                client: "2001:db8::7".parse().unwrap(),
            },
        };
        self.services.issuer.issue(caller, request).await
    }
}

/// Signs somebody in with the password of all owners here.
async fn signed_in(services: &Services, email: &str) -> SignedIn {
    let browser = Browser::new("192.0.2.1".parse().unwrap(), "a browser", None);
    let password = "correct horse battery".into();
    let signed_in = services.keys.sign_in(&browser, email, password).await;
    match signed_in.unwrap() {
        PasswordSignIn::Done(session) => services.authorizer.with_permissions(session.person),
        PasswordSignIn::SecondFactor(_) => panic!("there is no second factor"),
    }
}

/// Starts a server, as `jeton serve` does.
async fn start(database: &Database, master: &str) -> Result<Services, ServicesError> {
    start_with(database, MasterSecret::parse(master).unwrap()).await
}

async fn start_with(
    database: &Database,
    master: impl Into<MasterSecrets>,
) -> Result<Services, ServicesError> {
    start_at(database, master, Arc::new(ManualClock::at(NOW))).await
}

async fn start_at(
    database: &Database,
    master: impl Into<MasterSecrets>,
    clock: Arc<dyn Clock>,
) -> Result<Services, ServicesError> {
    Services::start(ServiceSettings {
        database: database.clone(),
        clock,
        master: master.into(),
        public_url: PublicUrl::parse("https://tokens.example.com").unwrap(),
        staleness_bound: Duration::from_hours(1),
        issuance_log: crate::IssuanceLog::Durable,
        key_admin: KeyAdminSettings::default(),
    })
    .await
}

async fn found(
    services: &Services,
    slug: &str,
    email: &str,
) -> Result<(Organization, PrincipalId), NewOrganizationError> {
    let new = NewOrganization {
        slug: Slug::parse(slug).unwrap(),
        name: "An organization".to_owned(),
        owner_email: Email::parse(email).unwrap(),
        owner_password: "correct horse battery".into(),
        starter_policy: true,
    };
    services
        .create_organization(&Act::on_command_line(), new)
        .await
}

async fn caller(
    services: &Services,
    organization: &Organization,
    owner: PrincipalId,
) -> ApiKeyContext {
    let new = NewApiKey {
        organization: organization.id,
        owner,
        created_by: Some(owner),
        name: "backend".to_owned(),
        expires_at: None,
        permissions: vec![Permission::TokensIssue],
        ceiling: KeyCeiling::default(),
        allowed_networks: Vec::new(),
        rate_limit: None,
    };
    let key = services
        .create_api_key(&Act::on_command_line(), Asker::Machine, new)
        .await
        .unwrap();
    let presented = PresentedKey::parse(key.secret.expose_secret()).unwrap();
    let client = "192.0.2.1".parse().unwrap();
    services
        .keys
        .authenticate(&presented, client, None)
        .await
        .unwrap()
}

/// The key that signed a token, as its header says.
fn signing_kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

/// The request of DESIGN.md, for this user.
fn request(subject: &str) -> GrantRequest {
    let Value::Object(attributes) = json!({"tenant_id": "t-1", "regions": ["eu", "us"]}) else {
        unreachable!("an object")
    };
    GrantRequest {
        subject: subject.to_owned(),
        roles: vec!["viewer".to_owned()],
        attributes,
        audience: "default".to_owned(),
        ttl_seconds: Some(900),
        resources: vec![Resource {
            kind: "dashboard".to_owned(),
            id: "sales".to_owned(),
        }],
    }
}
