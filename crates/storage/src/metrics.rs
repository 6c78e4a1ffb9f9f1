//! What a server counts about itself, for its operator: counters and histograms that any thread adds to for a few
//! nanoseconds, without a lock. Who shows them gives them names; here they have none.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quick_cache::sync::Cache;

/// A number that only grows, from the start of the server on.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The upper bound of a bucket: what is at most this much falls into it. With its text as a canonical floating-point
/// number, in seconds where the values are nanoseconds.
pub type Bound = (u64, &'static str);

/// Buckets for times, in nanoseconds: from 10 µs, about a fifth of the CPU time of one exchange, to 10 s, when clients
/// have given up.
pub const TIMES: &[Bound] = &[
    (10_000, "1e-05"),
    (25_000, "2.5e-05"),
    (50_000, "5e-05"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1.0"),
    (2_500_000_000, "2.5"),
    (10_000_000_000, "10.0"),
];

/// Buckets for how many things are in a group.
pub const SIZES: &[Bound] = &[
    (1, "1.0"),
    (2, "2.0"),
    (4, "4.0"),
    (8, "8.0"),
    (16, "16.0"),
    (32, "32.0"),
    (64, "64.0"),
    (128, "128.0"),
    (256, "256.0"),
    (512, "512.0"),
];

/// How values are spread over buckets.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Bound],
    /// One for each bound, and one for what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Each bound with how many values were at most that much.
    pub buckets: Vec<(Bound, u64)>,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    /// An empty one with these buckets, the least first.
    pub fn new(bounds: &'static [Bound]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// An empty one for times.
    pub fn of_times() -> Self {
        Self::new(TIMES)
    }

    /// Adds a value.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|(bound, _)| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds the time from now on until the timer is dropped, however that comes about.
    pub fn time(&self) -> Timer<'_> {
        Timer {
            histogram: self,
            started: Instant::now(),
        }
    }

    /// What has been added so far. Of a value that is added meanwhile, the count may be there and the sum not yet.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut count = 0;
        let counts = self.counts.iter().map(|it| it.load(Ordering::Relaxed));
        let mut reached: Vec<u64> = counts
            .map(|it| {
                count += it;
                count
            })
            .collect();
        reached.truncate(self.bounds.len());
        HistogramSnapshot {
            buckets: self.bounds.iter().copied().zip(reached).collect(),
            count,
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// Adds the time that it lived to a histogram.
#[derive(Debug)]
#[must_use = "the time ends when it is dropped"]
pub struct Timer<'h> {
    histogram: &'h Histogram,
    started: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.histogram.observe(nanos);
    }
}

/// How a cache is used. The cache itself counts, where it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheUse {
    /// Look-ups that found an entry. One that is then found out of date was a hit, and is looked up again.
    pub hits: u64,
    /// Look-ups that had to load an entry, or to wait for who loads it.
    pub misses: u64,
    /// Entries that are kept now.
    pub entries: u64,
}

impl CacheUse {
    /// Asks a cache.
    pub fn of<K: Eq + Hash, V: Clone>(cache: &Cache<K, V>) -> Self {
        Self {
            hits: cache.hits(),
            misses: cache.misses(),
            entries: cache.len() as u64,
        }
    }
}

/// How a pool of database connections is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// What its connections are for: `read` and `write` of SQLite, `all` of PostgreSQL.
    pub name: &'static str,
    /// Connections that are open.
    pub open: u64,
    /// Open ones that nobody uses.
    pub idle: u64,
    /// The most that may be open.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(histogram: &Histogram) -> Vec<u64> {
        let buckets = histogram.snapshot().buckets;
        buckets.into_iter().map(|(_, count)| count).collect()
    }

    #[test]
    fn a_value_falls_into_the_first_bucket_that_is_not_below_it() {
        const BOUNDS: &[Bound] = &[(1, "1.0"), (10, "10.0"), (100, "100.0")];
        let histogram = Histogram::new(BOUNDS);
        assert_eq!(counts(&histogram), [0, 0, 0]);
        for value in [0, 1, 2, 10, 11, 100] {
            histogram.observe(value);
        }
        assert_eq!(counts(&histogram), [2, 4, 6]);
        histogram.observe(101);
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count, snapshot.sum), (7, 225));
        assert_eq!(counts(&histogram), [2, 4, 6], "above all bounds");
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let histogram = Histogram::new(SIZES);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|value| histogram.observe(value % 600)));
            }
        });
        let each: u64 = (0..10_000).map(|value| value % 600).sum();
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count, snapshot.sum), (40_000, 4 * each));
    }

    #[test]
    fn a_timer_adds_what_elapsed_when_it_is_dropped() {
        let histogram = Histogram::of_times();
        let timer = histogram.time();
        assert_eq!(histogram.snapshot().count, 0);
        drop(timer);
        let given_up = async {
            let _timer = histogram.time();
            std::future::pending::<()>().await;
        };
        let mut given_up = Box::pin(given_up);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(given_up.as_mut().poll(&mut context).is_pending());
        drop(given_up);
        assert_eq!(histogram.snapshot().count, 2);
        assert!(histogram.snapshot().sum > 0);
    }

    #[test]
    fn bounds_rise_and_their_texts_say_the_same() {
        let said = |bounds: &[Bound], unit: f64| {
            assert!(bounds.is_sorted_by(|a, b| a.0 < b.0));
            for (bound, text) in bounds {
                let whole: f64 = bound.to_string().parse().unwrap();
                let told: f64 = text.parse().unwrap();
                assert!((told * unit - whole).abs() < 0.001, "{text}");
            }
        };
        said(TIMES, 1e9);
        said(SIZES, 1.0);
    }

    #[test]
    fn a_cache_tells_how_it_is_used() {
        let cache: Cache<u8, u8> = Cache::new(10);
        assert!(cache.get(&1).is_none());
        cache.insert(1, 1);
        assert!(cache.get(&1).is_some() && cache.get(&1).is_some());
        let expected = CacheUse {
            hits: 2,
            misses: 1,
            entries: 1,
        };
        assert_eq!(CacheUse::of(&cache), expected);
    }
}
