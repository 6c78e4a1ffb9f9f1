//! One document of the issuer: held in memory, fetched by one caller at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::fetch::{Answer, FetchError, Fetcher};
use crate::clock::{Clock, Sleep};

/// What tells the documents apart.
pub(super) trait Document: Send + Sync + 'static {
    type Value: Send + Sync + 'static;

    /// Reads a fetched body, given what is held.
    fn read(
        &self,
        body: String,
        held: Option<&Self::Value>,
    ) -> impl Future<Output = Result<Self::Value, FetchError>> + Send;

    /// Whether what is held would still do, were the issuer to say that it has not changed.
    fn may_be_confirmed(&self, held: &Self::Value) -> bool;

    /// How long after its confirmation the document is due again.
    fn due_after(&self, answer: &Answer) -> Duration;

    /// How long after its confirmation it may be used, if it is due after `due_after`.
    fn usable_for(&self, due_after: Duration) -> Duration;
}

/// The document as it was last read.
pub(super) struct Snapshot<T> {
    pub(super) value: Arc<T>,
    etag: Option<String>,
    /// When the fetch began that confirmed it; what it says may be as old as that.
    confirmed: Duration,
    usable_for: Duration,
}

/// Why a document is fetched.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// It is time.
    Due,
    /// A token needs what is not held. `seen` is the [`Held::generation`] that did not have it.
    Missing { seen: u64 },
}

pub(super) struct Held<D: Document> {
    document: D,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<Snapshot<D::Value>>,
    generation: AtomicU64,
    /// Monotonic milliseconds.
    due: AtomicU64,
    cool_down: Duration,
    flight: Mutex<Flight>,
}

/// Held while fetching, so that there is one fetch at a time.
#[derive(Default)]
struct Flight {
    /// Until then no token causes a fetch.
    cools_until: Duration,
    /// Why the last fetch failed, if it did.
    failure: Option<Arc<FetchError>>,
}

impl<D: Document> Held<D> {
    pub(super) fn new(
        document: D,
        fetcher: Fetcher,
        clock: Arc<dyn Clock>,
        cool_down: Duration,
    ) -> Self {
        Self {
            document,
            fetcher,
            clock,
            current: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            due: AtomicU64::new(0),
            cool_down,
            flight: Mutex::default(),
        }
    }

    pub(super) fn document(&self) -> &D {
        &self.document
    }

    pub(super) fn url(&self) -> &str {
        self.fetcher.url()
    }

    /// Grows with every successful fetch.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn get(&self) -> Option<Arc<Snapshot<D::Value>>> {
        self.current.load_full()
    }

    /// What is held, unless it is too old.
    pub(super) fn usable(&self) -> Option<Arc<Snapshot<D::Value>>> {
        let held = self.get()?;
        let young = self.clock.monotonic().saturating_sub(held.confirmed) <= held.usable_for;
        (young && self.document.may_be_confirmed(&held.value)).then_some(held)
    }

    pub(super) fn age(&self) -> Option<Duration> {
        let held = self.get()?;
        Some(self.clock.monotonic().saturating_sub(held.confirmed))
    }

    pub(super) fn sleep_until_due(&self) -> Sleep {
        let due = Duration::from_millis(self.due.load(Ordering::Acquire));
        self.clock.sleep(due.saturating_sub(self.clock.monotonic()))
    }

    /// Fetches the document, unless another caller has just done so or it is too early to ask again.
    pub(super) async fn refresh(&self, cause: Cause) -> Result<(), Arc<FetchError>> {
        let mut flight = self.flight.lock().await;
        let now = self.clock.monotonic();
        match cause {
            Cause::Due if milliseconds(now) < self.due.load(Ordering::Acquire) => {
                return flight.failure.clone().map_or(Ok(()), Err);
            }
            Cause::Missing { seen } if seen != self.generation() => return Ok(()),
            Cause::Missing { .. } if now < flight.cools_until => {
                let failure = flight.failure.clone();
                return Err(failure.unwrap_or_else(|| Arc::new(FetchError::CoolingDown)));
            }
            // The first fetch of all is one that would have come anyway.
            Cause::Missing { .. } if self.generation() > 0 => {
                flight.cools_until = now + self.cool_down;
            }
            Cause::Due | Cause::Missing { .. } => {}
        }
        let revalidate = matches!(cause, Cause::Missing { .. });
        let fetched = self.fetch(now, revalidate).await.map_err(Arc::new);
        flight.failure = fetched.as_ref().err().cloned();
        if fetched.is_err() {
            // Neither tokens nor the task in the background hammer an issuer that is in trouble.
            flight.cools_until = now + self.cool_down;
            self.set_due(now + self.cool_down);
        }
        fetched
    }

    async fn fetch(&self, now: Duration, revalidate: bool) -> Result<(), FetchError> {
        let held = self
            .get()
            .filter(|held| self.document.may_be_confirmed(&held.value));
        let etag = held.as_ref().and_then(|held| held.etag.as_deref());
        let answer = self.fetcher.get(etag, revalidate).await?;
        let value = match (&answer.body, held) {
            (None, Some(held)) => Arc::clone(&held.value),
            (None, None) => return Err(FetchError::Status(304)),
            (Some(body), _) => {
                let known = self.get();
                let known = known.as_deref().map(|known| known.value.as_ref());
                Arc::new(self.document.read(body.clone(), known).await?)
            }
        };
        let due_after = self.document.due_after(&answer);
        self.current.store(Some(Arc::new(Snapshot {
            value,
            etag: answer.etag,
            confirmed: now,
            usable_for: self.document.usable_for(due_after),
        })));
        self.set_due(now + due_after);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn set_due(&self, due: Duration) {
        self.due.store(milliseconds(due), Ordering::Release);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
