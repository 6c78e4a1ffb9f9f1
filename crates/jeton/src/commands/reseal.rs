//! The change of the master secret, directly on the database.

use anyhow::anyhow;
use token_issuer::Reseal;
use token_issuer::reseal::{Batch, SealedColumn};

use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::{logging, output, serve};

/// Rows that open under neither secret are named up to this many.
const NAMED: usize = 10;

pub(crate) async fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let config = Config::read(args)?;
    let input = |fault: String| Failure::input(anyhow!(fault));
    let url = config.database_url().map_err(input)?;
    let secrets = config.master_secrets().map_err(input)?;
    if secrets.previous().is_none() {
        return Err(Failure::input(anyhow!(
            "set previous_master_secret_file (or previous_master_secret): the secret that was in use before"
        )));
    }
    let _log = logging::start(&config.log)?;
    let database = serve::open(&url).await?;
    database.check_schema().await?;
    let mut walk = Reseal::begin(database.clone(), &secrets).await?;
    let mut totals: Vec<Batch> = SealedColumn::ALL.map(nothing_yet).into();
    while let Some(batch) = walk.next_batch().await? {
        for total in totals.iter_mut().filter(|it| it.column == batch.column) {
            total.resealed += batch.resealed;
            total.already += batch.already;
            total.unreadable.extend_from_slice(&batch.unreadable);
        }
    }
    database.close().await;
    report(&totals)
}

fn nothing_yet(column: SealedColumn) -> Batch {
    Batch {
        column,
        resealed: 0,
        already: 0,
        unreadable: Vec::new(),
    }
}

/// Says what was done, on standard output and in the log. A row that opens under neither secret is a failure.
fn report(totals: &[Batch]) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut unreadable = Vec::new();
    for total in totals {
        let table = total.column.as_str();
        let unreadable_here = total.unreadable.len();
        tracing::info!(
            table,
            resealed = total.resealed,
            already = total.already,
            unreadable = unreadable_here,
            "sealed under the master secret"
        );
        rows.push(vec![
            table.to_owned(),
            total.resealed.to_string(),
            total.already.to_string(),
            unreadable_here.to_string(),
        ]);
        unreadable.extend(total.unreadable.iter().map(|key| format!("{table} {key}")));
    }
    output::data(&output::table(
        &["TABLE", "RESEALED", "ALREADY NEW", "OPENS UNDER NEITHER"],
        &rows,
    ));
    if unreadable.is_empty() {
        return Ok(());
    }
    let further = match unreadable.len().saturating_sub(NAMED) {
        0 => String::new(),
        further => format!(" and {further} more"),
    };
    unreadable.truncate(NAMED);
    Err(Failure::input(anyhow!(
        "what is sealed in these rows opens under neither master secret, and stays as it is: {}{further}",
        unreadable.join(", ")
    )))
}
