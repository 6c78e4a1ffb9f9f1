//! The API holds what its document says, asked by schemathesis: `tests/fuzz` says how, `docs/fuzzing.md` what for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;

use key_admin::Permission;
use serde_json::Value;
use storage::Engine;

use crate::support::{App, NewKey, fuzzed_cases, python, repository};

/// What would make most requests end early: how many keys there may be, and how many wrong ones may come.
const LIMITS: [(&str, &str); 3] = [
    ("JETON_KEYS__MAX_LIVE_KEYS_PER_OWNER", "60000"),
    ("JETON_KEYS__FAILED_CREDENTIALS__PER_MINUTE", "1000000"),
    ("JETON_KEYS__FAILED_CREDENTIALS__BURST", "1000000"),
];

/// The endpoints whose bodies anybody writes who issues tokens.
const EXCHANGE: [&str; 4] = [
    "issueSessionToken",
    "exchangeToken",
    "introspectToken",
    "revokeToken",
];

/// The least number of cases of both engines together.
const LEAST_CASES: usize = 5_000;

/// A server to be asked, and the keys to ask with.
struct Asked {
    app: App,
    engine: &'static str,
    reader: String,
    reader_id: String,
}

/// What schemathesis reports.
#[derive(Default)]
struct Report {
    cases: usize,
    /// How often each operation was answered with each status.
    answers: BTreeMap<String, BTreeMap<u64, usize>>,
}

impl Asked {
    async fn start(engine: Engine) -> Self {
        let app = App::start_with(engine, &LIMITS).await;
        let all = Permission::ALL.iter().copied();
        let permissions = all.filter(|it| it.is_read()).collect();
        let (reader, secret) = app
            .create_key(NewKey {
                permissions,
                ..NewKey::default()
            })
            .await;
        Self {
            engine: match engine {
                Engine::Sqlite => "sqlite",
                Engine::Postgres => "postgres",
            },
            app,
            reader: secret,
            reader_id: reader.id.to_string(),
        }
    }

    /// Asks with this key, and reads the report. A check that fails ends the test with what schemathesis prints.
    async fn with(&self, name: &str, key: Option<&str>, arguments: &[&str]) -> Report {
        let directory = repository().join(format!("target/fuzz/{}-{name}", self.engine));
        // What an earlier run found would be asked again.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let events = directory.join("events.ndjson");
        let mut command = self.command(&directory, &events);
        command.env("JETON_FUZZ_RUN", name);
        if let Some(key) = key {
            command.args(["--header", &format!("x-api-key: {key}")]);
        }
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{}, {name}: {printed}{}",
            self.engine,
            String::from_utf8_lossy(&output.stderr)
        );
        Report::read(&events)
    }

    fn command(&self, directory: &PathBuf, events: &PathBuf) -> Command {
        let scripts = repository().join("tests/fuzz");
        let mut command = Command::new(python());
        command
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(scripts.join("schemathesis.toml"))
            .arg("run")
            .arg(repository().join("openapi/openapi.json"))
            .args(["--no-color", "--url", &self.app.server.url()])
            .arg("--report-ndjson-path")
            .arg(events)
            .current_dir(directory)
            .env("PYTHONPATH", scripts)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1")
            .env("JETON_FUZZ_URL", self.app.server.url())
            .env("JETON_FUZZ_MASTER_KEY", &self.app.key)
            .env("JETON_FUZZ_PROTECTED", &self.reader_id);
        command
    }
}

impl Report {
    /// Counts the requests that were answered in the events that schemathesis wrote.
    fn read(events: &PathBuf) -> Self {
        let mut report = Self::default();
        let lines = BufReader::new(File::open(events).unwrap()).lines();
        for line in lines.map(Result::unwrap) {
            let event: Value = serde_json::from_str(&line).unwrap();
            let recorder = &event["ScenarioFinished"]["recorder"];
            for (id, case) in recorder["cases"].as_object().into_iter().flatten() {
                let answer = &recorder["interactions"][id]["response"]["status_code"];
                if let Some(status) = answer.as_u64() {
                    report.count(&case["value"], status);
                }
            }
        }
        report
    }

    fn count(&mut self, case: &Value, status: u64) {
        self.cases += 1;
        let (method, path) = (case["method"].as_str(), case["path"].as_str());
        let operation = format!("{} {}", method.unwrap(), path.unwrap());
        let answers = self.answers.entry(operation).or_default();
        *answers.entry(status).or_default() += 1;
    }

    /// Was the operation answered with a success?
    fn succeeded(&self, operation: &str) -> bool {
        let answers = self.answers.get(operation);
        answers.is_some_and(|answers| answers.keys().any(|it| (200..300).contains(it)))
    }
}

/// Every operation of the document.
fn operations() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository().join("openapi/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    operations
}

async fn holds_the_document(engine: Engine) -> usize {
    let asked = Asked::start(engine).await;
    let key = asked.app.key.clone();
    let master = asked
        .with("master", Some(&key), &["--max-examples", "12"])
        .await;
    let unreached: Vec<String> = operations()
        .into_iter()
        .filter(|operation| !master.succeeded(operation))
        .collect();
    assert_eq!(unreached, [""; 0], "no success at all");
    let each_rule = ["--phases", "examples,coverage"];
    let reader = asked.with("reader", Some(&asked.reader), &each_rule).await;
    assert!(reader.succeeded("GET /v1/users") && !reader.succeeded("POST /v1/users"));
    // Who has no key gets the same answer almost everywhere.
    let few = ["--phases", "examples,fuzzing", "--max-examples", "6"];
    let nobody = asked.with("nobody", None, &few).await;
    assert!(nobody.succeeded("GET /healthz") && !nobody.succeeded("GET /v1/users"));
    eprintln!(
        "{}: {} cases with all permissions, {} with those to read, {} without a key",
        asked.engine, master.cases, reader.cases, nobody.cases
    );
    master.cases + reader.cases + nobody.cases
}

#[tokio::test]
async fn the_api_holds_what_its_document_says() {
    let (sqlite, postgres) = tokio::join!(
        holds_the_document(Engine::Sqlite),
        holds_the_document(Engine::Postgres)
    );
    assert!(sqlite + postgres >= LEAST_CASES, "{sqlite} + {postgres}");
}

async fn answers_fuzzed_bodies(engine: Engine) -> usize {
    let asked = Asked::start(engine).await;
    let examples = fuzzed_cases().to_string();
    let mut arguments = vec!["--phases", "fuzzing", "--max-examples", &examples];
    for operation in EXCHANGE {
        arguments.extend(["--include-operation-id", operation]);
    }
    let key = asked.app.key.clone();
    let report = asked.with("exchange", Some(&key), &arguments).await;
    eprintln!(
        "{}: {} cases {:?}",
        asked.engine, report.cases, report.answers
    );
    report.cases
}

#[tokio::test]
async fn fuzzed_bodies_of_the_exchange_are_answered_as_documented() {
    let (sqlite, postgres) = tokio::join!(
        answers_fuzzed_bodies(Engine::Sqlite),
        answers_fuzzed_bodies(Engine::Postgres)
    );
    let expected = 2 * EXCHANGE.len() * fuzzed_cases();
    assert!(sqlite + postgres >= expected / 2, "{sqlite} + {postgres}");
}
