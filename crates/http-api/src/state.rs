use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use token_issuer::Services;

use crate::metrics::{MetricsAccess, RequestMetrics};
use crate::server::ConnectionCounters;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// How long a request's body may take, and how long its answer.
    pub request_timeout: Duration,
    /// The proxies whose `X-Forwarded-For` counts; none by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// Is this `jeton dev`?
    pub development: bool,
    /// The API key that Swagger UI has at hand, of `jeton dev` and nowhere else. Whoever can reach the server on this
    /// machine is told.
    pub prefilled_key: Option<SecretString>,
}

/// What every handler can reach; cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState(Arc<SharedState>);

/// What all clones of an [`ApiState`] share.
#[derive(Debug)]
pub struct SharedState {
    /// The services.
    pub services: Arc<Services>,
    /// See [`ApiSettings`].
    pub settings: ApiSettings,
    /// What became of requests so far.
    pub metrics: RequestMetrics,
    /// What became of connections so far.
    pub connections: Arc<ConnectionCounters>,
    draining: AtomicBool,
}

impl ApiState {
    /// The state of a server that is not draining, and that counts its connections here.
    pub fn new(
        services: Arc<Services>,
        settings: ApiSettings,
        connections: Arc<ConnectionCounters>,
    ) -> Self {
        Self(Arc::new(SharedState {
            metrics: RequestMetrics::new(services.clock.now()),
            services,
            settings,
            connections,
            draining: AtomicBool::new(false),
        }))
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

impl Deref for ApiState {
    type Target = SharedState;

    fn deref(&self) -> &SharedState {
        &self.0
    }
}
