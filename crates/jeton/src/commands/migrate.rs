use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::{output, serve};

pub(crate) async fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let url = Config::read(args)?
        .database_url()
        .map_err(|fault| Failure::input(anyhow::anyhow!(fault)))?;
    let database = serve::open_or_create(&url).await?;
    database.migrate().await?;
    database.close().await;
    output::talk("the database schema is up to date");
    Ok(())
}
