//! The load driver with a clock: requests are due at equal distances, whatever the server does, and latency counts from
//! the moment a request was due. So a server that stops for a while is charged with all the requests that it kept
//! waiting, not only with those that had been sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::Semaphore;

use super::{Load, Round, Seen, Target, describe};
use crate::http::Connection;

/// When which request is due.
#[derive(Debug)]
struct Pace {
    started: Instant,
    interval: f64,
    requests: u32,
    /// How many have been taken by a connection.
    taken: AtomicU32,
    /// One permit for each request that is due.
    due: Semaphore,
}

impl Target {
    /// Sends this many requests per second. Any answer that is not expected is an error.
    pub(crate) async fn drive_at(&self, rate: f64, load: Load) -> anyhow::Result<Round> {
        let requests = count(rate, load.duration)?;
        let pace = Arc::new(Pace {
            started: Instant::now(),
            interval: 1.0 / rate,
            requests,
            taken: AtomicU32::new(0),
            due: Semaphore::new(0),
        });
        let clock = pace.clone();
        let connections = usize::from(load.connections);
        // A thread of its own, because timers of the runtime go by the millisecond.
        let clock = thread::spawn(move || clock.run(connections));
        let observed = self.observe(load.connections, |target, connection, _, _| {
            target.send_when_due(connection, pace.clone())
        });
        let round = observed.await?;
        ensure!(clock.join().is_ok(), "the clock of the load driver failed");
        Ok(round)
    }

    async fn send_when_due(self, mut connection: Connection, pace: Arc<Pace>) -> Seen {
        let mut seen = Seen::default();
        while let Some((number, due)) = pace.next().await {
            seen.lateness.push(due.elapsed());
            match connection.send(self.request(number as usize)).await {
                Ok(answer) if self.expected.contains(&answer.status) => {
                    seen.answered(answer.status, due.elapsed());
                }
                Ok(answer) => seen.failed(describe(&answer)),
                Err(error) => {
                    seen.failed(format!("{error:#}"));
                    break;
                }
            }
        }
        seen
    }
}

impl Pace {
    /// Lets each request be taken when its time has come, and at the end lets all connections find that there are no more.
    fn run(&self, connections: usize) {
        for number in 0..self.requests {
            // Nothing to wait for when it is late.
            thread::sleep(
                self.due_at(number)
                    .saturating_duration_since(Instant::now()),
            );
            self.due.add_permits(1);
        }
        self.due.add_permits(connections);
    }

    fn due_at(&self, number: u32) -> Instant {
        self.started + Duration::from_secs_f64(self.interval * f64::from(number))
    }

    /// The next request, once it is due; `None` after the last.
    async fn next(&self) -> Option<(u32, Instant)> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.requests).then(|| (number, self.due_at(number)))
    }
}

/// How many requests there are in this time.
fn count(rate: f64, duration: Duration) -> anyhow::Result<u32> {
    let requests = (rate * duration.as_secs_f64()).round();
    ensure!(
        (1.0..=f64::from(u32::MAX)).contains(&requests),
        "{rate} requests per second cannot be sent"
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    Ok(requests as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_is_taken_once_and_not_before_it_is_due() {
        let pace = Arc::new(Pace {
            started: Instant::now(),
            interval: 0.000_1,
            requests: 100,
            taken: AtomicU32::new(0),
            due: Semaphore::new(0),
        });
        let clock = pace.clone();
        let clock = thread::spawn(move || clock.run(2));
        for expected in 0..100 {
            let (number, due) = pace.next().await.unwrap();
            assert_eq!(number, expected);
            assert!(Instant::now() >= due);
        }
        assert!(pace.next().await.is_none());
        assert!(pace.next().await.is_none());
        clock.join().unwrap();
    }

    #[test]
    fn a_rate_and_a_time_make_a_number_of_requests() {
        assert_eq!(count(1000.4, Duration::from_secs(5)).unwrap(), 5002);
        assert!(count(0.0, Duration::from_secs(5)).is_err());
        assert!(count(f64::NAN, Duration::from_secs(5)).is_err());
    }
}
