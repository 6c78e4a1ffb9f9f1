//! Fills an installation with API keys and organizations, faster than the product's own ways, which commit each one by
//! itself. The rows are those that the product would have written; it opens and checks them when it starts.

use anyhow::{Context, ensure};
use key_admin::hashing::Hasher;
use key_admin::{Act, KeyAdminSettings, Organization, PresentedKey};
use policy::AudienceName;
use secrecy::SecretString;
use storage::{OrganizationId, PrincipalId, SystemClock, Transaction, execute};
use token_issuer::Services;
use token_issuer::audiences::{AudienceDraft, AudiencePatch, DEFAULT_AUDIENCE};
use tokio::task::JoinSet;

use crate::wrong_keys::numbered;

/// The keys that one owner may have by default.
const KEYS_PER_OWNER: u32 = 50;
/// Hashes that are asked for at once; the pool takes 256.
const HASHES_AT_ONCE: usize = 64;
/// Organizations, or keys, that one transaction makes.
const PER_TRANSACTION: usize = 1_000;

/// A key to be, and its hash.
struct Hashed {
    number: u32,
    key: String,
    hash: String,
}

/// Adds this many keys to the organization of a key that exists, all with what that one may do. Each fifty belong to a
/// service account.
pub(crate) async fn add_keys(
    services: &Services,
    like: &str,
    count: u32,
) -> anyhow::Result<Vec<String>> {
    let like = PresentedKey::parse(like)?.id();
    let hashed = hashed(services.keys.hasher(), count).await?;
    let mut owner = PrincipalId::new(&SystemClock);
    for group in hashed.chunks(PER_TRANSACTION) {
        let mut tx = services.database.write().await?;
        for key in group {
            let slot = key.number % KEYS_PER_OWNER;
            if slot == 0 {
                owner = PrincipalId::new(&SystemClock);
                add_service_account(&mut tx, like.as_str(), owner).await?;
            }
            add_key(&mut tx, like.as_str(), (None, owner), (key, slot)).await?;
        }
        tx.commit().await?;
    }
    Ok(hashed.into_iter().map(|hashed| hashed.key).collect())
}

/// Adds this many organizations like that of a key that exists, each with signing keys of its own and one API key.
pub(crate) async fn add_organizations(
    services: &Services,
    like: &str,
    count: u32,
) -> anyhow::Result<Vec<String>> {
    let like = PresentedKey::parse(like)?.id();
    let template = Organization::list(&services.database).await?;
    let template = template.first().context("there is no organization")?.id;
    let hashed = hashed(services.keys.hasher(), count).await?;
    let mut made = Vec::with_capacity(hashed.len());
    for group in hashed.chunks(PER_TRANSACTION) {
        let mut tx = services.database.write().await?;
        for key in group {
            let organization = OrganizationId::new(&SystemClock);
            let owner = add_organization(&mut tx, template, organization, key.number).await?;
            add_key(
                &mut tx,
                like.as_str(),
                (Some(organization), owner),
                (key, 0),
            )
            .await?;
            made.push(organization);
        }
        tx.commit().await?;
    }
    for organization in made {
        add_audience(services, organization).await?;
    }
    Ok(hashed.into_iter().map(|hashed| hashed.key).collect())
}

/// Keys with the hashes that the installation's pepper makes of them.
async fn hashed(hasher: &Hasher, count: u32) -> anyhow::Result<Vec<Hashed>> {
    let cost = KeyAdminSettings::default().api_key_hash;
    let (mut running, mut all) = (JoinSet::new(), Vec::new());
    for number in 0..count {
        if running.len() == HASHES_AT_ONCE
            && let Some(done) = running.join_next().await
        {
            all.push(done??);
        }
        let hasher = hasher.clone();
        running.spawn(async move {
            let key = numbered(number);
            let hash = hasher.hash(SecretString::from(key.as_str()), cost).await?;
            anyhow::Ok(Hashed { number, key, hash })
        });
    }
    while let Some(done) = running.join_next().await {
        all.push(done??);
    }
    all.sort_by_key(|hashed| hashed.number);
    Ok(all)
}

async fn add_service_account(
    tx: &mut Transaction,
    like: &str,
    id: PrincipalId,
) -> anyhow::Result<()> {
    let added = execute!(
        tx.conn(),
        "insert into principals (id, organization_id, kind, name, state, created_at)
         select $1, organization_id, 'service_account', $2, 'active', created_at from api_keys where id = $3",
        id,
        id.to_string(),
        like,
    )?;
    ensure!(added == 1, "no service account was added");
    Ok(())
}

async fn add_key(
    tx: &mut Transaction,
    like: &str,
    (organization, owner): (Option<OrganizationId>, PrincipalId),
    (key, slot): (&Hashed, u32),
) -> anyhow::Result<()> {
    let id = PresentedKey::parse(&key.key)?.id();
    let name = format!("key {}", key.number);
    let added = execute!(
        tx.conn(),
        "insert into api_keys (id, organization_id, owner_id, created_by, live_slot, name, name_folded, secret_hash,
                               permissions, ceiling, allowed_networks, rate_limit, created_at)
         select $1, coalesce($2, organization_id), $3, $3, $4, $5, $5, $6,
                permissions, ceiling, allowed_networks, rate_limit, created_at
         from api_keys where id = $7",
        id.as_str(),
        organization,
        owner,
        i32::try_from(slot + 1)?,
        &name,
        &key.hash,
        like,
    )?;
    ensure!(added == 1, "no key was added");
    Ok(())
}

