//! A server as a child process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// The product itself gives requests in flight 10 s when it is told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a process is looked at that is expected to change its state.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server. Dropped without [`ServerProcess::stop`], it is killed.
#[derive(Debug)]
pub(crate) struct ServerProcess(Child);

impl ServerProcess {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self(child))
    }

    /// Starts one that tells its address in the first line on standard output.
    pub(crate) fn start_and_hear(command: &mut Command) -> anyhow::Result<(Self, SocketAddr)> {
        let mut process = Self::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let stdout = process.0.stdout.take().context("no standard output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim().parse();
        let address = address.with_context(|| {
            let program = command.get_program();
            format!("{} did not start", program.display())
        })?;
        Ok((process, address))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Sends SIGTERM to this process and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        // The standard library only sends SIGKILL; every POSIX shell has a `kill`.
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.pid().to_string()])
            .status()?;
        ensure!(sent.success(), "SIGTERM could not be sent: {sent}");
        let asked = Instant::now();
        while asked.elapsed() < STOP_TIMEOUT {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!(
            "process {} did not stop within {STOP_TIMEOUT:?}",
            self.pid()
        );
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both do nothing to a process that was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
