//! `jeton dev`: everything on one machine. Makes a demo organization the first time, issues a first token over HTTP,
//! verifies it as a resource server would, and keeps serving.

mod credentials;
mod first_token;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use console::ConsoleState;
use console::single_sign_on::SingleSignOn;
use key_admin::MasterSecret;
use secrecy::{ExposeSecret, SecretString};
use storage::SystemClock;
use token_issuer::{PublicUrl, ServiceSettings, Services};

use crate::cli::DevArgs;
use crate::config::{Config, DEV_MARK, read_secret_file};
use crate::failure::Failure;
use crate::{logging, output, private_file, serve};

const MASTER_KEY: &str = "master.key";
const DATABASE: &str = "jeton.db";

pub(crate) async fn run(args: DevArgs) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::input(anyhow!(
            "`jeton dev` is plain http with a key without limits: it listens on this machine only, like 127.0.0.1:8080"
        )));
    }
    let config = Config {
        listen: args.listen,
        development: true,
        ..Config::default()
    };
    let _log = logging::start(&config.log)?;
    private_file::create_directory(&args.data_dir)?;
    let master = make_or_read_master_secret(&args.data_dir)?;
    let database_url = args
        .database_url
        .map_or_else(|| database_url_in(&args.data_dir), SecretString::from);
    let database = serve::open_or_create(&database_url).await?;
    database.migrate().await?;

    let server = serve::bind(&config).await?;
    let address = server.local_addr().map_err(Failure::server)?;
    let public_url = PublicUrl::parse(&format!("http://{address}")).map_err(Failure::server)?;
    let services = Arc::new(
        Services::start(ServiceSettings {
            database,
            clock: Arc::new(SystemClock),
            master: master.into(),
            public_url: public_url.clone(),
            staleness_bound: config.staleness_bound(),
            issuance_log: config.issuance_log,
            key_admin: config.keys.clone(),
        })
        .await?,
    );
    let file = args.data_dir.join(credentials::FILE);
    let credentials = credentials::ensure(&services, &public_url, &file).await?;

    let mut api = config
        .api_settings()
        .map_err(|fault| Failure::input(anyhow!(fault)))?;
    api.prefilled_key = Some(credentials.api_key.clone().into());
    let serving = tokio::spawn({
        let console = ConsoleState::new(services.clone(), SingleSignOn::default());
        async move { serve::serve(server, &config, api, console).await }
    });
    let first = first_token::fetch(&credentials)
        .await
        .map_err(Failure::server)?;
    output::data(&first_token::greeting(&credentials, &first, &file));
    serving.await.map_err(Failure::server)?
}

/// The database of `jeton dev` in a data directory.
pub(crate) fn database_url_in(data_dir: &Path) -> SecretString {
    format!("sqlite:{}", data_dir.join(DATABASE).display()).into()
}

/// The master secret of a data directory, made the first time.
fn make_or_read_master_secret(data_dir: &Path) -> Result<MasterSecret, Failure> {
    let file = data_dir.join(MASTER_KEY);
    if !file.exists() {
        if [DATABASE, credentials::FILE]
            .iter()
            .any(|used| data_dir.join(used).exists())
        {
            let lost = format!(
                "{} is gone, and without it the database is of no use",
                file.display()
            );
            return Err(Failure::input(anyhow!(lost)));
        }
        let fresh = MasterSecret::generate_hex().map_err(Failure::server)?;
        private_file::write(&file, &format!("{DEV_MARK}{}\n", fresh.expose_secret()))?;
    }
    master_secret(data_dir)
}

/// The master secret of a data directory.
pub(crate) fn master_secret(data_dir: &Path) -> Result<MasterSecret, Failure> {
    let file = data_dir.join(MASTER_KEY);
    let text = read_secret_file(&file).map_err(|error| Failure::input(anyhow!(error)))?;
    let hex = text.expose_secret().trim_start_matches(DEV_MARK);
    MasterSecret::parse(hex)
        .with_context(|| file.display().to_string())
        .map_err(Failure::input)
}
