//! Time: the one place that asks the system for it.

#[cfg(any(feature = "client", feature = "tower"))]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub(crate) fn unix_seconds() -> u64 {
    // A clock set before 1970 makes every token one of the future, and so refused.
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(feature = "client")]
pub use client::{Clock, Sleep, SystemClock};

#[cfg(feature = "client")]
mod client {
    use std::pin::Pin;
    use std::time::{Duration, Instant};

    /// Resolves when its time has come.
    pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    /// What a [`crate::RemoteVerifier`] knows of time. Tests give their own.
    pub trait Clock: Send + Sync + 'static {
        /// Seconds since the Unix epoch, which tokens and snapshots are compared with.
        fn unix_seconds(&self) -> u64;

        /// Time since some fixed moment, never going back, which ages are measured with.
        fn monotonic(&self) -> Duration;

        /// Waits until [`Clock::monotonic`] has grown by this much.
        fn sleep(&self, duration: Duration) -> Sleep;
    }

    /// The system's clock.
    #[derive(Clone, Copy, Debug)]
    pub struct SystemClock {
        started: Instant,
    }

    impl SystemClock {
        /// A clock whose monotonic time starts now.
        pub fn new() -> Self {
            Self {
                started: Instant::now(),
            }
        }
    }

    impl Default for SystemClock {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Clock for SystemClock {
        fn unix_seconds(&self) -> u64 {
            super::unix_seconds()
        }

        fn monotonic(&self) -> Duration {
            self.started.elapsed()
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            Box::pin(tokio::time::sleep(duration))
        }
    }
}
