//! The real binary as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;

/// Long enough for a busy machine; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);

/// A `jeton` command without the environment of the test run.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(jeton_binary());
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself.
pub(crate) fn run_to_end(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The binary next to the tests; one that is older than its sources would test something else.
pub(crate) fn jeton_binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        let tests = std::env::current_exe().unwrap();
        let binary = tests.parent().unwrap().parent().unwrap().join("jeton");
        let built = changed(&binary).expect("no binary: run `cargo build --workspace` first");
        // `cargo build` writes beside it, after a colon, which files it was made from. `cargo test --workspace` builds
        // it too, just now, and may write no such list.
        let list = std::fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
        let (_, sources) = list.split_once(": ").unwrap_or_default();
        let stale = sources
            .split_whitespace()
            .find(|it| changed(Path::new(it)) > Some(built));
        assert!(
            stale.is_none(),
            "{stale:?} changed: run `cargo build --workspace` first"
        );
        binary
    });
    &BINARY
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// A server process. It dies with its value.
pub(crate) struct Jeton {
    child: Child,
    address: String,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Jeton {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, _) = collect(child.stdout.take().unwrap());
        let (stderr, lines) = collect(child.stderr.take().unwrap());
        let address = loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = child.kill();
                panic!("the server did not start:\n{}", stderr.lock().unwrap());
            };
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        Self {
            child,
            address,
            stdout,
            stderr,
        }
    }

    /// `http://ADDRESS:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until standard output has this text.
    pub(crate) fn wait_for_output(&self, text: &str) -> String {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let output = self.stdout.lock().unwrap().clone();
            if output.contains(text) {
                return output;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no {text:?} in:\n{output}"
            );
            std::thread::yield_now();
        }
    }

    /// Everything it has printed, on both streams.
    pub(crate) fn everything_printed(&self) -> String {
        format!(
            "{}{}",
            self.stdout.lock().unwrap(),
            self.stderr.lock().unwrap()
        )
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends it as a power cut of the process would: nothing is flushed, nobody is told.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Jeton {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static) -> (Arc<Mutex<String>>, Receiver<String>) {
    let text = Arc::new(Mutex::new(String::new()));
    let (sender, lines) = channel();
    let collected = text.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = collected.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
            drop(text);
            let _ = sender.send(line);
        }
    });
    (text, lines)
}
