//! Medians, ratios, the table of the exchange.

use std::fmt::Write;

use crate::load::Round;

/// The columns, with the digits that are shown behind the point.
const COLUMNS: [(&str, usize); 5] = [
    ("requests/s", 0),
    ("p50 ms", 2),
    ("p99 ms", 2),
    ("CPU µs/request", 1),
    ("RSS MiB", 1),
];
/// The one to trust.
const CPU: usize = 3;

/// One figure per column.
type Figures = [f64; COLUMNS.len()];

/// The figures of both servers, round by round.
#[derive(Debug, Default)]
pub(crate) struct Report {
    limit: Vec<Figures>,
    product: Vec<Figures>,
    /// The product's over the limit program's.
    ratios: Vec<Figures>,
}

impl Report {
    /// Adds a round, and says what CPU time per request it saw: the limit program's, the product's, the ratio.
    pub(crate) fn add(&mut self, limit: &Round, product: &Round) -> anyhow::Result<[f64; 3]> {
        let (limit, product) = (figures(limit)?, figures(product)?);
        let ratio = ratio(&product, &limit);
        self.limit.push(limit);
        self.product.push(product);
        self.ratios.push(ratio);
        Ok([limit[CPU], product[CPU], ratio[CPU]])
    }

    /// Medians, their ratio, and the lowest and the highest ratio of a single round.
    pub(crate) fn table(&self) -> String {
        let limit = median(&self.limit);
        let product = median(&self.product);
        let mut table = format!("{:17}", "");
        for (title, _) in COLUMNS {
            let _ = write!(table, "  {title:>14}");
        }
        for (name, figures) in [("limit program", limit), ("product", product)] {
            row(&mut table, name, &figures, |column| COLUMNS[column].1);
        }
        for (name, figures) in [
            ("product / limit", ratio(&product, &limit)),
            ("  lowest round", fold(&self.ratios, f64::min)),
            ("  highest round", fold(&self.ratios, f64::max)),
        ] {
            row(&mut table, name, &figures, |_| 2);
        }
        table
    }
}

fn figures(round: &Round) -> anyhow::Result<Figures> {
    let answered = f64::from(round.answered()?);
    Ok([
        answered / round.elapsed.as_secs_f64(),
        round.percentile(50)?.as_secs_f64() * 1e3,
        round.percentile(99)?.as_secs_f64() * 1e3,
        round.cpu.as_secs_f64() * 1e6 / answered,
        f64::from(round.resident_kib) / 1024.0,
    ])
}

fn ratio(product: &Figures, limit: &Figures) -> Figures {
    std::array::from_fn(|column| product[column] / limit[column])
}

fn median(rounds: &[Figures]) -> Figures {
    std::array::from_fn(|column| median_of(rounds.iter().map(|figures| figures[column])))
}

/// The median; not a number when there is no value.
pub(crate) fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
    f64::midpoint(
        middle(values.len().saturating_sub(1) / 2),
        middle(values.len() / 2),
    )
}

/// The lowest or highest of each column.
fn fold(rounds: &[Figures], pick: fn(f64, f64) -> f64) -> Figures {
    std::array::from_fn(|column| {
        let values = rounds.iter().map(|figures| figures[column]);
        values.reduce(pick).unwrap_or(f64::NAN)
    })
}

fn row(table: &mut String, name: &str, figures: &Figures, digits: impl Fn(usize) -> usize) {
    let _ = write!(table, "\n{name:17}");
    for (column, figure) in figures.iter().enumerate() {
        let digits = digits(column);
        let _ = write!(table, "  {figure:14.digits$}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn round(answers: u64, cpu_millis: u64) -> Round {
        Round {
            elapsed: Duration::from_secs(2),
            cpu: Duration::from_millis(cpu_millis),
            resident_kib: 2048,
            latencies: (1..=answers).map(Duration::from_millis).collect(),
            statuses: BTreeMap::new(),
        }
    }

    fn rounded(figures: Figures) -> [String; COLUMNS.len()] {
        figures.map(|figure| format!("{figure:.1}"))
    }

    #[test]
    fn a_round_is_counted_per_request_and_second() {
        assert_eq!(
            rounded(figures(&round(100, 30)).unwrap()),
            ["50.0", "50.0", "99.0", "300.0", "2.0"]
        );
        assert!(figures(&round(0, 30)).is_err());
    }

    #[test]
    fn the_table_shows_medians_and_the_spread_of_the_ratio() {
        let mut report = Report::default();
        for (limit, product) in [(10, 15), (10, 40), (20, 50)] {
            report
                .add(&round(100, limit), &round(100, product))
                .unwrap();
        }
        let cpu: Vec<String> = report
            .table()
            .lines()
            .map(|line| line.split_whitespace().rev().nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(
            cpu,
            ["RSS", "100.0", "400.0", "4.00", "1.50", "4.00"],
            "{}",
            report.table()
        );
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let median = median(&[[1.0; 5], [4.0; 5], [2.0; 5], [3.0; 5]]);
        assert_eq!(rounded(median), ["2.5"; 5]);
    }
}
