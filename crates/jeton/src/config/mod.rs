//! Configuration: flags over environment (`JETON_…`) over a TOML file over defaults. The one place that reads the
//! environment.

mod metrics;
mod profile;
mod secret;
mod single_sign_on;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use console::single_sign_on::SingleSignOn;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use key_admin::sign_in::SignInSettings;
use key_admin::{KeyAdminSettings, MasterSecrets};
use metrics::MetricsSettings;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use single_sign_on::ConfiguredProvider;
use token_issuer::{IssuanceLog, PublicUrl};

pub(crate) use profile::{Profile, ServerUrl};
pub(crate) use secret::{ConfiguredSecret, DEV_MARK, read_secret_file};

use crate::cli::ConfigArgs;
use crate::failure::Failure;

/// Everything that can be configured. Times are in seconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The name of this server among others on the same database; the machine's when it is left out.
    pub(crate) node_name: Option<String>,
    /// The address that clients use; the base of every issuer.
    pub(crate) public_url: Option<String>,
    /// `sqlite:PATH` or `postgres://…`. Masked in `config show`: it may hold a password.
    pub(crate) database_url: Option<ConfiguredSecret>,
    /// The master secret itself, 64 hex digits or more; better kept in a file.
    pub(crate) master_secret: Option<ConfiguredSecret>,
    /// A file that holds the master secret.
    pub(crate) master_secret_file: Option<PathBuf>,
    /// While the master secret is being changed, the other one: what is sealed under it opens, too.
    pub(crate) previous_master_secret: Option<ConfiguredSecret>,
    /// A file that holds it.
    pub(crate) previous_master_secret_file: Option<PathBuf>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long a request's body, and then its answer, may take.
    pub(crate) request_timeout_seconds: u32,
    /// How long a request's head may take, and how long a connection may idle.
    pub(crate) header_timeout_seconds: u32,
    /// How long a client may take for each 64 KiB of an answer that it is behind.
    pub(crate) write_timeout_seconds: u32,
    /// The most connections at a time.
    pub(crate) max_connections: u32,
    /// The most connections of one address at a time.
    pub(crate) max_connections_per_address: u32,
    /// How long `/readyz` says no before the server stops to take connections.
    pub(crate) drain_delay_seconds: u32,
    /// How long requests in flight get when the server stops.
    pub(crate) drain_timeout_seconds: u32,
    /// How long cached keys and policies are trusted without asking the database for changes.
    pub(crate) staleness_bound_seconds: u32,
    /// Does a token wait for its row to be committed?
    pub(crate) issuance_log: IssuanceLog,
    /// How many days after its end a session is forgotten.
    pub(crate) session_retention_days: u32,
    pub(crate) log: LogSettings,
    pub(crate) metrics: MetricsSettings,
    pub(crate) keys: KeyAdminSettings,
    /// The providers through which people may sign in to the console.
    pub(crate) single_sign_on: Vec<ConfiguredProvider>,
    /// Is this `jeton dev`? Nobody can configure it.
    #[serde(skip)]
    pub(crate) development: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    /// In the syntax of `tracing-subscriber`'s `EnvFilter`.
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    Text,
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".into(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            node_name: None,
            public_url: None,
            database_url: None,
            master_secret: None,
            master_secret_file: None,
            previous_master_secret: None,
            previous_master_secret_file: None,
            trusted_proxies: Vec::new(),
            request_timeout_seconds: 10,
            header_timeout_seconds: 10,
            write_timeout_seconds: 10,
            max_connections: 10_000,
            max_connections_per_address: 2_000,
            drain_delay_seconds: 0,
            drain_timeout_seconds: 10,
            staleness_bound_seconds: 2,
            issuance_log: IssuanceLog::default(),
            session_retention_days: 30,
            log: LogSettings::default(),
            metrics: MetricsSettings::default(),
            keys: KeyAdminSettings::default(),
            single_sign_on: Vec::new(),
            development: false,
        }
    }
}

/// Variables that begin with `JETON_` and belong to other commands or to the test suite.
fn is_setting(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !matches!(name.as_str(), "config" | "url" | "api_key") && !name.starts_with("test_")
}

