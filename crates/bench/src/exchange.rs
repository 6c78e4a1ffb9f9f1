//! Limit program and product, driven in turn; the product once more, with rows that are not awaited.

use anyhow::ensure;

use crate::installation::{Installation, Server};
use crate::load::Target;
use crate::product::{self, Product};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::{LoadArgs, limit, output, same_work};

/// The product with `issuance_log = "buffered"`, on an embedded database of its own.
struct Buffered {
    server: Server,
    target: Target,
    database_url: String,
}

impl Buffered {
    async fn start(scratch: &Scratch) -> anyhow::Result<Self> {
        let installation = Installation::create_embedded(scratch, "buffered").await?;
        let settings = [("JETON_ISSUANCE_LOG", "buffered")];
        let server = installation.serve("server", &settings).await?;
        let target = Target {
            name: "the product that does not wait for rows",
            pid: server.pid(),
            address: server.address,
            requests: [product::request(&installation.api_key)].into(),
            expected: &[201],
        };
        Ok(Self {
            server,
            target,
            database_url: installation.database_url,
        })
    }
}

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let product = Product::start(scratch.path(), database_url).await?;
    let buffered = Buffered::start(&scratch).await?;
    let (limit_process, limit) = limit::start(&product.target)?;
    let asked = limit.ask().await?;
    same_work::check(&asked, &product.target.ask().await?)?;
    same_work::check(&asked, &buffered.target.ask().await?)?;

    let (warm_up, load) = args.loads();
    limit.drive(warm_up).await?;
    let targets = [&product.target, &buffered.target];
    let mut answered = [1, 1];
    for (target, answered) in targets.iter().zip(&mut answered) {
        *answered += i64::from(target.drive(warm_up).await?.answered()?);
    }
    let mut report = Report::new("limit", ["product", "buffered"]);
    for round in 1..=args.rounds {
        let of_limit = limit.drive(load).await?;
        let of_product = product.target.drive(load).await?;
        let of_buffered = buffered.target.drive(load).await?;
        answered[0] += i64::from(of_product.answered()?);
        answered[1] += i64::from(of_buffered.answered()?);
        let seen = report.add(&of_limit, &[&of_product, &of_buffered])?;
        output::talk(&format!("round {round}: {seen}"));
    }
    limit_process.stop().await?;
    product.stop().await?;
    buffered.server.stop().await?;

    // `jeton dev` issues a token of its own when it starts.
    answered[0] += 1;
    let databases = [database_url, &buffered.database_url];
    for (database, expected) in databases.into_iter().zip(answered) {
        let rows = product::count_sessions(database).await?;
        ensure!(
            rows == expected,
            "{expected} tokens were issued, but {rows} sessions are recorded"
        );
    }
    Ok(format!(
        "exchange on {engine:?}, buffered on SQLite: {} cores, {} connections, {} rounds of {} s for each server\n\n{}\n\n\
         {} sessions recorded, one for each token issued",
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        report.table(),
        answered.iter().sum::<i64>(),
    ))
}
