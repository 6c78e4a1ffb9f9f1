//! How long requests take when the server is busy, but not at its limit: a fixed share of the rate that it was just seen
//! to reach, sent by the clock.

use anyhow::Context;

use crate::load::{Load, Round, Target, percentile};
use crate::product::{self, Product};
use crate::report::{aligned, cells, spread};
use crate::scratch::Scratch;
use crate::{LoadArgs, limit, output, same_work};

/// One server's figures, round by round.
#[derive(Debug, Default)]
struct Figures {
    most: Vec<f64>,
    sent: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    ratio: Vec<f64>,
    cpu: Vec<f64>,
    late: Vec<f64>,
}

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(args: &LoadArgs, per_cent: u8) -> anyhow::Result<String> {
    let scratch = Scratch::create()?;
    let embedded = format!("sqlite:{}", scratch.path().join("jeton.db").display());
    let database_url = args.database_url.as_deref().unwrap_or(&embedded);
    let engine = product::prepare(database_url).await?;
    let product = Product::start(scratch.path(), database_url).await?;
    let (limit_process, limit) = limit::start(&product.target)?;
    same_work::check(&limit.ask().await?, &product.target.ask().await?)?;

    let (warm_up, load) = args.loads();
    limit.drive(warm_up).await?;
    product.target.drive(warm_up).await?;
    let mut all = [Figures::default(), Figures::default()];
    for round in 1..=args.rounds {
        for (target, figures) in [&limit, &product.target].into_iter().zip(&mut all) {
            let ratio = figures.round(target, load, per_cent).await?;
            output::talk(&format!(
                "round {round}, {}: p99 is {ratio:.1} times p50",
                target.name
            ));
        }
    }
    limit_process.stop().await?;
    product.stop().await?;
    let mut lines = vec![cells([
        "",
        "most requests/s",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "p99 / p50",
        "CPU µs/request",
        "sent late p99 ms",
    ])];
    let names = ["limit", "product"];
    lines.extend(
        names
            .iter()
            .zip(&all)
            .map(|(name, figures)| figures.line(name)),
    );
    Ok(format!(
        "{per_cent} % of the most on {engine:?}: {} cores, {} connections, {} rounds of {} s for each figure\n\
         median (lowest to highest)\n\n{}",
        std::thread::available_parallelism()?,
        args.connections,
        args.rounds,
        args.seconds,
        aligned(&lines),
    ))
}

impl Figures {
    /// Looks what the server can do, drives it with a share of that, and says p99 over p50.
    async fn round(&mut self, target: &Target, load: Load, per_cent: u8) -> anyhow::Result<f64> {
        let most = target.drive(load).await?.rate()?;
        let rate = most * f64::from(per_cent) / 100.0;
        let round = target.drive_at(rate, load).await?;
        self.most.push(most);
        self.add(&round)
    }

    fn add(&mut self, round: &Round) -> anyhow::Result<f64> {
        let p50 = round.percentile(50)?.as_secs_f64() * 1e3;
        let p99 = round.percentile(99)?.as_secs_f64() * 1e3;
        let late = percentile(&round.lateness, 99).context("nothing was sent by the clock")?;
        self.sent.push(round.rate()?);
        self.p50.push(p50);
        self.p99.push(p99);
        self.ratio.push(p99 / p50);
        self.cpu.push(round.cpu_micros()?);
        self.late.push(late.as_secs_f64() * 1e3);
        Ok(p99 / p50)
    }

    fn line(&self, name: &str) -> Vec<String> {
        let figures = [
            (&self.most, 0),
            (&self.sent, 0),
            (&self.p50, 2),
            (&self.p99, 2),
            (&self.ratio, 1),
            (&self.cpu, 1),
            (&self.late, 2),
        ];
        let figures = figures.map(|(values, digits)| spread(values, digits));
        std::iter::once(name.to_owned()).chain(figures).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn p99_is_compared_with_p50() {
        let round = Round {
            elapsed: Duration::from_secs(1),
            cpu: Duration::from_millis(10),
            resident_kib: 0,
            latencies: (1..=100).map(Duration::from_millis).collect(),
            lateness: vec![Duration::from_micros(50); 100],
            statuses: BTreeMap::new(),
        };
        let mut figures = Figures::default();
        assert!((figures.add(&round).unwrap() - 1.98).abs() < 1e-9);
        let closed_loop = Round {
            lateness: Vec::new(),
            ..round
        };
        assert!(figures.add(&closed_loop).is_err());
    }
}
