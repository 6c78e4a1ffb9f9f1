//! What a connection waits for, and how long it may.
//!
//! Requests, the stream and the connection's own task write down here what happens; the task looks now and then. Nothing
//! arms a timer on the way of a request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::counters::Deadline;

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a request's head, and between two requests.
    pub(super) head: Duration,
    /// For a request's body.
    pub(super) body: Duration,
    /// For each [`PIECE`] of an answer.
    pub(super) answer: Duration,
}

impl Patience {
    /// A connection that is looked at this often is never found late: no deadline that begins meanwhile is nearer.
    pub(super) fn shortest(&self) -> Duration {
        self.head.min(self.body).min(self.answer)
    }
}

/// As much of an answer has to be taken each time: 64 KiB.
pub(super) const PIECE: usize = 64 * 1024;
/// Handlers answer a late body themselves, with a 408; this long after them the connection is closed.
const BODY_GRACE: Duration = Duration::from_secs(1);
/// How long a connection that is to end may still have no request.
const LINGER: Duration = Duration::from_secs(2);

/// What one connection waits for.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Patience,
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Debug)]
struct State {
    /// Those whose answer is not complete. With HTTP/1.1 at most one.
    requests: Vec<Request>,
    next_number: u64,
    /// The last time that a request ended, or the connection began.
    quiet_since: Instant,
    served: bool,
    lag: Option<Lag>,
    leaving_since: Option<Instant>,
}

#[derive(Debug)]
struct Request {
    number: u64,
    stage: Stage,
    since: Instant,
    /// HTTP/2: its answer can be stuck while the connection's bytes flow.
    multiplexed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client owes the rest of the body.
    Receiving,
    /// The server owes the answer, or more of it.
    Working,
    /// The client has to take the answer.
    Answering,
}

/// The connection does not take bytes as fast as there are some.
#[derive(Debug)]
struct Lag {
    since: Instant,
    taken: usize,
}

impl Watch {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            patience,
            state: Mutex::new(State {
                requests: Vec::new(),
                next_number: 0,
                quiet_since: Instant::now(),
                served: false,
                lag: None,
                leaving_since: None,
            }),
            leave: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes could not be written at once.
    pub(super) fn lag_begins(&self) {
        let mut state = self.state();
        state.lag.get_or_insert_with(|| Lag {
            since: Instant::now(),
            taken: 0,
        });
    }

    /// So many bytes were taken, and there are more.
    pub(super) fn lag_shrinks(&self, taken: usize) {
        if let Some(lag) = &mut self.state().lag {
            lag.taken += taken;
            if lag.taken >= PIECE {
                *lag = Lag {
                    since: Instant::now(),
                    taken: 0,
                };
            }
        }
    }

    /// All bytes there were are written.
    pub(super) fn lag_ends(&self) {
        let mut state = self.state();
        state.lag = None;
        // Who took its time to take an answer has not been idle meanwhile.
        state.quiet_since = Instant::now();
    }

    /// The connection takes no further requests.
    pub(super) fn leave(&self) {
        self.state().leaving_since.get_or_insert_with(Instant::now);
        self.leave.notify_one();
    }

    /// Returns when [`Self::leave`] was called.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Since when the connection has only waited for its client; `None` while the server owes something.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        if state.requests.iter().any(|it| it.stage == Stage::Working) {
            return None;
        }
        let latest = state.requests.iter().map(|it| it.since).max();
        Some(latest.unwrap_or(state.quiet_since))
    }

    /// Which deadline has passed, if one has; otherwise, when to look again.
    pub(super) fn look(&self, now: Instant) -> Result<Instant, Deadline> {
        let state = self.state();
        let shortest = self.patience.shortest();
        let mut next = match state.leaving_since {
            Some(_) => now + shortest.min(LINGER),
            None => now + shortest,
        };
        let mut check = |since: Instant, patience: Duration, deadline: Deadline| {
            let until = since + patience;
            next = next.min(until);
            if until <= now { Err(deadline) } else { Ok(()) }
        };
        if let Some(lag) = &state.lag {
            check(lag.since, self.patience.answer, Deadline::Answer)?;
        } else if state.requests.is_empty() {
            let deadline = if state.served {
                Deadline::Idle
            } else {
                Deadline::Head
            };
            check(state.quiet_since, self.patience.head, deadline)?;
            if let Some(leaving) = state.leaving_since {
                check(leaving.max(state.quiet_since), LINGER, deadline)?;
            }
        }
        for request in &state.requests {
            match request.stage {
                Stage::Receiving => {
                    let patience = self.patience.body + BODY_GRACE;
                    check(request.since, patience, Deadline::Body)?;
                }
                Stage::Answering if request.multiplexed => {
                    check(request.since, self.patience.answer, Deadline::Answer)?;
                }
                // With HTTP/1.1, an answer that is not taken is a lag.
                Stage::Answering | Stage::Working => {}
            }
        }
        Ok(next)
    }
}

/// A request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Ticket {
    watch: Arc<Watch>,
    number: u64,
}

