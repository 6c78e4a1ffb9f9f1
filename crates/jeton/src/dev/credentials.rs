use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::anyhow;
use key_admin::users::{self, Email};
use key_admin::{
    Act, Asker, KeyCeiling, NewApiKey, Organization, Permission, PresentedKey, Slug, UserChange,
    random,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use storage::{OrganizationId, PrincipalId};
use token_issuer::{NewOrganization, PublicUrl, Services};

use crate::failure::Failure;
use crate::private_file;

pub(super) const FILE: &str = "dev-credentials.json";
const ORGANIZATION: &str = "demo";
const EMAIL: &str = "owner@demo.example";

/// What a developer needs to begin; the file's mode is 0600.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub(super) url: String,
    pub(super) organization: String,
    pub(super) console_email: String,
    pub(super) console_password: String,
    pub(super) api_key: String,
}

impl Credentials {
    pub(super) fn issuer(&self) -> String {
        format!("{}/orgs/{}", self.url, self.organization)
    }
}

/// Credentials that work: those in the file, or fresh ones where the file is missing or out of date.
pub(super) async fn ensure(
    services: &Services,
    url: &PublicUrl,
    file: &Path,
) -> Result<Credentials, Failure> {
    let stored: Option<Credentials> = std::fs::read(file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let credentials = match stored {
        Some(stored) if works(services, &stored).await? => Credentials {
            url: url.as_str().into(),
            ..stored
        },
        _ => fresh(services, url).await?,
    };
    let text = serde_json::to_string_pretty(&credentials).map_err(Failure::server)?;
    private_file::write(file, &(text + "\n"))?;
    Ok(credentials)
}

/// Only an answer about the key itself counts: a database that cannot answer says nothing against it.
async fn works(services: &Services, credentials: &Credentials) -> Result<bool, Failure> {
    use key_admin::AuthenticateError as E;
    let Ok(key) = PresentedKey::parse(&credentials.api_key) else {
        return Ok(false);
    };
    match services
        .keys
        .authenticate(&key, IpAddr::V4(Ipv4Addr::LOCALHOST), None)
        .await
    {
        Ok(_) => Ok(true),
        Err(E::NotProven | E::KeyRevoked | E::KeyDisabled | E::KeyExpired | E::OwnerSuspended) => {
            Ok(false)
        }
        Err(error) => Err(Failure::server(error)),
    }
}

async fn fresh(services: &Services, url: &PublicUrl) -> Result<Credentials, Failure> {
    let password = generate_password()?;
    let (organization, owner) = demo_organization(services, &password).await?;
    let new = NewApiKey {
        organization,
        owner,
        created_by: Some(owner),
        name: "dev".into(),
        expires_at: None,
        permissions: Permission::ALL.to_vec(),
        ceiling: KeyCeiling::default(),
        allowed_networks: Vec::new(),
        rate_limit: None,
    };
    let created = services
        .keys
        .create_key(&Act::on_command_line(), Asker::Machine, new)
        .await
        .map_err(Failure::server)?;
    Ok(Credentials {
        url: url.as_str().into(),
        organization: ORGANIZATION.into(),
        console_email: EMAIL.into(),
        console_password: password,
        api_key: created.secret.expose_secret().to_owned(),
    })
}

/// The demo organization and its owner, whose password is from now on the given one.
async fn demo_organization(
    services: &Services,
    password: &str,
) -> Result<(OrganizationId, PrincipalId), Failure> {
    let slug = Slug::parse(ORGANIZATION).map_err(Failure::server)?;
    if let Some(existing) = Organization::find(&services.database, &slug).await? {
        // An earlier start was cut off before it could write the file.
        let owner = users::first_owner(&services.database, existing.id)
            .await?
            .ok_or_else(|| {
                Failure::server(anyhow!("organization `{ORGANIZATION}` has no owner"))
            })?;
        let change = UserChange {
            password: Some(password.into()),
            ..UserChange::default()
        };
        services
            .keys
            .update_user(&Act::on_command_line(), None, existing.id, owner, change)
            .await
            .map_err(Failure::server)?;
        return Ok((existing.id, owner));
    }
    let new = NewOrganization {
        slug,
        name: "Demo".into(),
        owner_email: Email::parse(EMAIL).map_err(Failure::server)?,
        owner_password: password.into(),
        starter_policy: true,
    };
    let (organization, owner) = services
        .create_organization(&Act::on_command_line(), new)
        .await
        .map_err(Failure::server)?;
    Ok((organization.id, owner))
}

fn generate_password() -> Result<String, Failure> {
    let bytes: [u8; 16] = random::bytes().map_err(Failure::server)?;
    Ok(key_admin::secrets::hex(&bytes))
}
