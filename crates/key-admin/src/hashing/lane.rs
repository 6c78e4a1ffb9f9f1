//! Threads of their own for slow work, a bounded queue before them, and a bounded time to get into it.
//!
//! The threads are no workers of the runtime, and the operating system prefers every other thread to them: where hashes
//! and exchanges want the same core, exchanges get it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use storage::metrics::Counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::HashError;

/// What hashing threads add to the niceness of the process. A core that an exchange wants as well gives such a thread about
/// a tenth of its time; a core that nobody else wants, all of it. Every process may make itself nicer.
const NICENESS: i32 = 10;

/// How long a caller waits for a place. Who is refused at once comes back at once: a flood of refusals would cost more
/// than the hashes that it did not get.
const PATIENCE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// How a lane is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneUse {
    /// Hashes that are being computed now.
    pub running: u64,
    /// Hashes that wait for a thread, or for a place to wait.
    pub waiting: u64,
    /// The most that are computed at once.
    pub threads: u64,
    /// Hashes that were begun since the start.
    pub started: u64,
    /// Hashes that were refused since the start, because too many waited for too long.
    pub rejected: u64,
}

/// The right to hash in a lane, for one job after the other.
#[derive(Debug)]
pub struct Place(OwnedSemaphorePermit);

/// Counts a caller that waits for a place, also one that gives up.
struct Outside<'a>(&'a AtomicU64);

impl<'a> Outside<'a> {
    fn enter(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Some threads and the queue before them.
#[derive(Debug)]
pub(super) struct Lane {
    name: &'static str,
    threads: usize,
    /// How many jobs may run or wait.
    room: usize,
    places: Arc<Semaphore>,
    /// How many callers wait for a place.
    outside: AtomicU64,
    started: Arc<Counter>,
    rejected: Counter,
    /// The threads start with the first job, and end when this is dropped.
    jobs: OnceLock<Option<Sender<Job>>>,
}

impl Lane {
    /// A lane in which at most `places` jobs run or wait.
    pub(super) fn new(name: &'static str, threads: usize, places: usize) -> Self {
        Self {
            name,
            threads,
            room: places,
            places: Arc::new(Semaphore::new(places)),
            outside: AtomicU64::new(0),
            started: Arc::default(),
            rejected: Counter::default(),
            jobs: OnceLock::new(),
        }
    }

    /// Waits for a place, in the order of the callers, for a bounded time.
    pub(super) async fn enter(&self) -> Result<Place, HashError> {
        let places = self.places.clone();
        if let Ok(permit) = places.clone().try_acquire_owned() {
            return Ok(Place(permit));
        }
        let _outside = Outside::enter(&self.outside);
        let permit = tokio::time::timeout(PATIENCE, places.acquire_owned()).await;
        permit.ok().and_then(Result::ok).map(Place).ok_or_else(|| {
            self.rejected.increment();
            HashError::Overloaded
        })
    }

    /// Does the work when its turn comes, unless its caller has gone away by then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let place = self.enter().await?;
        self.run_at(place, work).await
    }

    /// The same, for a caller that has a place.
    pub(super) async fn run_at<T: Send + 'static>(
        &self,
        Place(place): Place,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let (answer, answered) = oneshot::channel();
        let started = self.started.clone();
        let job = Box::new(move || {
            let result = (!answer.is_closed()).then(|| {
                started.increment();
                catch_unwind(AssertUnwindSafe(work))
            });
            // The place goes with the job: a caller that goes away does not free a thread that still hashes. And whoever
            // has an answer finds the place free.
            drop(place);
            if let Some(result) = result {
                let _ = answer.send(result.unwrap_or(Err(HashError::Thread)));
            }
        });
        let jobs = self.jobs.get_or_init(|| self.start());
        let jobs = jobs.as_ref().ok_or(HashError::Thread)?;
        jobs.send(job).map_err(|_| HashError::Thread)?;
        answered.await.map_err(|_| HashError::Thread)?
    }