impl Ticket {
    /// A request's head has arrived.
    pub(super) fn begin(watch: &Arc<Watch>, has_body: bool, multiplexed: bool) -> Self {
        let mut state = watch.state();
        let number = state.next_number;
        state.next_number += 1;
        state.served = true;
        state.requests.push(Request {
            number,
            stage: if has_body {
                Stage::Receiving
            } else {
                Stage::Working
            },
            since: Instant::now(),
            multiplexed,
        });
        Self {
            watch: watch.clone(),
            number,
        }
    }

    /// What the request's body holds, to tell of its end.
    pub(super) fn receipt(&self) -> Receipt {
        Receipt {
            watch: self.watch.clone(),
            number: self.number,
        }
    }

    /// The server has to go on with the answer.
    pub(super) fn working(&self) {
        self.change(Stage::Working);
    }

    /// The client has to take the answer, or the next piece of it.
    pub(super) fn answering(&self) {
        self.change(Stage::Answering);
    }

    fn change(&self, stage: Stage) {
        let mut state = self.watch.state();
        if let Some(request) = state.request(self.number) {
            request.stage = stage;
            request.since = Instant::now();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.requests.retain(|it| it.number != self.number);
        state.quiet_since = Instant::now();
    }
}

/// The body of a request that has not arrived completely.
#[derive(Debug)]
pub(super) struct Receipt {
    watch: Arc<Watch>,
    number: u64,
}

impl Drop for Receipt {
    /// It has arrived, or nobody wants the rest.
    fn drop(&mut self) {
        let mut state = self.watch.state();
        if let Some(request) = state.request(self.number)
            && request.stage == Stage::Receiving
        {
            request.stage = Stage::Working;
        }
    }
}

impl State {
    fn request(&mut self, number: u64) -> Option<&mut Request> {
        self.requests.iter_mut().find(|it| it.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn watch() -> (Arc<Watch>, Instant) {
        let patience = Patience {
            head: seconds(10),
            body: seconds(20),
            answer: seconds(30),
        };
        (Watch::new(patience), Instant::now())
    }

    /// Is this the deadline that has passed so long after now?
    fn passed(watch: &Watch, after: u64) -> Option<Deadline> {
        watch.look(Instant::now() + seconds(after)).err()
    }

    #[test]
    fn a_first_head_and_the_time_between_requests_are_bounded() {
        let (watch, began) = watch();
        assert_eq!(passed(&watch, 9), None);
        assert_eq!(passed(&watch, 10), Some(Deadline::Head));
        drop(Ticket::begin(&watch, false, false));
        assert_eq!(passed(&watch, 9), None);
        assert_eq!(passed(&watch, 10), Some(Deadline::Idle));
        assert!(watch.waiting_since() > Some(began));
    }

    #[test]
    fn a_body_is_bounded_and_the_work_is_not_the_clients_fault() {
        let (watch, _) = watch();
        let ticket = Ticket::begin(&watch, true, false);
        let receipt = ticket.receipt();
        assert_eq!(passed(&watch, 20), None);
        assert_eq!(passed(&watch, 21), Some(Deadline::Body));
        assert!(watch.waiting_since().is_some());
        drop(receipt);
        assert_eq!(passed(&watch, 3600), None);
        assert!(watch.waiting_since().is_none());
    }

    #[test]
    fn an_answer_is_taken_piece_by_piece() {
        let (watch, _) = watch();
        let ticket = Ticket::begin(&watch, false, true);
        ticket.answering();
        assert_eq!(passed(&watch, 29), None);
        assert_eq!(passed(&watch, 30), Some(Deadline::Answer));
        // The server itself has to go on.
        ticket.working();
        assert_eq!(passed(&watch, 3600), None);
    }

    #[test]
    fn a_lag_ends_when_everything_is_taken_and_begins_anew_with_each_piece() {
        let (watch, _) = watch();
        drop(Ticket::begin(&watch, false, false));
        watch.lag_begins();
        let since = || watch.state().lag.as_ref().map(|lag| lag.since);
        let began = since();
        assert_eq!(passed(&watch, 29), None, "a slow reader is not idle");
        assert_eq!(passed(&watch, 30), Some(Deadline::Answer));
        watch.lag_begins();
        watch.lag_shrinks(PIECE - 1);
        assert_eq!(since(), began, "not a whole piece");
        watch.lag_shrinks(1);
        assert!(since() > began);
        watch.lag_ends();
        assert_eq!(passed(&watch, 10), Some(Deadline::Idle));
    }

    #[test]
    fn who_is_told_to_leave_has_less_time_without_a_request() {
        let (watch, _) = watch();
        watch.leave();
        assert_eq!(passed(&watch, 1), None);
        assert_eq!(passed(&watch, 2), Some(Deadline::Head));
        let _ticket = Ticket::begin(&watch, false, false);
        assert_eq!(passed(&watch, 3600), None);
    }

    #[test]
    fn the_next_look_is_never_later_than_a_deadline_that_begins_now() {
        let (watch, _) = watch();
        let _ticket = Ticket::begin(&watch, false, false);
        let now = Instant::now();
        assert_eq!(watch.look(now), Ok(now + seconds(10)));
        watch.leave();
        assert_eq!(watch.look(now), Ok(now + seconds(2)));
    }
}
