//! `jeton dev`: the first minute of a developer.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use storage::testing::ScratchDatabase;
use storage::{Database, Engine};

use crate::support::{Jeton, run_to_end};

/// A data directory that goes with the scratch database; the database itself is used only with PostgreSQL.
pub(crate) struct Home {
    scratch: ScratchDatabase,
    database: Option<ScratchDatabase>,
}

impl Home {
    pub(crate) async fn new(engine: Engine) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(ScratchDatabase::create(engine).await),
        };
        Self {
            scratch: ScratchDatabase::create(Engine::Sqlite).await,
            database,
        }
    }

    fn data_dir(&self) -> PathBuf {
        Path::new(self.scratch.url().trim_start_matches("sqlite:"))
            .parent()
            .unwrap()
            .join("jeton-data")
    }

    pub(crate) fn dev(&self, listen: &str) -> Jeton {
        let data_dir = self.data_dir();
        let mut arguments = vec![
            "dev",
            "--listen",
            listen,
            "--data-dir",
            data_dir.to_str().unwrap(),
        ];
        if let Some(database) = &self.database {
            arguments.extend(["--database-url", database.url()]);
        }
        Jeton::start(&arguments, &[])
    }

    pub(crate) fn credentials(&self) -> Value {
        serde_json::from_slice(
            &std::fs::read(self.data_dir().join("dev-credentials.json")).unwrap(),
        )
        .unwrap()
    }

    async fn database(&self) -> Database {
        let embedded = format!("sqlite:{}", self.data_dir().join("jeton.db").display());
        let url = self
            .database
            .as_ref()
            .map_or(embedded.as_str(), ScratchDatabase::url);
        Database::connect(url).await.unwrap()
    }
}

/// What the command line did, oldest first.
async fn actions_on_the_machine(database: &Database) -> Vec<String> {
    let mut read = database.read().await.unwrap();
    let sql = "select action from audit_events where actor_kind = 'command_line' order by id";
    let rows = storage::fetch_all!(read.conn(), (String,), sql).unwrap();
    rows.into_iter().map(|(action,)| action).collect()
}

async fn count(database: &Database, what: &'static str) -> i64 {
    let mut read = database.read().await.unwrap();
    let sql = match what {
        "sessions" => "select count(*) from sessions",
        "organizations" => "select count(*) from organizations",
        "api_keys" => "select count(*) from api_keys",
        other => panic!("{other}"),
    };
    storage::fetch_one!(read.conn(), (i64,), sql).unwrap().0
}

#[tokio::test]
async fn dev_prints_a_verified_token_and_a_curl_that_works_when_pasted() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let mut server = home.dev("127.0.0.1:0");
        let output = server.wait_for_output("dev-credentials.json");
        assert!(output.contains("was issued and verified"), "{output}");
        assert!(output.contains(r#""sub": "user-42""#), "{output}");

        let curl = &output[output.find("curl ").unwrap()..output.find("API explorer").unwrap()];
        let pasted = Command::new("bash")
            .args(["-c", curl])
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
        let answer: Value =
            serde_json::from_slice(&pasted.stdout).unwrap_or_else(|_| panic!("{pasted:?}"));
        assert_eq!(answer["expires_in"], 900, "{answer}");
        // A server that has stopped has sorted what it recorded.
        server.terminate();
        assert!(server.wait().success());
        assert_eq!(count(&home.database().await, "sessions").await, 2);
    }
}

#[tokio::test]
async fn dev_writes_its_credentials_for_the_owner_only() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let server = home.dev("127.0.0.1:0");
        server.wait_for_output("dev-credentials.json");
        let credentials = home.credentials();
        let mut members: Vec<_> = credentials
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        members.sort_unstable();
        assert_eq!(
            members,
            [
                "api_key",
                "console_email",
                "console_password",
                "organization",
                "url"
            ]
        );
        assert_eq!(credentials["url"], server.url());
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.data_dir()), 0o700);
        for file in ["dev-credentials.json", "master.key"] {
            assert_eq!(mode(home.data_dir().join(file)), 0o600, "{file}");
        }
        if engine == Engine::Sqlite {
            assert_eq!(mode(home.data_dir().join("jeton.db")), 0o600);
        }
    }
}

#[tokio::test]
async fn a_second_start_reuses_everything() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let mut first = home.dev("127.0.0.1:0");
        first.wait_for_output("dev-credentials.json");
        let before = home.credentials();
        first.kill();
        let second = home.dev("127.0.0.1:0");
        second.wait_for_output("dev-credentials.json");
        let mut after = home.credentials();
        assert_eq!(after["url"], second.url());
        after["url"] = before["url"].clone();
        assert_eq!(after, before);
        let database = home.database().await;
        assert_eq!(count(&database, "organizations").await, 1);
        assert_eq!(count(&database, "api_keys").await, 1);
    }
}

#[tokio::test]
async fn a_start_that_was_cut_off_before_the_credentials_were_written_is_made_good() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let mut first = home.dev("127.0.0.1:0");
        first.wait_for_output("dev-credentials.json");
        first.kill();
        let before = home.credentials();
        std::fs::write(home.data_dir().join("dev-credentials.json"), "{\"url\":").unwrap();
        let second = home.dev("127.0.0.1:0");
        second.wait_for_output("was issued and verified");
        let after = home.credentials();
        assert_ne!(after["api_key"], before["api_key"]);
        let database = home.database().await;
        assert_eq!(count(&database, "organizations").await, 1);
        assert_eq!(
            actions_on_the_machine(&database).await,
            [
                "organization.create",
                "user.create",
                "api_key.create",
                "user.update",
                "api_key.create"
            ],
            "the new password has its event"
        );
    }
}

#[tokio::test]
async fn keys_can_be_made_and_listed_beside_a_running_dev_server() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let server = home.dev("127.0.0.1:0");
        server.wait_for_output("dev-credentials.json");
        let data_dir = home.data_dir();
        let mut installation = vec!["--data-dir", data_dir.to_str().unwrap()];
        if let Some(database) = &home.database {
            installation.extend(["--database-url", database.url()]);
        }
        let create = [
            "apikey", "create", "-n", "ci", "-d", "72h", "--output", "secret",
        ];
        let made = run_to_end(&[&create[..], &installation].concat(), &[]);
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).unwrap();
        let listed = run_to_end(&[&["apikey", "get"][..], &installation].concat(), &[]);
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.starts_with("TOKEN") && listed.contains("ci") && listed.contains(&key[..16]),
            "{listed}"
        );
        assert!(!listed.contains(&key[17..30]), "{listed}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let account = client
            .get(server.url() + "/v1/account")
            .header("x-api-key", key.trim());
        assert_eq!(account.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_lost_master_secret_is_not_replaced() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let home = Home::new(engine).await;
        let mut first = home.dev("127.0.0.1:0");
        first.wait_for_output("dev-credentials.json");
        first.kill();
        std::fs::remove_file(home.data_dir().join("master.key")).unwrap();
        let data_dir = home.data_dir();
        let mut arguments = vec![
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            data_dir.to_str().unwrap(),
        ];
        if let Some(database) = &home.database {
            arguments.extend(["--database-url", database.url()]);
        }
        let again = run_to_end(&arguments, &[]);
        assert_eq!(again.status.code(), Some(1), "{again:?}");
    }
}

#[test]
fn dev_listens_on_this_machine_only() {
    let output = run_to_end(
        &["dev", "--listen", "0.0.0.0:0", "--data-dir", "/nonexistent"],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("this machine only")
    );
}
