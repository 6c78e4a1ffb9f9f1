//! Which database and master secret a command works with.

use std::sync::Arc;

use anyhow::anyhow;
use key_admin::{Organization, Slug};
use storage::SystemClock;
use token_issuer::{PublicUrl, ServiceSettings, Services};

use crate::cli::InstallationArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::{dev, serve};

/// Opens the services on the database itself, without a server.
pub(crate) async fn open(args: &InstallationArgs) -> Result<Services, Failure> {
    // The installation of `jeton dev` has nothing to do with what is configured.
    let config = match args.data_dir {
        Some(_) => Config::default(),
        None => Config::read(&args.config)?,
    };
    let input = |fault: String| Failure::input(anyhow!(fault));
    let (url, master) = match (&args.data_dir, &args.config.database_url) {
        (Some(data_dir), Some(url)) => (url.clone().into(), dev::master_secret(data_dir)?.into()),
        (Some(data_dir), None) => (
            dev::database_url_in(data_dir),
            dev::master_secret(data_dir)?.into(),
        ),
        (None, _) => (
            config.database_url().map_err(input)?,
            config.master_secrets().map_err(input)?,
        ),
    };
    let database = serve::open(&url).await?;
    database.check_schema().await?;
    // No token is issued here, so the address that tokens would name does not matter.
    let public_url = PublicUrl::parse("http://localhost").map_err(Failure::server)?;
    let settings = ServiceSettings {
        database,
        clock: Arc::new(SystemClock),
        master,
        public_url,
        staleness_bound: config.staleness_bound(),
        issuance_log: config.issuance_log,
        key_admin: config.keys.clone(),
    };
    Ok(Services::start(settings).await?)
}

/// The organization of this slug, or the only one.
pub(crate) async fn organization(
    services: &Services,
    slug: Option<&str>,
) -> Result<Organization, Failure> {
    if let Some(slug) = slug {
        let slug = Slug::parse(slug).map_err(Failure::input)?;
        let found = Organization::find(&services.database, &slug).await?;
        return found.ok_or_else(|| Failure::input(anyhow!("there is no organization `{slug}`")));
    }
    let mut all = Organization::list(&services.database).await?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Failure::input(anyhow!(
            "there are several organizations: name one with --organization"
        ))),
        (None, _) => Err(Failure::input(anyhow!(
            "there is no organization yet: `jeton organization create` makes one"
        ))),
    }
}
