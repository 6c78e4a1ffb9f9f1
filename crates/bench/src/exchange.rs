//! Limit program and product, driven in turn.

use anyhow::ensure;

use crate::product::{self, Product};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::{LoadArgs, limit, output, same_work};

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let product = Product::start(scratch.path(), database_url).await?;
    let (limit_process, limit) = limit::start(&product.target)?;
    let asked = product.target.ask().await?;
    same_work::check(&limit.ask().await?, &asked)?;

    let (warm_up, load) = args.loads();
    limit.drive(warm_up).await?;
    let mut answered = 1 + i64::from(product.target.drive(warm_up).await?.answered()?);
    let mut report = Report::new("limit", ["product"]);
    for round in 1..=args.rounds {
        let of_limit = limit.drive(load).await?;
        let of_product = product.target.drive(load).await?;
        answered += i64::from(of_product.answered()?);
        let seen = report.add(&of_limit, &[&of_product])?;
        output::talk(&format!("round {round}: {seen}"));
    }
    limit_process.stop().await?;
    product.stop().await?;

    // `jeton dev` issues a token of its own when it starts.
    let (expected, rows) = (answered + 1, product::count_sessions(database_url).await?);
    ensure!(
        rows == expected,
        "{expected} tokens were issued, but {rows} sessions are recorded"
    );
    Ok(format!(
        "exchange on {engine:?}: {} cores, {} connections, {} rounds of {} s for each server\n\n{}\n\n\
         {rows} sessions recorded, one for each token issued",
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        report.table(),
    ))
}
