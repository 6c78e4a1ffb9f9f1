//! What failing requests cost, and what is left between two kinds of them when the slow hash is taken out.

use std::fmt::Write;

use crate::load::Round;
use crate::report::median_of;

/// One line of the table, round by round.
#[derive(Debug, Default)]
struct Line {
    /// CPU time per request, in µs.
    cpu: Vec<f64>,
    /// Requests per second; nothing for what is no request.
    rates: Vec<f64>,
    refused_as_wrong: u32,
    limited: u32,
}

/// The figures of all kinds, round by round.
#[derive(Debug, Default)]
pub(crate) struct FailureReport {
    unknown_id: Line,
    wrong_secret: Line,
    limited: Line,
    argon2: Line,
    left: Line,
}

impl FailureReport {
    /// Adds a round: unknown ids, wrong secrets, wrong secrets under the default limit; and the µs of CPU that argon2id
    /// took alone, in the same pool. Says what is left of the difference between the first two when argon2id is taken out.
    pub(crate) fn add(&mut self, rounds: &[Round; 3], argon2: f64) -> anyhow::Result<f64> {
        let [unknown_id, wrong_secret, limited] = rounds;
        let unknown_id = self.unknown_id.add(unknown_id)?;
        let wrong_secret = self.wrong_secret.add(wrong_secret)?;
        self.limited.add(limited)?;
        self.argon2.cpu.push(argon2);
        let left = wrong_secret - unknown_id - argon2;
        self.left.cpu.push(left);
        Ok(left)
    }

    /// Medians, and the lowest and the highest CPU time of a single round.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("{:31}", "");
        for title in [
            "requests/s",
            "CPU µs/request",
            "lowest",
            "highest",
            "401",
            "429",
        ] {
            let _ = write!(table, "  {title:>14}");
        }
        for (name, line) in [
            ("(a) unknown id", &self.unknown_id),
            ("(b) wrong secret", &self.wrong_secret),
            ("(c) wrong secret, default limit", &self.limited),
            ("(d) the argon2id step alone", &self.argon2),
            ("(b) - (a) - (d)", &self.left),
        ] {
            line.write(&mut table, name);
        }
        table
    }
}

impl Line {
    /// Says the round's CPU time per request.
    fn add(&mut self, round: &Round) -> anyhow::Result<f64> {
        let cpu = round.cpu_micros()?;
        self.cpu.push(cpu);
        self.rates.push(round.rate()?);
        let count = |status| round.statuses.get(&status).copied().unwrap_or_default();
        self.refused_as_wrong += count(401);
        self.limited += count(429);
        Ok(cpu)
    }

    fn write(&self, table: &mut String, name: &str) {
        let of_requests = |figure: String| {
            if self.rates.is_empty() {
                String::new()
            } else {
                figure
            }
        };
        let pick = |pick: fn(f64, f64) -> f64| {
            let cpu = self.cpu.iter().copied().reduce(pick);
            format!("{:.1}", cpu.unwrap_or(f64::NAN))
        };
        let _ = write!(table, "\n{name:31}");
        for figure in [
            of_requests(format!("{:.0}", median_of(self.rates.iter().copied()))),
            format!("{:.1}", median_of(self.cpu.iter().copied())),
            pick(f64::min),
            pick(f64::max),
            of_requests(self.refused_as_wrong.to_string()),
            of_requests(self.limited.to_string()),
        ] {
            let _ = write!(table, "  {figure:>14}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn round(cpu_millis: u64, status: u16) -> Round {
        Round {
            elapsed: Duration::from_secs(2),
            cpu: Duration::from_millis(cpu_millis),
            resident_kib: 0,
            latencies: vec![Duration::ZERO; 100],
            lateness: Vec::new(),
            statuses: BTreeMap::from([(status, 100)]),
        }
    }

    #[test]
    fn what_argon2_does_not_explain_is_left() {
        let mut report = FailureReport::default();
        for (unknown_id, wrong_secret, argon2) in
            [(10, 60, 400.0), (10, 65, 400.0), (12, 60, 500.0)]
        {
            let rounds = [
                round(unknown_id, 401),
                round(wrong_secret, 401),
                round(5, 429),
            ];
            report.add(&rounds, argon2).unwrap();
        }
        let table = report.table();
        let words = |line: &str| -> Vec<String> {
            let figures = line.get(31..).unwrap().split_whitespace();
            figures.map(str::to_owned).collect()
        };
        let lines: Vec<Vec<String>> = table.lines().skip(1).map(words).collect();
        assert_eq!(
            lines[0],
            ["50", "100.0", "100.0", "120.0", "300", "0"],
            "{table}"
        );
        assert_eq!(
            lines[2],
            ["50", "50.0", "50.0", "50.0", "0", "300"],
            "{table}"
        );
        assert_eq!(lines[4], ["100.0", "-20.0", "150.0"], "{table}");
    }
}