impl Config {
    /// Reads all sources.
    pub(crate) fn read(args: &ConfigArgs) -> Result<Self, Failure> {
        let mut sources = Figment::from(Serialized::defaults(Self::default()));
        let file = args
            .config
            .clone()
            .or_else(|| Env::var("JETON_CONFIG").map(PathBuf::from));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(Failure::input(anyhow::anyhow!(
                    "there is no file {}",
                    file.display()
                )));
            }
            sources = sources.merge(Toml::file_exact(file));
        }
        sources = with_environment(sources);
        sources = with_flags(sources, args);
        let config: Self = sources.extract().map_err(|error| {
            // figment's own text quotes the offending value, which may be a secret.
            let faults: Vec<String> = error.into_iter().map(|fault| describe(&fault)).collect();
            Failure::input(anyhow::anyhow!(
                "the configuration is not usable: {}",
                faults.join("; ")
            ))
        })?;
        config.check()?;
        Ok(config)
    }

    /// Values of the right type that would stop the server from working.
    fn check(&self) -> Result<(), Failure> {
        let numbers = [
            (
                "request_timeout_seconds",
                self.request_timeout_seconds,
                1..=300,
            ),
            (
                "header_timeout_seconds",
                self.header_timeout_seconds,
                1..=300,
            ),
            ("write_timeout_seconds", self.write_timeout_seconds, 1..=300),
            ("max_connections", self.max_connections, 16..=1_000_000),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
                1..=1_000_000,
            ),
            ("drain_timeout_seconds", self.drain_timeout_seconds, 0..=300),
            ("drain_delay_seconds", self.drain_delay_seconds, 0..=300),
            (
                "staleness_bound_seconds",
                self.staleness_bound_seconds,
                1..=60,
            ),
            (
                "session_retention_days",
                self.session_retention_days,
                1..=36_500,
            ),
            (
                "keys.sign_in.idle_timeout_minutes",
                self.keys.sign_in.idle_timeout_minutes,
                SignInSettings::IDLE_TIMEOUT_MINUTES,
            ),
            (
                "keys.sign_in.max_session_hours",
                self.keys.sign_in.max_session_hours,
                SignInSettings::MAX_SESSION_HOURS,
            ),
        ];
        let mut faults: Vec<String> = numbers
            .into_iter()
            .filter(|(_, value, range)| !range.contains(value))
            .map(|(name, _, range)| {
                format!("`{name}` is from {} to {}", range.start(), range.end())
            })
            .collect();
        if self
            .node_name
            .as_deref()
            .is_some_and(|name| !is_node_name(name))
        {
            faults.push("`node_name` has 1 to 100 characters, and no control characters".into());
        }
        if !self.keys.api_key_hash.is_usable() {
            faults.push("`keys.api_key_hash` is not a cost that argon2 knows".into());
        }
        if self.keys.max_live_keys_per_owner == 0 {
            faults.push("`keys.max_live_keys_per_owner` is at least 1".into());
        }
        faults.extend(self.keys.sign_in.unusable_limits().map(|name| {
            format!("`keys.sign_in.{name}` allows at least one, at once and per minute")
        }));
        faults.extend(single_sign_on::faults(&self.single_sign_on));
        if faults.is_empty() {
            return Ok(());
        }
        Err(Failure::input(anyhow::anyhow!(
            "the configuration is not usable: {}",
            faults.join("; ")
        )))
    }

    /// The name that people know this server by.
    pub(crate) fn node_name(&self) -> String {
        let configured = self.node_name.clone();
        configured
            .or_else(host_name)
            .unwrap_or_else(|| "unnamed".to_owned())
    }

    /// What the HTTP server goes by; reads the file of the metrics' token, if one is named.
    pub(crate) fn api_settings(&self) -> Result<http_api::ApiSettings, String> {
        Ok(http_api::ApiSettings {
            request_timeout: Duration::from_secs(self.request_timeout_seconds.into()),
            trusted_proxies: self.trusted_proxies.clone(),
            metrics: self.metrics.access()?,
            development: self.development,
            prefilled_key: None,
        })
    }

    pub(crate) fn drain_delay(&self) -> Duration {
        Duration::from_secs(self.drain_delay_seconds.into())
    }

    pub(crate) fn staleness_bound(&self) -> Duration {
        Duration::from_secs(self.staleness_bound_seconds.into())
    }

    pub(crate) fn server_settings(&self) -> http_api::ServerSettings {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        http_api::ServerSettings {
            header_timeout: seconds(self.header_timeout_seconds),
            body_timeout: seconds(self.request_timeout_seconds),
            write_timeout: seconds(self.write_timeout_seconds),
            drain_timeout: seconds(self.drain_timeout_seconds),
            max_connections: count(self.max_connections),
            max_connections_per_address: count(self.max_connections_per_address),
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }

    /// The master secret and, if one is configured, the previous one.
    pub(crate) fn master_secrets(&self) -> Result<MasterSecrets, String> {
        let current = secret::master(
            "master_secret",
            self.master_secret.as_ref(),
            self.master_secret_file.as_deref(),
        )?;
        let previous = secret::master(
            "previous_master_secret",
            self.previous_master_secret.as_ref(),
            self.previous_master_secret_file.as_deref(),
        )?;
        let current = current.ok_or("set master_secret_file (or master_secret)")?;
        MasterSecrets::new(current, previous).map_err(|error| error.to_string())
    }

    /// The public URL, checked: plain HTTP is only for this machine itself.
    pub(crate) fn public_url(&self) -> Result<PublicUrl, String> {
        let text = self
            .public_url
            .as_deref()
            .ok_or("set public_url, the address that clients use")?;
        let url = PublicUrl::parse(text).map_err(|error| format!("public_url: {error}"))?;
        if url.is_plain_http() && !is_loopback(text) {
            return Err("public_url must be https: over plain http anybody on the way could replace the keys".into());
        }
        Ok(url)
    }

    /// The providers through which people sign in to the console.
    pub(crate) fn single_sign_on(&self) -> Result<SingleSignOn, String> {
        single_sign_on::start(&self.single_sign_on)
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> Result<secrecy::SecretString, String> {
        let url = self
            .database_url
            .as_ref()
            .ok_or("set database_url, sqlite:PATH or postgres://…")?
            .to_secret();
        if needs_sslmode(url.expose_secret()) {
            return Err(
                "database_url names another machine and no sslmode: add ?sslmode=verify-full, \
                        or say explicitly how much less is enough"
                    .into(),
            );
        }
        Ok(url)
    }
}

/// Settings that are text. figment would read digits in a variable as a number.
const TEXTS: [&str; 9] = [
    "node_name",
    "public_url",
    "database_url",
    "master_secret",
    "master_secret_file",
    "previous_master_secret",
    "previous_master_secret_file",
    "metrics.token",
    "metrics.token_file",
];

fn is_node_name(name: &str) -> bool {
    (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// The machine's name, as Linux tells it, or systems that keep it in a file.
fn host_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|name| name.trim().to_owned())
        .find(|name| is_node_name(name))
}

fn is_text(name: &str) -> bool {
    let name = name.replace("__", ".");
    TEXTS.iter().any(|text| name.eq_ignore_ascii_case(text))
}

fn with_environment(sources: Figment) -> Figment {
    let others = Env::prefixed("JETON_")
        .filter(|name| is_setting(name.as_str()) && !is_text(name.as_str()))
        .split("__");
    TEXTS.iter().fold(sources.merge(others), |sources, name| {
        let variable = name.to_ascii_uppercase().replace('.', "__");
        match Env::var(&format!("JETON_{variable}")) {
            Some(text) => sources.merge((name, text)),
            None => sources,
        }
    })
}

fn with_flags(mut sources: Figment, args: &ConfigArgs) -> Figment {
    if let Some(listen) = args.listen {
        sources = sources.merge(("listen", listen));
    }
    if let Some(url) = &args.public_url {
        sources = sources.merge(("public_url", url));
    }
    if let Some(url) = &args.database_url {
        sources = sources.merge(("database_url", url));
    }
    if let Some(file) = &args.master_secret_file {
        sources = sources.merge(("master_secret_file", file));
    }
    if let Some(file) = &args.previous_master_secret_file {
        sources = sources.merge(("previous_master_secret_file", file));
    }
    sources
}

fn describe(fault: &figment::Error) -> String {
    use figment::error::Kind;
    let path = fault.path.join(".");
    let what = match &fault.kind {
        Kind::UnknownField(name, _) => format!("there is no setting `{name}`"),
        Kind::MissingField(name) => format!("`{name}` is missing"),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("`{path}` is not {expected}")
        }
        Kind::UnknownVariant(_, known) => format!("`{path}` is none of {}", known.join(", ")),
        _ => format!("`{path}` is not usable"),
    };
    let source = fault
        .metadata
        .as_ref()
        .map(|metadata| format!(" (from {})", metadata.name));
    what + source.as_deref().unwrap_or_default()
}

/// PostgreSQL clients fall back to plain text without a word unless told otherwise.
fn needs_sslmode(url: &str) -> bool {
    let Ok(parsed) = url::Url::parse(url) else {
        return false;
    };
    parsed.scheme().starts_with("postgres")
        && parsed.host_str().is_some_and(|host| !host.is_empty())
        && !is_loopback(url)
        && !parsed
            .query_pairs()
            .any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode"))
}

fn is_loopback(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        // In URLs other than http and https, addresses are not told from names.
        Some(url::Host::Domain(name)) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: IpAddr| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests;
