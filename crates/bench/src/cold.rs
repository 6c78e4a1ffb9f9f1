//! What a restart costs: how long the server takes to start with many organizations, and what the first request of each key
//! costs, which has to prove its secret again.

use std::time::Instant;

use crate::installation::Installation;
use crate::load::{Round, Target};
use crate::product::request;
use crate::report::{aligned, cells, spread};
use crate::scratch::Scratch;
use crate::{crowd, output, usage};

/// One size, restart by restart.
#[derive(Debug, Default)]
struct Figures {
    started_ms: Vec<f64>,
    start_cpu_ms: Vec<f64>,
    start_mib: Vec<f64>,
    first: Answers,
    again: Answers,
}

/// Every key once.
#[derive(Debug, Default)]
struct Answers {
    all_ms: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
}

/// What there is many of, and how many.
struct Crowd {
    organizations: bool,
    size: u32,
}

/// Measures, returns the table, leaves nothing behind.
pub(crate) async fn measure(
    keys: &[u32],
    organizations: &[u32],
    rounds: u32,
    connections: u16,
) -> anyhow::Result<String> {
    let of = |organizations| {
        move |size: &u32| Crowd {
            organizations,
            size: *size,
        }
    };
    let crowds = keys.iter().map(of(false));
    let mut lines = vec![cells([
        "",
        "start ms",
        "start CPU ms",
        "RSS MiB",
        "",
        "all answered ms",
        "p50 ms",
        "p99 ms",
        "CPU µs/request",
    ])];
    for crowd in crowds.chain(organizations.iter().map(of(true))) {
        let figures = crowd.measure(rounds, connections).await?;
        lines.extend(figures.lines(&crowd.name()));
    }
    Ok(format!(
        "restarts on Sqlite: {} cores, {connections} connections, {rounds} restarts of each size\n\
         median (lowest to highest)\n\n{}",
        std::thread::available_parallelism()?,
        aligned(&lines),
    ))
}

impl Crowd {
    fn name(&self) -> String {
        let what = if self.organizations {
            "organizations"
        } else {
            "API keys"
        };
        format!("{} {what}", self.size)
    }

    /// Makes them, uses each key once, and restarts the server again and again.
    async fn measure(&self, rounds: u32, connections: u16) -> anyhow::Result<Figures> {
        output::talk(&format!("making {}", self.name()));
        let scratch = Scratch::create()?;
        let installation = Installation::create_embedded(&scratch, "installation").await?;
        let services = installation.services().await?;
        let like = &installation.api_key;
        let keys = if self.organizations {
            crowd::add_organizations(&services, like, self.size).await?
        } else {
            crowd::add_keys(&services, like, self.size).await?
        };
        services.database.close().await;
        let requests: Vec<_> = keys.iter().map(|key| request(key)).collect();
        let mut figures = Figures::default();
        // The first start finds keys that were never used; it does not count.
        for round in 0..=rounds {
            let mut seen = Figures::default();
            seen.restart(&installation, &requests, connections).await?;
            if round > 0 {
                figures.add(seen);
                output::talk(&format!("{}: restart {round}", self.name()));
            }
        }
        Ok(figures)
    }
}

impl Figures {
    async fn restart(
        &mut self,
        installation: &Installation,
        requests: &[Box<[u8]>],
        connections: u16,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        let server = installation.serve("jeton", &[]).await?;
        self.started_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let cpu = usage::cpu_time(server.pid())?;
        self.start_cpu_ms.push(cpu.as_secs_f64() * 1e3);
        let resident = usage::resident_kib(server.pid())?;
        self.start_mib.push(f64::from(resident) / 1024.0);
        let target = Target {
            name: "the server",
            pid: server.pid(),
            address: server.address,
            requests: requests.into(),
            expected: &[201],
        };
        self.first.add(&target.drive_once(connections).await?)?;
        self.again.add(&target.drive_once(connections).await?)?;
        server.stop().await
    }

    fn add(&mut self, other: Self) {
        self.started_ms.extend(other.started_ms);
        self.start_cpu_ms.extend(other.start_cpu_ms);
        self.start_mib.extend(other.start_mib);
        self.first.extend(other.first);
        self.again.extend(other.again);
    }

    fn lines(&self, name: &str) -> [Vec<String>; 2] {
        let mut first = vec![
            name.to_owned(),
            spread(&self.started_ms, 0),
            spread(&self.start_cpu_ms, 0),
            spread(&self.start_mib, 1),
            "first".to_owned(),
        ];
        let mut again: Vec<String> = cells(["", "", "", "", "second"]);
        first.extend(self.first.cells());
        again.extend(self.again.cells());
        [first, again]
    }
}

impl Answers {
    fn add(&mut self, round: &Round) -> anyhow::Result<()> {
        self.all_ms.push(round.elapsed.as_secs_f64() * 1e3);
        self.p50.push(round.percentile(50)?.as_secs_f64() * 1e3);
        self.p99.push(round.percentile(99)?.as_secs_f64() * 1e3);
        self.cpu.push(round.cpu_micros()?);
        Ok(())
    }

    fn extend(&mut self, other: Self) {
        self.all_ms.extend(other.all_ms);
        self.p50.extend(other.p50);
        self.p99.extend(other.p99);
        self.cpu.extend(other.cpu);
    }

    fn cells(&self) -> [String; 4] {
        [
            spread(&self.all_ms, 0),
            spread(&self.p50, 2),
            spread(&self.p99, 2),
            spread(&self.cpu, 1),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pass_is_timed_as_a_whole_and_by_request() {
        let mut answers = Answers::default();
        let round = Round {
            elapsed: Duration::from_millis(250),
            cpu: Duration::from_millis(40),
            resident_kib: 0,
            latencies: (1..=100).map(Duration::from_millis).collect(),
            lateness: Vec::new(),
            statuses: BTreeMap::new(),
        };
        answers.add(&round).unwrap();
        let one = |figure: &str| format!("{figure} ({figure} to {figure})");
        let expected = ["250", "50.00", "99.00", "400.0"].map(one);
        assert_eq!(answers.cells(), expected);
    }
}
