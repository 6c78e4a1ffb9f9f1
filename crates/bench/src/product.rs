//! The product: the `jeton` binary of the same build, as `jeton dev` runs it.

use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use storage::{Database, Engine, fetch_one};

use crate::http::Connection;
use crate::load::Target;
use crate::server_process::{LOOK_EVERY, ServerProcess};

/// The body of every request.
pub(crate) const BODY: &str = r#"{"user":{"id":"user-42","roles":["viewer"],"attributes":{"tenant_id":"t-1"}},"audience":"default","ttl_seconds":900,"resources":[{"type":"dashboard","id":"sales"}]}"#;

/// How long a server may take to start; with ten thousand organizations it opens twenty thousand keys.
pub(crate) const START_TIMEOUT: Duration = Duration::from_mins(5);

/// The running product.
#[derive(Debug)]
pub(crate) struct Product {
    process: ServerProcess,
    pub(crate) target: Target,
    /// The key of its requests.
    pub(crate) api_key: String,
}

/// What is of use here in `dev-credentials.json`.
#[derive(Debug, Deserialize)]
struct Credentials {
    url: String,
    api_key: String,
}

impl Product {
    /// Starts it, and waits until it serves. Its output goes to files in `directory`, its log included.
    pub(crate) async fn start(directory: &Path, database_url: &str) -> anyhow::Result<Self> {
        let log = directory.join("jeton.log");
        let data = directory.join("data");
        let mut process = ServerProcess::start(
            Command::new(binary()?)
                .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(&data)
                .args(["--database-url", database_url])
                .stdin(Stdio::null())
                .stdout(File::create(directory.join("jeton.out"))?)
                .stderr(File::create(&log)?),
        )?;
        let file = data.join("dev-credentials.json");
        let started = Instant::now();
        loop {
            if let Some((target, api_key)) = serving(&file, process.pid()).await? {
                return Ok(Self {
                    process,
                    target,
                    api_key,
                });
            }
            if process.child().try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("jeton did not start:\n{log}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop().await?;
        ensure!(status.success(), "jeton ended with {status}");
        Ok(())
    }
}

/// The binary next to this one.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let directory = own.parent().unwrap_or(Path::new("."));
    let binary = directory.join("jeton");
    if !binary.is_file() {
        let profile = match directory.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => String::new(),
            Some("release") => "--release ".into(),
            Some(profile) => format!("--profile {profile} "),
        };
        bail!("there is no jeton binary; build it: cargo build {profile}-p jeton");
    }
    Ok(binary)
}

/// Where it serves, once it does, and its key.
async fn serving(file: &Path, pid: u32) -> anyhow::Result<Option<(Target, String)>> {
    // The file appears whole.
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let credentials: Credentials = serde_json::from_slice(&text)?;
    let address = credentials.url.strip_prefix("http://");
    let address: SocketAddr = address.context("the URL is not http")?.parse()?;
    if !is_ready(address).await? {
        return Ok(None);
    }
    let target = Target {
        name: "the product",
        pid,
        address,
        requests: [request(&credentials.api_key)].into(),
        expected: &[201],
    };
    Ok(Some((target, credentials.api_key)))
}

/// Would a load balancer send it requests?
pub(crate) async fn is_ready(address: SocketAddr) -> anyhow::Result<bool> {
    let mut connection = Connection::open(address).await?;
    let probe = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    Ok(connection.send(probe.as_bytes()).await?.status == 200)
}

/// A whole request for a token.
pub(crate) fn request(api_key: &str) -> Box<[u8]> {
    request_for(api_key, BODY)
}

/// The same with another body.
pub(crate) fn request_for(api_key: &str, body: &str) -> Box<[u8]> {
    message("POST /v1/session-tokens", api_key, body)
}

/// A whole request of any kind.
pub(crate) fn message(line: &str, api_key: &str, body: &str) -> Box<[u8]> {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ApiKey {api_key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len(),
    );
    (head + body).into_bytes().into()
}

/// Brings the schema to the product's version, and makes sure that there is no session yet.
pub(crate) async fn prepare(database_url: &str) -> anyhow::Result<Engine> {
    let database = Database::connect(database_url).await?;
    database.migrate().await?;
    database.close().await;
    let sessions = count_sessions(database_url).await?;
    ensure!(
        sessions == 0,
        "the database holds {sessions} sessions; give an empty one"
    );
    Ok(database.engine())
}

/// How many sessions are recorded.
pub(crate) async fn count_sessions(database_url: &str) -> anyhow::Result<i64> {
    let database = Database::connect(database_url).await?;
    let (count,) = {
        let mut read = database.read().await?;
        fetch_one!(read.conn(), (i64,), "select count(*) from sessions")?
    };
    database.close().await;
    Ok(count)
}
