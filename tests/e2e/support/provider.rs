use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use storage::Engine;

use super::{App, node, repository};

/// An identity provider as a process of its own. It dies with its value.
pub(crate) struct IdentityProvider {
    child: Child,
    pub(crate) issuer: String,
}

impl IdentityProvider {
    /// Starts a script of `tests/browser/console`, and waits until it listens.
    pub(crate) fn start(script: &str) -> Self {
        let mut child = Command::new(node())
            .arg(repository().join("tests/browser/console").join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut answers = lines.map_while(Result::ok).filter_map(|line| {
            let answer: Value = serde_json::from_str(&line).ok()?;
            Some(answer["issuer"].as_str()?.to_owned())
        });
        let issuer = answers
            .next()
            .unwrap_or_else(|| panic!("{script} does not start"));
        // Whatever else it prints is read, too: a pipe that nobody reads ends it.
        std::thread::spawn(move || answers.for_each(drop));
        Self { child, issuer }
    }

    /// Ends it: nobody listens at its address any more.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A configuration file. It goes with its value.
struct ConfigFile(PathBuf);

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a test against a fresh server on each engine, whose configuration file is this one.
pub(crate) async fn on_both_engines_with<F: Future<Output = ()>>(
    (name, configuration): (&str, &str),
    test: impl Fn(App) -> F,
) {
    let file = format!("jeton-{name}-{}.toml", std::process::id());
    let file = ConfigFile(std::env::temp_dir().join(file));
    std::fs::write(&file.0, configuration).unwrap();
    let path = file.0.to_str().unwrap();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("engine: {engine:?}");
        test(App::start_with(engine, &[("JETON_CONFIG", path)]).await).await;
    }
}
