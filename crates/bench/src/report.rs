//! Medians, ratios, the table of servers that are compared.

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
/// Of the rows' names.
const WIDTH: usize = 26;

/// One figure per column.
type Figures = [f64; COLUMNS.len()];

/// The figures of servers that are driven in turn, round by round.
#[derive(Debug)]
pub(crate) struct Report {
    /// The one that the others are compared with.
    first: Server,
    others: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    rounds: Vec<Figures>,
    /// Its figures over those of the first server.
    ratios: Vec<Figures>,
}

impl Report {
    /// A report on these servers.
    pub(crate) fn new<const OTHERS: usize>(
        first: &'static str,
        others: [&'static str; OTHERS],
    ) -> Self {
        let server = |name| Server {
            name,
            rounds: Vec::new(),
            ratios: Vec::new(),
        };
        Self {
            first: server(first),
            others: others.into_iter().map(server).collect(),
        }
    }

    /// Adds a round of each server, in their order, and says what CPU time it saw, and the ratio to the first's.
    pub(crate) fn add(&mut self, first: &Round, others: &[&Round]) -> anyhow::Result<String> {
        let of_first = figures(first)?;
        self.first.rounds.push(of_first);
        let mut seen = format!("{:.1} µs of CPU per request", of_first[CPU]);
        for (server, round) in self.others.iter_mut().zip(others) {
            let figures = figures(round)?;
            let ratio = ratio(&figures, &of_first);
            server.rounds.push(figures);
            server.ratios.push(ratio);
            let _ = write!(seen, ", {:.1} ({:.2} times)", figures[CPU], ratio[CPU]);
        }
        Ok(seen)
    }

    /// Medians, their ratios to the first server's, and the lowest and the highest ratio of a single round.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{:WIDTH$}", "");
        for (title, _) in COLUMNS {
            let _ = write!(table, "  {title:>14}");
        }
        let first = median(&self.first.rounds);
        let others = self.others.iter();
        for server in std::iter::once(&self.first).chain(others.clone()) {
            let figures = median(&server.rounds);
            row(&mut table, server.name, &figures, |column| {
                COLUMNS[column].1
            });
        }
        for server in others {
            let of_medians = ratio(&median(&server.rounds), &first);
            let name = format!("{} / {}", server.name, self.first.name);
            for (name, figures) in [
                (name.as_str(), of_medians),
                ("  lowest round", fold(&server.ratios, f64::min)),
                ("  highest round", fold(&server.ratios, f64::max)),
            ] {
                row(&mut table, name, &figures, |_| 2);
            }
        }
        table
    }
}

fn figures(round: &Round) -> anyhow::Result<Figures> {
    Ok([
        round.rate()?,
        round.percentile(50)?.as_secs_f64() * 1e3,
        round.percentile(99)?.as_secs_f64() * 1e3,
        round.cpu_micros()?,
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

/// The median, and the lowest and the highest behind it.
pub(crate) fn spread(values: &[f64], digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let median = median_of(values.iter().copied());
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// Lines of cells, each column as wide as its widest cell; the first one is of names.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column| {
        let cells = lines
            .iter()
            .filter_map(|line: &Vec<String>| line.get(column));
        let characters = cells.map(|cell: &String| cell.chars().count());
        characters.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let separator = if text.is_empty() { "" } else { "\n" };
        text.push_str(separator);
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
    }
    text
}

/// The cells of a line.
pub(crate) fn cells<const CELLS: usize>(cells: [&str; CELLS]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// The lowest or highest of each column.
fn fold(rounds: &[Figures], pick: fn(f64, f64) -> f64) -> Figures {
    std::array::from_fn(|column| {
        let values = rounds.iter().map(|figures| figures[column]);
        values.reduce(pick).unwrap_or(f64::NAN)
    })
}

fn row(table: &mut String, name: &str, figures: &Figures, digits: impl Fn(usize) -> usize) {
    let _ = write!(table, "\n{name:WIDTH$}");
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
            lateness: Vec::new(),
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
        let mut report = Report::new("limit", ["product"]);
        for (limit, product) in [(10, 15), (10, 40), (20, 50)] {
            report
                .add(&round(100, limit), &[&round(100, product)])
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
    fn columns_are_as_wide_as_they_must_be() {
        let lines = [cells(["", "µs"]), cells(["a name", "1.5 (1.0 to 2.0)"])];
        let expected = format!("{:6}  {:>16}\na name  1.5 (1.0 to 2.0)", "", "µs");
        assert_eq!(aligned(&lines), expected);
        assert_eq!(spread(&[2.0, 1.0, 1.5], 1), "1.5 (1.0 to 2.0)");
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let median = median(&[[1.0; 5], [4.0; 5], [2.0; 5], [3.0; 5]]);
        assert_eq!(rounded(median), ["2.5"; 5]);
    }
}
