use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use token_issuer::Services;

/// What every handler can reach; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// The services.
    pub services: Arc<Services>,
    /// How long one request may take, its body included.
    pub request_timeout: Duration,
    draining: Arc<AtomicBool>,
}

impl ApiState {
    /// The state of a server that is not draining.
    pub fn new(services: Arc<Services>, request_timeout: Duration) -> Self {
        Self {
            services,
            request_timeout,
            draining: Arc::default(),
        }
    }

    /// From now on, `/readyz` says no: load balancers send nobody else.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Is the server about to stop?
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
