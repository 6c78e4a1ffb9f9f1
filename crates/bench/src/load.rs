//! The load driver: each connection sends its next request when it has the answer to the last one. [`paced`] sends them
//! at given times instead.

pub(crate) mod paced;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::usage;

/// More than any run takes.
const FOREVER: Duration = Duration::from_hours(24);

/// How hard, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: u16,
    pub(crate) duration: Duration,
}

/// Whom to drive, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    /// Whole requests, sent in turn; at least one.
    pub(crate) requests: Arc<[Box<[u8]>]>,
    /// The statuses that an answer may have.
    pub(crate) expected: &'static [u16],
}

/// What came of it. Every request was answered as expected.
#[derive(Debug)]
pub(crate) struct Round {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// The server's, in that time.
    pub(crate) cpu: Duration,
    /// The server's, after it.
    pub(crate) resident_kib: u32,
    /// One per answer, shortest first.
    pub(crate) latencies: Vec<Duration>,
    /// How much later than due requests were sent, shortest first; nothing where none was due at a time.
    pub(crate) lateness: Vec<Duration>,
    /// How many answers had each status.
    pub(crate) statuses: BTreeMap<u16, u32>,
}

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    lateness: Vec<Duration>,
    statuses: BTreeMap<u16, u32>,
    failures: u32,
    first_failure: Option<String>,
}

impl Target {
    /// Drives the server for a while. Any answer that is not expected is an error.
    pub(crate) async fn drive(&self, load: Load) -> anyhow::Result<Round> {
        // Each connection takes every n-th request, so that no two send the same one at once.
        let step = usize::from(load.connections);
        self.observe(load.connections, |target, connection, number, started| {
            let turn = (number..).step_by(step);
            target.send_until(started + load.duration, connection, turn)
        })
        .await
    }

    /// Sends each request once.
    pub(crate) async fn drive_once(&self, connections: u16) -> anyhow::Result<Round> {
        let step = usize::from(connections);
        let all = self.requests.len();
        self.observe(connections, |target, connection, number, started| {
            let turn = (number..all).step_by(step);
            target.send_until(started + FOREVER, connection, turn)
        })
        .await
    }

    /// Runs one task for each connection, numbered from zero and told when all of them began, and adds up what they saw.
    async fn observe<F>(
        &self,
        connections: u16,
        task: impl Fn(Self, Connection, usize, Instant) -> F,
    ) -> anyhow::Result<Round>
    where
        F: Future<Output = Seen> + Send + 'static,
    {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(self.address).await?);
        }
        let cpu_before = usage::cpu_time(self.pid)?;
        let started = Instant::now();
        let mut running = JoinSet::new();
        for (number, connection) in open.into_iter().enumerate() {
            running.spawn(task(self.clone(), connection, number, started));
        }
        let mut all = Seen::default();
        while let Some(seen) = running.join_next().await {
            all.add(seen?);
        }
        let elapsed = started.elapsed();
        let cpu = usage::cpu_time(self.pid)?.saturating_sub(cpu_before);
        if let Some(first) = all.first_failure {
            bail!(
                "{} of {} requests to {} failed, for example: {first}",
                all.failures,
                all.latencies.len() + all.failures as usize,
                self.name,
            );
        }
        all.latencies.sort_unstable();
        all.lateness.sort_unstable();
        Ok(Round {
            elapsed,
            cpu,
            resident_kib: usage::resident_kib(self.pid)?,
            latencies: all.latencies,
            lateness: all.lateness,
            statuses: all.statuses,
        })
    }

    fn request(&self, number: usize) -> &[u8] {
        &self.requests[number % self.requests.len()]
    }

    /// Sends the first request and returns the body of the answer.
    pub(crate) async fn ask(&self) -> anyhow::Result<Vec<u8>> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.send(self.request(0)).await?;
        if !self.expected.contains(&answer.status) {
            bail!("{} answered {}", self.name, describe(&answer));
        }
        Ok(answer.body.to_vec())
    }

    async fn send_until(
        self,
        until: Instant,
        mut connection: Connection,
        turn: impl Iterator<Item = usize>,
    ) -> Seen {
        let mut seen = Seen::default();
        let mut sent = Instant::now();
        for number in turn {
            if sent >= until {
                break;
            }
            match connection.send(self.request(number)).await {
                Ok(answer) if self.expected.contains(&answer.status) => {
                    let answered = Instant::now();
                    seen.answered(answer.status, answered - sent);
                    sent = answered;
                    continue;
                }
                Ok(answer) => seen.failed(describe(&answer)),
                Err(error) => {
                    seen.failed(format!("{error:#}"));
                    break;
                }
            }
            sent = Instant::now();
        }
        seen
    }
}

impl Seen {
    fn answered(&mut self, status: u16, latency: Duration) {
        self.latencies.push(latency);
        *self.statuses.entry(status).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.lateness.extend(other.lateness);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn failed(&mut self, what: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(what);
    }
}

fn describe(answer: &crate::http::Answer<'_>) -> String {
    let body = String::from_utf8_lossy(answer.body);
    format!("{} {body}", answer.status)
}

impl Round {
    /// How many requests were answered.
    pub(crate) fn answered(&self) -> anyhow::Result<u32> {
        match u32::try_from(self.latencies.len())? {
            0 => bail!("no request was answered"),
            count => Ok(count),
        }
    }

    /// Answers per second.
    pub(crate) fn rate(&self) -> anyhow::Result<f64> {
        Ok(f64::from(self.answered()?) / self.elapsed.as_secs_f64())
    }

    /// The server's CPU time per request, in µs.
    pub(crate) fn cpu_micros(&self) -> anyhow::Result<f64> {
        Ok(self.cpu.as_secs_f64() * 1e6 / f64::from(self.answered()?))
    }

    /// The shortest latency that this many per cent of the answers did not exceed.
    pub(crate) fn percentile(&self, per_cent: usize) -> anyhow::Result<Duration> {
        percentile(&self.latencies, per_cent).context("no request was answered")
    }
}

/// Of sorted times, the shortest that this many per cent do not exceed.
pub(crate) fn percentile(sorted: &[Duration], per_cent: usize) -> Option<Duration> {
    let rank = (sorted.len() * per_cent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(latencies: impl Iterator<Item = u64>) -> Round {
        Round {
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            resident_kib: 0,
            latencies: latencies.map(Duration::from_micros).collect(),
            lateness: Vec::new(),
            statuses: BTreeMap::new(),
        }
    }

    #[test]
    fn percentiles_are_answers_that_were_seen() {
        let hundred = round(1..=100);
        assert_eq!(hundred.percentile(50).unwrap(), Duration::from_micros(50));
        assert_eq!(hundred.percentile(99).unwrap(), Duration::from_micros(99));
        let three = round(1..=3);
        assert_eq!(three.percentile(50).unwrap(), Duration::from_micros(2));
        assert_eq!(three.percentile(99).unwrap(), Duration::from_micros(3));
        assert!(round(0..0).percentile(50).is_err());
    }
}