/// The organization with its policy and an owner, whose password is that of the first one.
async fn add_organization(
    tx: &mut Transaction,
    template: OrganizationId,
    id: OrganizationId,
    number: u32,
) -> anyhow::Result<PrincipalId> {
    let slug = format!("organization-{number}");
    let added = execute!(
        tx.conn(),
        "insert into organizations (id, slug, name, version, policy_version, created_at)
         select $1, $2, $2, version, policy_version, created_at from organizations where id = $3",
        id,
        &slug,
        template,
    )?;
    ensure!(added == 1, "no organization was added");
    let owner = PrincipalId::new(&SystemClock);
    execute!(
        tx.conn(),
        "insert into principals (id, organization_id, kind, name, state, created_at)
         select $1, $2, 'user', $3, 'active', created_at from organizations where id = $2",
        owner,
        id,
        &slug,
    )?;
    execute!(
        tx.conn(),
        "insert into users (principal_id, organization_id, email, password_hash, role)
         select $1, $2, $3, password_hash, role from users where organization_id = $4",
        owner,
        id,
        format!("ada@{slug}.example.com"),
        template,
    )?;
    execute!(
        tx.conn(),
        "insert into roles (organization_id, name, definition)
         select $1, name, definition from roles where organization_id = $2",
        id,
        template,
    )?;
    execute!(
        tx.conn(),
        "insert into attributes (organization_id, name, declaration)
         select $1, name, declaration from attributes where organization_id = $2",
        id,
        template,
    )?;
    Ok(owner)
}

/// The default audience with its ring, in the product's own way: its keys must be sealed.
async fn add_audience(services: &Services, organization: OrganizationId) -> anyhow::Result<()> {
    let draft = AudienceDraft {
        name: AudienceName::parse(DEFAULT_AUDIENCE)?,
        algorithm: None,
        secret: None,
        said: AudiencePatch::default(),
        preset: None,
    };
    let new = draft
        .complete()
        .ok()
        .context("the default audience is not complete")?;
    let act = Act::on_command_line();
    services
        .issuer
        .create_audience(&act, organization, new)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use key_admin::users::Email;
    use key_admin::{Asker, KeyCeiling, NewApiKey, Permission, Slug};
    use policy::operations::markers::IssueSessionToken;
    use secrecy::ExposeSecret;
    use token_issuer::{IssueRequest, NewOrganization, Origin};

    use super::*;
    use crate::counted::request;
    use crate::in_process;
    use crate::scratch::Scratch;

    const MASTER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    async fn open(scratch: &Scratch) -> Services {
        let url = format!("sqlite:{}", scratch.path().join("jeton.db").display());
        let master = in_process::master_secret(MASTER).unwrap();
        in_process::open(&url, master, Arc::new(SystemClock))
            .await
            .unwrap()
    }

    async fn first_key(services: &Services) -> String {
        let act = Act::on_command_line();
        let new = NewOrganization {
            slug: Slug::parse("acme").unwrap(),
            name: "An organization".to_owned(),
            owner_email: Email::parse("ada@example.com").unwrap(),
            owner_password: "correct horse battery".into(),
            starter_policy: true,
        };
        let (organization, owner) = services.create_organization(&act, new).await.unwrap();
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
        let created = services.create_api_key(&act, Asker::Machine, new).await;
        created.unwrap().secret.expose_secret().to_owned()
    }

    async fn issues(services: &Services, key: &str) {
        let presented = PresentedKey::parse(key).unwrap();
        let client = Ipv4Addr::LOCALHOST.into();
        let caller = services
            .keys
            .authenticate(&presented, client, None)
            .await
            .unwrap();
        let caller = services
            .authorizer
            .permit::<IssueSessionToken>(caller)
            .unwrap();
        let request = IssueRequest {
            grant: request(DEFAULT_AUDIENCE),
            origin: Origin {
                request_id: "req-1".to_owned(),
                client,
            },
        };
        services.issuer.issue(&caller, request).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_added_issues_tokens_and_passes_the_checks_of_a_start() {
        let scratch = Scratch::create().unwrap();
        let services = open(&scratch).await;
        let first = first_key(&services).await;
        let mut keys = add_keys(&services, &first, 60).await.unwrap();
        services.database.close().await;
        let services = open(&scratch).await;
        issues(&services, &keys.remove(0)).await;
        issues(&services, &keys.remove(58)).await;
    }

    #[tokio::test]
    async fn so_do_organizations() {
        let scratch = Scratch::create().unwrap();
        let services = open(&scratch).await;
        let first = first_key(&services).await;
        let keys = add_organizations(&services, &first, 2).await.unwrap();
        services.database.close().await;
        let services = open(&scratch).await;
        for key in keys.iter().chain([&first]) {
            issues(&services, key).await;
        }
    }
}
