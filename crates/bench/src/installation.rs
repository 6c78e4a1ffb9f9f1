//! The product as operators run it: set up with its own commands, `jeton serve` with settings in its environment.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{bail, ensure};
use key_admin::random;
use serde_json::Value;
use storage::SystemClock;
use token_issuer::Services;

use crate::in_process;
use crate::product::{self, START_TIMEOUT, binary, is_ready};
use crate::scratch::Scratch;
use crate::server_process::{LOOK_EVERY, ServerProcess};

/// A database with an organization in it, and what its servers need to start.
#[derive(Debug)]
pub(crate) struct Installation {
    directory: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// Its database.
    pub(crate) database_url: String,
    /// The master secret's file.
    master: PathBuf,
    /// The one API key there is.
    pub(crate) api_key: String,
}

/// A server of the installation.
#[derive(Debug)]
pub(crate) struct Server {
    process: ServerProcess,
    pub(crate) address: SocketAddr,
}

impl Installation {
    /// Sets it up in a database that has the product's schema and nothing in it.
    pub(crate) fn create(directory: &Path, database_url: &str) -> anyhow::Result<Self> {
        let master = secret_file(directory, "master.key")?;
        let password = secret_file(directory, "owner-password")?;
        let mut installation = Self {
            directory: directory.to_owned(),
            database_url: database_url.to_owned(),
            master: PathBuf::from(&master),
            environment: vec![
                ("JETON_DATABASE_URL", database_url.to_owned()),
                ("JETON_MASTER_SECRET_FILE", master),
                ("JETON_PUBLIC_URL", "http://127.0.0.1:8080".to_owned()),
                ("JETON_LISTEN", "127.0.0.1:0".to_owned()),
            ],
            api_key: String::new(),
        };
        let owner = ["--owner-email", "ada@example.com", "--starter-policy"];
        installation.run(
            [
                "organization",
                "create",
                "acme",
                "--owner-password-file",
                &password,
            ]
            .into_iter()
            .chain(owner),
        )?;
        let named = ["apikey", "create", "--name", "bench", "--output", "secret"];
        let permissions = ["--permissions", "tokens:issue,policy:write"];
        let key = installation.run(named.into_iter().chain(permissions))?;
        key.trim().clone_into(&mut installation.api_key);
        Ok(installation)
    }

    /// One of its own in a directory of this name, on an embedded database.
    pub(crate) async fn create_embedded(scratch: &Scratch, name: &str) -> anyhow::Result<Self> {
        let directory = scratch.directory(name)?;
        let database_url = format!("sqlite:{}", directory.join("jeton.db").display());
        product::prepare(&database_url).await?;
        Self::create(&directory, &database_url)
    }

    /// Its services, in this process.
    pub(crate) async fn services(&self) -> anyhow::Result<Services> {
        let master = std::fs::read_to_string(&self.master)?;
        let master = in_process::master_secret(master.trim())?;
        in_process::open(&self.database_url, master, Arc::new(SystemClock)).await
    }

    /// Starts a server with further settings, and waits until it serves. Its log goes to a file of this name.
    pub(crate) async fn serve(
        &self,
        name: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Server> {
        let log = self.directory.join(format!("{name}.log"));
        let mut process = ServerProcess::start(
            self.command()?
                .arg("serve")
                .envs(settings.iter().copied())
                .stdout(Stdio::null())
                .stderr(File::create(&log)?),
        )?;
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(address) = listening(&text)
                && is_ready(address).await?
            {
                return Ok(Server { process, address });
            }
            if process.child().try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                bail!("jeton did not start:\n{text}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Runs a command that ends by itself, and returns what it prints.
    fn run(&self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> anyhow::Result<String> {
        let output = self.command()?.args(arguments).output()?;
        ensure!(
            output.status.success(),
            "jeton ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Only these settings count, not those of whoever measures.
    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        Ok(command)
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop().await?;
        ensure!(status.success(), "jeton ended with {status}");
        Ok(())
    }
}

/// Writes 256 random bits, as hex digits, where only the owner can read them, and returns the file's path.
fn secret_file(directory: &Path, name: &str) -> anyhow::Result<String> {
    let path = directory.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    for byte in random::bytes::<32>()? {
        write!(file, "{byte:02x}")?;
    }
    Ok(path.display().to_string())
}

/// The address in the server's log, once it is there.
fn listening(log: &str) -> Option<SocketAddr> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["message"] == "listening")?["address"]
        .as_str()?
        .parse()
        .ok()
}
