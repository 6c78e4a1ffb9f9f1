//! Limit program and product, driven in turn.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::load::Target;
use crate::product::{self, Product};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::server_process::ServerProcess;
use crate::{LoadArgs, output, same_work};

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let product = Product::start(scratch.path(), database_url).await?;
    let (limit_process, limit) = start_limit(&product.target)?;
    let asked = product.target.ask().await?;
    same_work::check(&limit.ask().await?, &asked)?;

    let (warm_up, load) = args.loads();
    limit.drive(warm_up).await?;
    let mut answered = 1 + i64::from(product.target.drive(warm_up).await?.answered()?);
    let mut report = Report::default();
    for round in 1..=args.rounds {
        let of_limit = limit.drive(load).await?;
        let of_product = product.target.drive(load).await?;
        answered += i64::from(of_product.answered()?);
        let [limit, product, ratio] = report.add(&of_limit, &of_product)?;
        output::talk(&format!(
            "round {round}: {limit:.1} and {product:.1} µs of CPU per request, ratio {ratio:.2}"
        ));
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

/// Starts the limit program, which gets the very requests that the product gets.
fn start_limit(product: &Target) -> anyhow::Result<(ServerProcess, Target)> {
    let mut process = ServerProcess::start(
        Command::new(std::env::current_exe()?)
            .arg("limit")
            .stdin(Stdio::null())
            .stdout(Stdio::piped()),
    )?;
    let stdout = process.child().stdout.take();
    let mut address = String::new();
    BufReader::new(stdout.context("no standard output")?).read_line(&mut address)?;
    let target = Target {
        name: "the limit program",
        pid: process.pid(),
        address: address
            .trim()
            .parse()
            .context("the limit program did not start")?,
        requests: product.requests.clone(),
        expected: product.expected,
    };
    Ok((process, target))
}
