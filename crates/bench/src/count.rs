//! How many instructions an issuance takes, step by step, counted by valgrind: a figure that a busy machine does not
//! change. What was accepted once is in `instructions.toml`; more than that, and a little, is an error.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::counted::{CALLS, STEPS};
use crate::output;
use crate::scratch::Scratch;

/// By how much a count may be above the accepted one, in per cent. The same program differs by less than one from run
/// to run; another processor, whose cryptography takes other instructions, and another minor release of the compiler
/// take some.
const TOLERANCE: u64 = 5;
/// The functions that valgrind is told to watch, by a part of their names: where it counts, and when it writes a count down
/// and begins anew.
const WATCHED: [&str; 2] = [
    "--toggle-collect=*the_steps_that_are_counted*",
    "--dump-after=*the_count_that_is_written*",
];
/// Where the accepted counts are.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");
const HEAD: &str = "\
# Instructions of one step of an issuance, by processor and build: `bench count` compares, `bench count --accept` writes.
";

/// Accepted counts: by processor, build and step.
type Accepted = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

/// Counts, compares or accepts, and returns the table.
pub(crate) fn measure(accept: bool) -> anyhow::Result<String> {
    let counts = count()?;
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let mut accepted: Accepted = toml::from_str(&text).context(FILE)?;
    let of_processor = accepted.entry(std::env::consts::ARCH.into()).or_default();
    let of_build = of_processor.entry(build().into()).or_default();
    let compared = Compared::new(&counts, of_build);
    if accept {
        *of_build = counts.into_iter().collect();
        std::fs::write(FILE, format!("{HEAD}\n{}", toml::to_string(&accepted)?))?;
        return Ok(format!("{}\n\naccepted", compared.table));
    }
    ensure!(
        compared.faults.is_empty(),
        "{}\n\n{}\nIf that is as it must be: cargo run {}-p bench -- count --accept",
        compared.table,
        compared.faults,
        if build() == "release" {
            "--release "
        } else {
            ""
        },
    );
    Ok(compared.table)
}

const fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

/// Instructions of one call of each step.
fn count() -> anyhow::Result<Vec<(String, u64)>> {
    let scratch = Scratch::create()?;
    let counts = scratch.path().join("counts");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .args(WATCHED)
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe()?)
        .arg("counted")
        .stdin(Stdio::null())
        .output()
        .context("valgrind cannot be started; on Debian: apt-get install valgrind")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let steps = STEPS.iter().enumerate();
    steps
        .map(|(index, step)| {
            let dump = dump(&counts, index + 1);
            let text = std::fs::read_to_string(&dump).with_context(|| {
                let said = String::from_utf8_lossy(&output.stderr);
                format!("{}:\n{said}", dump.display())
            })?;
            let all = total(&text).with_context(|| format!("no count of `{step}`"))?;
            Ok(((*step).to_owned(), all / u64::from(CALLS)))
        })
        .collect()
}

/// What callgrind writes down for this time.
fn dump(file: &Path, number: usize) -> PathBuf {
    file.with_extension(number.to_string())
}

/// The sum at the end of a dump, when it is one of anything.
fn total(dump: &str) -> Option<u64> {
    let line = dump
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "));
    line?.trim().parse().ok().filter(|count| *count > 0)
}

/// The counts beside the accepted ones.
struct Compared {
    table: String,
    /// What is above the tolerance, or was never accepted; a line for each.
    faults: String,
}

impl Compared {
    fn new(counts: &[(String, u64)], accepted: &BTreeMap<String, u64>) -> Self {
        let mut table = format!(
            "instructions of one call, {} build for {}\n\n{:24}{:>12}{:>12}{:>9}",
            build(),
            std::env::consts::ARCH,
            "",
            "now",
            "accepted",
            "change"
        );
        let mut faults = String::new();
        for (step, now) in counts {
            let Some(&accepted) = accepted.get(step) else {
                let _ = write!(table, "\n{step:24}{now:>12}");
                let _ = writeln!(
                    faults,
                    "{step}: no count is accepted for this build and processor"
                );
                continue;
            };
            let change = percent(*now, accepted);
            let _ = write!(table, "\n{step:24}{now:>12}{accepted:>12}{change:>+8.1}%");
            if *now > accepted + accepted * TOLERANCE / 100 {
                let _ = writeln!(
                    faults,
                    "{step}: {now} instructions, {change:+.1} % of the {accepted} that are accepted; {TOLERANCE} % are let pass"
                );
            }
        }
        Self { table, faults }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn percent(now: u64, accepted: u64) -> f64 {
    (now as f64 / accepted as f64 - 1.0) * 100.0
}

/// Counts as `cargo test` does, and prints.
pub(crate) fn print(accept: bool) -> anyhow::Result<()> {
    output::data(&measure(accept)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(now: u64, accepted: &[(&str, u64)]) -> Compared {
        let accepted = accepted
            .iter()
            .map(|(step, count)| ((*step).to_owned(), *count));
        Compared::new(&[("sign".to_owned(), now)], &accepted.collect())
    }

    #[test]
    fn more_than_the_tolerance_is_a_fault() {
        for now in [1, 900, 1000, 1050] {
            let compared = compared(now, &[("sign", 1000)]);
            assert_eq!(compared.faults, "", "{now}");
        }
        let above = compared(1051, &[("sign", 1000)]);
        assert!(above.faults.contains("sign: 1051"), "{}", above.faults);
        assert!(above.table.contains("+5.1%"), "{}", above.table);
    }

    #[test]
    fn what_was_never_accepted_is_a_fault() {
        let new = compared(1, &[("decide", 1000)]);
        assert!(
            new.faults.contains("no count is accepted"),
            "{}",
            new.faults
        );
    }

    #[test]
    fn the_total_of_a_dump_is_found() {
        let dump = "events: Ir\n\nfn=(1) a\n1 5\n\ntotals: 3200\n";
        assert_eq!(total(dump), Some(3200));
        assert_eq!(total("totals: 0\n"), None);
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(dump_name(2), "/scratch/counts.2");
    }

    fn dump_name(number: usize) -> String {
        dump(Path::new("/scratch/counts"), number)
            .display()
            .to_string()
    }
}
