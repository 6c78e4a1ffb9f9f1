//! Session tokens that are handed out again, and replaced ahead of their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::Error;
use crate::apis::configuration::Configuration;
use crate::apis::session_tokens_api::issue_session_token;
use crate::models::{IssueSessionTokenRequest, SessionToken};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

type Issued = Result<Arc<SessionToken>, Arc<Error>>;
type Flight = Shared<BoxFuture<'static, Issued>>;

/// Hands out session tokens: the same one for equal requests, until it is time for the next. However many ask at once,
/// the server is asked once. Clones share their tokens.
#[derive(Clone)]
pub struct TokenCache(Arc<Inner>);

struct Inner {
    configuration: Configuration,
    capacity: usize,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<String, Held>,
    flights: HashMap<String, Flight>,
}

#[derive(Clone)]
struct Held {
    session: Arc<SessionToken>,
    refresh_at: Instant,
    expires_at: Instant,
}

impl TokenCache {
    /// An empty cache for 10,000 tokens.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        Self::with(configuration, 10_000, Arc::new(Instant::now))
    }

    /// An empty cache for so many tokens, which tells the time by this clock.
    #[must_use]
    pub fn with(configuration: Configuration, capacity: usize, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            configuration,
            capacity,
            clock,
            state: Mutex::default(),
        }))
    }

    /// A token for the request that still holds for some time. A new one is issued when the server's `refresh_in` is
    /// over, ahead of the old one's end. When the server cannot be reached for that, or not answer, the old one is
    /// given as long as it holds; a refusal is an error at once, and the old one is forgotten.
    ///
    /// # Errors
    ///
    /// Why no token was issued, the same for all who waited for it.
    pub async fn token(&self, request: &IssueSessionTokenRequest) -> Issued {
        let key = key_of(request);
        let (held, flight) = {
            let mut state = self.0.state();
            let held = state.held.get(&key).cloned();
            if let Some(held) = &held
                && (self.0.clock)() < held.refresh_at
            {
                return Ok(held.session.clone());
            }
            let flight = state.flights.entry(key.clone()).or_insert_with(|| {
                let fetch = self.0.clone().fetch(key, request.clone());
                fetch.boxed().shared()
            });
            (held, flight.clone())
        };
        match (flight.await, held) {
            (Err(error), Some(held))
                if error.is_retriable() && (self.0.clock)() < held.expires_at =>
            {
                Ok(held.session)
            }
            (issued, _) => issued,
        }
    }

    /// Drops the token of a request, for example when its consumer refuses it.
    pub fn forget(&self, request: &IssueSessionTokenRequest) {
        self.0.state().held.remove(&key_of(request));
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the maps half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(self: Arc<Self>, key: String, request: IssueSessionTokenRequest) -> Issued {
        // From before the request: rather too early than too late.
        let asked = (self.clock)();
        let issued = issue_session_token(&self.configuration, request).await;
        let mut state = self.state();
        state.flights.remove(&key);
        match issued {
            Ok(session) => {
                let session = Arc::new(session);
                let held = Held {
                    refresh_at: asked + seconds(session.refresh_in),
                    expires_at: asked + seconds(session.expires_in),
                    session: session.clone(),
                };
                self.make_room(&mut state.held, &key);
                state.held.insert(key, held);
                Ok(session)
            }
            Err(error) => {
                let error = Error::from(error);
                if !error.is_retriable() {
                    state.held.remove(&key);
                }
                Err(Arc::new(error))
            }
        }
    }

    /// First those that ended go, then any.
    fn make_room(&self, held: &mut HashMap<String, Held>, key: &str) {
        if held.contains_key(key) || held.len() < self.capacity {
            return;
        }
        let now = (self.clock)();
        held.retain(|_, token| now < token.expires_at);
        while held.len() >= self.capacity.max(1) {
            let Some(any) = held.keys().next().cloned() else {
                return;
            };
            held.remove(&any);
        }
    }
}

/// The same for equal requests: maps of attributes are sorted on the way through [`serde_json::Value`].
fn key_of(request: &IssueSessionTokenRequest) -> String {
    serde_json::to_value(request).map_or_else(|_| String::new(), |it| it.to_string())
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or_default())
}
