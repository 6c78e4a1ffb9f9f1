//! The product's services in this process: for what is counted or measured without HTTP, and to fill databases fast.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use key_admin::{KeyAdminSettings, MasterSecret};
use storage::{Clock, Database};
use token_issuer::{PublicUrl, ServiceSettings, Services};

/// The address that tokens name.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:8080";

/// Longer than anything here takes: what is cached stays so.
const STALENESS_BOUND: Duration = Duration::from_hours(1);

/// A master secret in its text form.
pub(crate) fn master_secret(text: &str) -> anyhow::Result<MasterSecret> {
    MasterSecret::parse(text).map_err(|error| anyhow!("a master secret: {error}"))
}

/// Opens the services on a database, migrated here if need be.
pub(crate) async fn open(
    database_url: &str,
    master: MasterSecret,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Services> {
    let database = Database::connect(database_url).await?;
    database.migrate().await?;
    let settings = ServiceSettings {
        database,
        clock,
        master: master.into(),
        public_url: PublicUrl::parse(PUBLIC_URL)?,
        staleness_bound: STALENESS_BOUND,
        issuance_log: token_issuer::IssuanceLog::Durable,
        key_admin: KeyAdminSettings::default(),
    };
    Ok(Services::start(settings).await?)
}
