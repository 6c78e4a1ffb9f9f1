//! Token buckets, one per key, in bounded memory (GCRA: a bucket is one number).

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use storage::Clock;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The sustained rate, per minute, at least 1.
    pub per_minute: u32,
    /// How many may come at once after a pause, at least 1.
    pub burst: u32,
}

impl RateLimit {
    fn interval(self) -> u64 {
        60_000_000_000 / u64::from(self.per_minute.max(1))
    }

    fn tolerance(self) -> u64 {
        self.interval()
            .saturating_mul(u64::from(self.burst.max(1)) - 1)
    }
}

/// The bucket is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit is reached")]
pub struct Limited {
    /// The limit.
    pub limit: RateLimit,
    /// When a try can succeed again.
    pub retry_after: Duration,
}

/// The buckets. Memory is bounded: past the capacity, those least used are forgotten.
#[derive(Debug)]
pub struct Buckets<K> {
    clock: Arc<dyn Clock>,
    /// The clock's monotonic time, in nanoseconds, at which the bucket is full again.
    full_at: Cache<K, Arc<AtomicU64>>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// Room for this many buckets.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            full_at: Cache::new(capacity),
        }
    }

    /// Takes one token.
    pub fn take(&self, key: &K, limit: RateLimit) -> Result<(), Limited> {
        self.take_at(self.now(), key, limit, 1)
    }

    /// Takes this many tokens at once, or none. More than the burst are never there.
    pub fn take_many(&self, key: &K, limit: RateLimit, count: u32) -> Result<(), Limited> {
        self.take_at(self.now(), key, limit, count)
    }

    /// Puts one token back: what it was taken for did not happen.
    pub fn give_back(&self, key: &K, limit: RateLimit) {
        if let Some(full_at) = self.full_at.get(key) {
            let _ = full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |at| {
                Some(at.saturating_sub(limit.interval()))
            });
        }
    }

    fn take_at(&self, now: u64, key: &K, limit: RateLimit, count: u32) -> Result<(), Limited> {
        let Some(further) = count.checked_sub(1) else {
            return Ok(());
        };
        let further = limit.interval().saturating_mul(further.into());

        let Ok(full_at) = self
            .full_at
            .get_or_insert_with(key, || Ok::<_, Limited>(Arc::default()))
        else {
            return Err(Limited {
                limit,
                retry_after: Duration::from_secs(1),
            });
        };
        let taken = full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |at| {
            let base = at.max(now);
            let fits = (base - now).saturating_add(further) <= limit.tolerance();
            fits.then(|| {
                base.saturating_add(further)
                    .saturating_add(limit.interval())
            })
        });
        match taken {
            Ok(_) => Ok(()),
            Err(at) => Err(Limited {
                limit,
                retry_after: Duration::from_nanos(
                    at.max(now)
                        .saturating_add(further)
                        .saturating_sub(now)
                        .saturating_sub(limit.tolerance()),
                ),
            }),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Who is counted as one client: one budget per IPv4 address and per IPv6 /64, which is what one subscriber gets.
pub fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            std::net::Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use storage::SystemClock;

    use super::*;

    const LIMIT: RateLimit = RateLimit {
        per_minute: 60,
        burst: 3,
    };
    const SECOND: u64 = 1_000_000_000;

    fn buckets<K: Eq + Hash + Clone>(capacity: usize) -> Buckets<K> {
        Buckets::new(Arc::new(SystemClock), capacity)
    }

    #[test]
    fn a_burst_then_the_rate() {
        let buckets = buckets(10);
        for _ in 0..3 {
            assert_eq!(buckets.take_at(0, &"a", LIMIT, 1), Ok(()));
        }
        let limited = buckets.take_at(0, &"a", LIMIT, 1).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(1));
        assert_eq!(
            buckets.take_at(0, &"b", LIMIT, 1),
            Ok(()),
            "another key has its own bucket"
        );
        assert_eq!(buckets.take_at(SECOND, &"a", LIMIT, 1), Ok(()));
        assert!(buckets.take_at(SECOND, &"a", LIMIT, 1).is_err());
    }

    #[test]
    fn many_are_taken_together_or_not_at_all() {
        let buckets = buckets(10);
        assert!(
            buckets.take_at(0, &"a", LIMIT, 4).is_err(),
            "above the burst"
        );
        assert_eq!(buckets.take_at(0, &"a", LIMIT, 0), Ok(()));
        assert_eq!(buckets.take_at(0, &"a", LIMIT, 2), Ok(()));
        let limited = buckets.take_at(0, &"a", LIMIT, 2).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(1));
        assert_eq!(
            buckets.take_at(0, &"a", LIMIT, 1),
            Ok(()),
            "nothing was taken"
        );
        assert!(buckets.take_at(2 * SECOND, &"a", LIMIT, 3).is_err());
        assert_eq!(buckets.take_at(3 * SECOND, &"a", LIMIT, 3), Ok(()));
    }

    #[test]
    fn a_token_given_back_can_be_taken_again() {
        let buckets = buckets(10);
        for _ in 0..100 {
            assert_eq!(buckets.take_at(0, &"a", LIMIT, 1), Ok(()));
            buckets.give_back(&"a", LIMIT);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = buckets(100);
        for client in 0..10_000 {
            let _ = buckets.take_at(0, &client, LIMIT, 1);
        }
        assert!(buckets.full_at.len() <= 100);
    }
}
