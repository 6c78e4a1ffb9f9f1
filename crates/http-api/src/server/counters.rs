//! What became of connections, in numbers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What a client took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// The head of the connection's first request.
    Head,
    /// The next request; half of one is none.
    Idle,
    /// A request's body.
    Body,
    /// Taking an answer.
    Answer,
}

impl Deadline {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Head, Self::Idle, Self::Body, Self::Answer];

    /// In one word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Body => "body",
            Self::Answer => "answer",
        }
    }
}

/// Counts of this server's connections since its start.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    evicted: AtomicU64,
    late: [AtomicU64; Deadline::ALL.len()],
}

impl ConnectionCounters {
    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many connections were let in.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many were closed at once, because their address had its share of connections and all were at work.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many were closed to make room for others, because they had kept the server waiting for the longest time.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// How many were closed because this deadline had passed.
    pub fn closed_by(&self, deadline: Deadline) -> u64 {
        self.late[deadline as usize].load(Ordering::Relaxed)
    }

    /// How many were closed because their clients were slow; idle ones are not among them.
    pub fn closed_as_slow(&self) -> u64 {
        let slow = [Deadline::Head, Deadline::Body, Deadline::Answer];
        slow.into_iter().map(|it| self.closed_by(it)).sum()
    }

    pub(super) fn set_open(&self, open: usize) {
        self.open.store(open, Ordering::Relaxed);
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_evicted(&self, count: u64) {
        self.evicted.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count_late(&self, deadline: Deadline) {
        self.late[deadline as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deadline_has_a_count_of_its_own() {
        let counters = ConnectionCounters::default();
        for (times, deadline) in Deadline::ALL.into_iter().enumerate() {
            for _ in 0..=times {
                counters.count_late(deadline);
            }
        }
        let counts = Deadline::ALL.map(|deadline| counters.closed_by(deadline));
        assert_eq!(counts, [1, 2, 3, 4]);
        assert_eq!(counters.closed_as_slow(), 1 + 3 + 4);
    }
}
