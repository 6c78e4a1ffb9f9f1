//! What is counted: the steps of an issuance, in this process, without HTTP, with everything warm.
//!
//! Time, requests and rules are the same in every run. Keys and seeds of hash tables are not, and cost nearly the same
//! whatever they are.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, bail, ensure};
use key_admin::users::Email;
use key_admin::{Act, Asker, KeyCeiling, NewApiKey, Permission, PresentedKey, Slug};
use policy::operations::markers::IssueSessionToken;
use policy::{AudienceName, GrantRequest, Permitted, Resource};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use storage::{ManualClock, Timestamp};
use token_issuer::audiences::AudienceDraft;
use token_issuer::signing_keys::SigningAlgorithm;
use token_issuer::{Claims, NewOrganization, Services};
use tokio::runtime::Builder;

use crate::in_process;
use crate::scratch::Scratch;

/// How often each step is counted; the count of one is the mean.
pub(crate) const CALLS: u32 = 32;
/// How often each step is taken before, so that caches are filled.
const WARM_UP: u32 = 4;
/// The steps, in the order in which they are counted.
pub(crate) const STEPS: [&str; 6] = [
    "authenticate",
    "decide and make claims",
    "sign ES256",
    "sign EdDSA",
    "sign HS256",
    "all with ES256",
];

const NOW: Timestamp = Timestamp::from_unix_micros(1_767_225_600_500_000);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Workbench {
    services: Services,
    api_key: SecretString,
    caller: Permitted<IssueSessionToken>,
}

/// Takes every step; [`count`](crate::count) says what valgrind is told about them.
pub(crate) fn run() -> anyhow::Result<()> {
    let scratch = Scratch::create()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bench = runtime.block_on(Workbench::new(&scratch))?;
    let _within = runtime.enter();
    let audiences = ["default", "eddsa", "hs256"];
    count(|| bench.authenticate().map(drop))?;
    count(|| bench.claims("default").map(drop))?;
    for audience in audiences {
        let mut prepared = Vec::new();
        for _ in 0..CALLS + WARM_UP {
            prepared.push(bench.claims(audience)?);
        }
        count(|| bench.sign(prepared.pop().context("no claims are left")?))?;
    }
    count(|| {
        let caller = bench.authenticate()?;
        let preview = bench.services.issuer.preview(&caller, request("default"));
        bench.sign(at_once(preview)??)
    })
}

fn count(mut step: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 0..WARM_UP {
        step()?;
    }
    the_count_that_is_written(&mut step)
}

/// When it ends, valgrind writes what it has counted. A function of its own, since valgrind takes one order per name.
#[inline(never)]
fn the_count_that_is_written(step: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let done = the_steps_that_are_counted(step);
    // Without work after it the call could be a jump, and no end be seen.
    black_box(done)
}

/// The instructions of this function, and of all that it calls, count.
#[inline(never)]
fn the_steps_that_are_counted(step: &mut dyn FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for _ in 0..CALLS {
        step()?;
    }
    Ok(())
}

/// The result of something that waits for nobody.
fn at_once<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => bail!("a step waited for something although everything was warm"),
    }
}

impl Workbench {
    async fn new(scratch: &Scratch) -> anyhow::Result<Self> {
        let database = format!("sqlite:{}", scratch.path().join("jeton.db").display());
        let master = in_process::master_secret(&"0123456789abcdef".repeat(4))?;
        let services = in_process::open(&database, master, Arc::new(ManualClock::at(NOW))).await?;
        let act = Act::on_command_line();
        let new = NewOrganization {
            slug: Slug::parse("acme")?,
            name: "An organization".to_owned(),
            owner_email: Email::parse("ada@example.com")?,
            owner_password: "correct horse battery".into(),
            starter_policy: true,
        };
        let (organization, owner) = services.create_organization(&act, new).await?;
        for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Hs256] {
            let draft = AudienceDraft {
                name: AudienceName::parse(algorithm.as_str().to_lowercase())?,
                algorithm: Some(algorithm),
                secret: None,
                said: token_issuer::audiences::AudiencePatch::default(),
                preset: None,
            };
            let new = draft
                .complete()
                .ok()
                .context("an audience is not complete")?;
            services
                .issuer
                .create_audience(&act, organization.id, new)
                .await?;
        }
        let new = NewApiKey {
            organization: organization.id,
            owner,
            created_by: None,
            name: "backend".to_owned(),
            expires_at: None,
            permissions: vec![Permission::TokensIssue],
            ceiling: KeyCeiling::default(),
            allowed_networks: Vec::new(),
            rate_limit: None,
        };
        let created = services.create_api_key(&act, Asker::Machine, new).await?;
        let presented = PresentedKey::parse(created.secret.expose_secret())?;
        let caller = services.keys.authenticate(&presented, CLIENT, None).await?;
        let caller = services.authorizer.permit::<IssueSessionToken>(caller)?;
        for audience in ["default", "eddsa", "hs256"] {
            services.issuer.preview(&caller, request(audience)).await?;
        }
        Ok(Self {
            services,
            api_key: created.secret,
            caller,
        })
    }

    fn authenticate(&self) -> anyhow::Result<Permitted<IssueSessionToken>> {
        let presented = PresentedKey::parse(self.api_key.expose_secret())?;
        let caller = at_once(self.services.keys.authenticate(&presented, CLIENT, None))??;
        Ok(self.services.authorizer.permit(caller)?)
    }

    fn claims(&self, audience: &str) -> anyhow::Result<Claims> {
        let preview = self
            .services
            .issuer
            .preview(&self.caller, request(audience));
        Ok(at_once(preview)??)
    }

    fn sign(&self, claims: Claims) -> anyhow::Result<()> {
        let lifetime = claims.lifetime_seconds();
        ensure!(lifetime == 900, "a token lives {lifetime} s");
        at_once(self.services.issuer.sign_unrecorded(&self.caller, claims))??;
        Ok(())
    }
}

/// The request of the exchange, as the services take it.
pub(crate) fn request(audience: &str) -> GrantRequest {
    let mut attributes = serde_json::Map::new();
    attributes.insert("tenant_id".to_owned(), json!("t-1"));
    GrantRequest {
        subject: "user-42".to_owned(),
        roles: vec!["viewer".to_owned()],
        attributes,
        audience: audience.to_owned(),
        ttl_seconds: Some(900),
        resources: vec![Resource {
            kind: "dashboard".to_owned(),
            id: "sales".to_owned(),
        }],
    }
}
