//! `jeton dev`: everything on one machine. Makes a demo organization the first time, issues a first token over HTTP,
//! verifies it as a resource server would, and keeps serving.

mod credentials;
mod first_token;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use key_admin::MasterSecret;
use secrecy::{ExposeSecret, SecretString};
use storage::SystemClock;
use token_issuer::{PublicUrl, ServiceSettings, Services};

use crate::cli::DevArgs;
use crate::config::{Config, DEV_MARK, read_secret_file};
use crate::failure::Failure;
use crate::{logging, output, serve};

pub(crate) async fn run(args: DevArgs) -> Result<(), Failure> {
    let mut config = Config {
        listen: args.listen,
        ..Config::default()
    };
    config.log.filter = "info".into();
    logging::start(&config.log)?;
    create_private_directory(&args.data_dir)?;
    let master = master_secret(&args.data_dir)?;
    let database_url = args
        .database_url
        .map_or_else(|| database_url_in(&args.data_dir), SecretString::from);
    let database = serve::connect(&database_url).await?;
    database.migrate().await?;

    let server = serve::bind(&config).await?;
    let address = server.local_addr().map_err(Failure::server)?;
    let public_url = PublicUrl::parse(&format!("http://{address}")).map_err(Failure::server)?;
    let services = Arc::new(
        Services::start(ServiceSettings {
            database,
            clock: Arc::new(SystemClock),
            master,
            public_url: public_url.clone(),
            staleness_bound: config.staleness_bound(),
            key_admin: config.keys.clone(),
        })
        .await?,
    );
    let file = args.data_dir.join(credentials::FILE);
    let credentials = credentials::ensure(&services, &public_url, &file).await?;

    let serving = tokio::spawn({
        let services = services.clone();
        async move { serve::serve(server, &config, services).await }
    });
    let first = first_token::fetch(&credentials)
        .await
        .map_err(Failure::server)?;
    output::data(&first_token::greeting(&credentials, &first, &file));
    serving.await.map_err(Failure::server)?
}

/// The database of `jeton dev` in a data directory.
pub(crate) fn database_url_in(data_dir: &Path) -> SecretString {
    format!("sqlite:{}", data_dir.join("jeton.db").display()).into()
}

/// The master secret of a data directory, made the first time.
pub(crate) fn master_secret(data_dir: &Path) -> Result<MasterSecret, Failure> {
    let file = data_dir.join("master.key");
    if !file.exists() {
        let fresh = MasterSecret::generate_hex().map_err(Failure::server)?;
        write_private(&file, &format!("{DEV_MARK}{}\n", fresh.expose_secret()))?;
    }
    let text = read_secret_file(&file).map_err(|error| Failure::input(anyhow::anyhow!(error)))?;
    let hex = text.expose_secret().trim_start_matches(DEV_MARK);
    MasterSecret::parse(hex)
        .with_context(|| file.display().to_string())
        .map_err(Failure::input)
}

fn create_private_directory(directory: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .recursive(true)
        .create(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
        .map_err(Failure::input)
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(file: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let new = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(&new);
        let mut opened = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        opened.write_all(text.as_bytes())?;
        opened.sync_all()?;
        std::fs::rename(&new, file)
    };
    write()
        .with_context(|| format!("cannot write {}", file.display()))
        .map_err(Failure::input)
}
