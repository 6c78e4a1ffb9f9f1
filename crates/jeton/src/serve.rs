//! The server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use console::ConsoleState;
use http_api::{ApiSettings, ApiState, Server};
use secrecy::{ExposeSecret, SecretString};
use storage::{Database, Heartbeat, SystemClock};
use token_issuer::{ServiceSettings, Services};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::ConfigArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::logging;

/// How often key rings are looked after.
const KEEP_RINGS_EVERY: Duration = Duration::from_hours(1);
/// How often old sessions are forgotten.
const FORGET_SESSIONS_EVERY: Duration = Duration::from_mins(10);
/// How often activity is written down, and the server says that it lives.
const KEEP_PRESENCE_EVERY: Duration =
    Duration::from_secs(storage::nodes::BEAT_SECONDS.unsigned_abs());
/// How long the database may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// `jeton serve`: starts from configuration and names everything that is missing at once.
pub(crate) async fn run(args: ConfigArgs) -> Result<(), Failure> {
    let config = Config::read(&args)?;
    let settings = (
        config.database_url(),
        config.master_secrets(),
        config.public_url(),
        config.single_sign_on(),
        config.api_settings(),
    );
    let (database_url, master, public_url, single_sign_on, api) = match settings {
        (Ok(database), Ok(master), Ok(url), Ok(providers), Ok(api)) => {
            (database, master, url, providers, api)
        }
        (database, master, url, providers, api) => {
            let faults = [database.err(), master.err(), url.err(), providers.err()];
            let faults = faults.into_iter().chain([api.err()]);
            let faults: Vec<String> = faults.flatten().collect();
            return Err(Failure::input(anyhow!(
                "the server cannot start: {}",
                faults.join("; ")
            )));
        }
    };
    let _log = logging::start(&config.log)?;
    if master.previous().is_some() {
        tracing::warn!(
            "two master secrets are configured: run `jeton reseal`, then take the previous one away"
        );
    }
    let database = open(&database_url).await?;
    database.check_schema().await?;
    let server = bind(&config).await?;
    let services = Services::start(ServiceSettings {
        database,
        clock: Arc::new(SystemClock),
        master,
        public_url,
        staleness_bound: config.staleness_bound(),
        issuance_log: config.issuance_log,
        key_admin: config.keys.clone(),
    })
    .await?;
    let console = ConsoleState::new(Arc::new(services), single_sign_on);
    serve(server, &config, api, console).await
}

/// Opens a database that exists.
pub(crate) async fn open(url: &SecretString) -> Result<Database, Failure> {
    Ok(Database::open(url.expose_secret()).await?)
}

/// Opens a database, and makes its file where there is none.
pub(crate) async fn open_or_create(url: &SecretString) -> Result<Database, Failure> {
    Ok(Database::connect(url.expose_secret()).await?)
}

/// Listens.
pub(crate) async fn bind(config: &Config) -> Result<Server, Failure> {
    Server::bind(config.listen, config.server_settings())
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))
        .map_err(Failure::input)
}

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn serve(
    server: Server,
    config: &Config,
    api: ApiSettings,
    console: ConsoleState,
) -> Result<(), Failure> {
    let address = server.local_addr().map_err(Failure::server)?;
    let database = console.services.database.clone();
    warn_of_unsafe_settings(&database).await?;
    let state = ApiState::new(console.services.clone(), api, server.counters());
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(
        state.clone(),
        stop.clone(),
        config.drain_delay(),
    )?);
    let keeper = tokio::spawn(keep_rings(state.services.clone()));
    let retention = config.session_retention_days;
    let forgetter = tokio::spawn(forget_sessions(state.services.clone(), retention));
    let leave = CancellationToken::new();
    let services = state.services.clone();
    let presence = tokio::spawn(keep_presence(services, config.node_name(), leave.clone()));
    tracing::info!(%address, "listening");
    let pages = console::routes(console);
    server.run(http_api::service(&state, pages), stop).await;
    let services = state.services.clone();
    if !matches!(
        tokio::time::timeout(CLOSE_TIMEOUT, services.issuer.settle()).await,
        Ok(Ok(()))
    ) {
        tracing::error!("the rows of the last tokens could not be written in time");
    }
    keeper.abort();
    forgetter.abort();
    leave.cancel();
    if tokio::time::timeout(CLOSE_TIMEOUT, presence).await.is_err() {
        tracing::warn!("the last seconds of activity could not be written down in time");
    }
    // What was answered is committed; a database that does not let go must not keep the process.
    if tokio::time::timeout(CLOSE_TIMEOUT, database.close())
        .await
        .is_err()
    {
        tracing::warn!("database connections were still in use at the end");
    }
    tracing::info!("stopped");
    Ok(())
}

/// An answered token must be there after a power cut, and so must its database's server see to it.
async fn warn_of_unsafe_settings(database: &Database) -> Result<(), Failure> {
    let off = database.unsafe_settings().await?;
    if !off.is_empty() {
        tracing::warn!(
            off = off.join(", "),
            "PostgreSQL does not wait for its disk: a power cut would take tokens that were answered"
        );
    }
    Ok(())
}

/// Rotates key rings that are due, and takes keys out of use whose tokens have ended. Every node does; each ring is changed
/// by one.
async fn keep_rings(services: Arc<Services>) {
    let mut ticks = tokio::time::interval(KEEP_RINGS_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = services.issuer.keep_rings().await {
            tracing::error!(%error, "key rings could not be kept in order");
        }
    }
}

/// Writes down what this node has issued and refused, and says that it lives; at the end once more, and that it is gone.
async fn keep_presence(services: Arc<Services>, name: String, leave: CancellationToken) {
    let heartbeat = Heartbeat::new(
        services.database.clone(),
        services.feed.clone(),
        services.clock.clone(),
        name,
        env!("CARGO_PKG_VERSION"),
    );
    let mut ticks = tokio::time::interval(KEEP_PRESENCE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !leave.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = leave.cancelled() => {}
        }
        if let Err(error) = services.keys.counter().write_down().await {
            tracing::warn!(%error, "activity could not be written down");
        }
        let said = if leave.is_cancelled() {
            heartbeat.leave().await
        } else {
            heartbeat.beat().await
        };
        if let Err(error) = said {
            tracing::warn!(%error, "this server could not say that it lives");
        }
    }
}

/// Forgets sessions and activity that are long over, and what is left of people's sign-ins. Every node does; what one has
/// removed, the others do not find.
async fn forget_sessions(services: Arc<Services>, retention_days: u32) {
    let mut ticks = tokio::time::interval(FORGET_SESSIONS_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = services.keys.forget_sign_ins().await {
            tracing::error!(%error, "what is left of old sign-ins could not be forgotten");
        }
        match services.issuer.forget_sessions(retention_days).await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "old sessions were forgotten"),
            Err(error) => tracing::error!(%error, "old sessions could not be forgotten"),
        }
        if let Err(error) = services.keys.forget_activity().await {
            tracing::error!(%error, "old activity could not be forgotten");
        }
    }
}

/// The first signal drains, a second one ends the process at once.
fn stop_on_signal(
    state: ApiState,
    stop: CancellationToken,
    drain_delay: Duration,
) -> Result<impl Future<Output = ()> + Send, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::server)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::server)?;
    Ok(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        // Load balancers see it at `/readyz` while new connections are still taken.
        state.start_draining();
        tokio::select! {
            () = tokio::time::sleep(drain_delay) => stop.cancel(),
            () = next() => std::process::exit(130),
        }
        next().await;
        std::process::exit(130);
    })
}