    /// How it is used now. A place is free before its answer is there, so a figure can be one too low for a moment.
    pub(super) fn usage(&self) -> LaneUse {
        let jobs = self.room.saturating_sub(self.places.available_permits());
        let running = jobs.min(self.threads);
        LaneUse {
            running: running as u64,
            waiting: (jobs - running) as u64 + self.outside.load(Ordering::Relaxed),
            threads: self.threads as u64,
            started: self.started.get(),
            rejected: self.rejected.get(),
        }
    }

    fn start(&self) -> Option<Sender<Job>> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let started = (0..self.threads).filter(|_| {
            let receiver = receiver.clone();
            let builder = std::thread::Builder::new().name(self.name.to_owned());
            let thread = builder.spawn(move || work_off(&receiver));
            if let Err(error) = &thread {
                tracing::error!(%error, "a hashing thread could not be started");
            }
            thread.is_ok()
        });
        (started.count() > 0).then_some(sender)
    }
}

fn work_off(jobs: &Mutex<Receiver<Job>>) {
    // Linux knows the niceness of each thread; elsewhere it would be that of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = be_nice() {
        tracing::debug!(%error, "a hashing thread runs at the priority of the others");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(target_os = "linux")]
fn be_nice() -> rustix::io::Result<()> {
    use rustix::process::{getpriority_process, setpriority_process};
    // "This process" is the calling thread.
    let inherited = getpriority_process(None)?;
    setpriority_process(None, (inherited + NICENESS).min(19))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Work that goes on until the test says so.
    fn stuck() -> (
        impl FnOnce() -> Result<(), HashError> + Send + 'static,
        mpsc::Sender<()>,
    ) {
        let (end, ended) = mpsc::channel();
        let work = move || ended.recv().map_err(|_| HashError::Thread);
        (work, end)
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_its_places_a_lane_has_patience_and_others_are_not_concerned() {
        let (slow, other) = (Lane::new("slow", 1, 2), Lane::new("other", 1, 1));
        let (running, end) = stuck();
        let mut running = Box::pin(slow.run(running));
        assert!(futures::poll!(&mut running).is_pending());
        let mut waiting = Box::pin(slow.run(|| Ok(7)));
        assert!(futures::poll!(&mut waiting).is_pending());
        let mut outside = Box::pin(slow.run(|| Ok(())));
        assert!(futures::poll!(&mut outside).is_pending());
        assert_eq!(slow.usage().waiting, 2);
        assert!(matches!(outside.await, Err(HashError::Overloaded)));
        assert_eq!((slow.usage().waiting, slow.usage().rejected), (1, 1));
        assert_eq!(other.run(|| Ok(8)).await.unwrap(), 8);
        end.send(()).unwrap();
        running.await.unwrap();
        assert_eq!(waiting.await.unwrap(), 7);
        assert!(slow.run(|| Ok(())).await.is_ok(), "there is room again");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_begun() {
        let lane = Lane::new("lane", 1, 3);
        let (running, end) = stuck();
        let mut running = Box::pin(lane.run(running));
        assert!(futures::poll!(&mut running).is_pending());
        let done = Arc::new(());
        let weak = Arc::downgrade(&done);
        let mut given_up = Box::pin(lane.run(move || Ok(Arc::into_inner(done).is_some())));
        assert!(futures::poll!(&mut given_up).is_pending());
        drop(given_up);
        end.send(()).unwrap();
        running.await.unwrap();
        // The one after it runs only when it is over.
        lane.run(|| Ok(())).await.unwrap();
        assert!(weak.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_panic_fails_its_caller_and_no_other() {
        let lane = Lane::new("lane", 1, 1);
        let failed: Result<(), _> = lane.run(|| panic!("on purpose")).await;
        assert!(matches!(failed, Err(HashError::Thread)));
        assert_eq!(lane.run(|| Ok(1)).await.unwrap(), 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn its_threads_are_nicer_than_the_callers() {
        let of_thread = || rustix::process::getpriority_process(None);
        let lane = Lane::new("lane", 1, 1);
        let inside = lane.run(move || of_thread().map_err(|_| HashError::Thread));
        let outside = of_thread().unwrap();
        assert_eq!(inside.await.unwrap(), (outside + NICENESS).min(19));
    }
}
