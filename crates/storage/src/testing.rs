//! Fresh databases for tests, on both engines.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "only tests call this, and a failure here fails them"
)]

use std::future::Future;

use crate::{Conn, Database, Engine, SystemClock, ids::OrganizationId};

/// Runs `test` on a fresh, migrated database of each engine.
///
/// # Panics
/// Without a PostgreSQL server to make databases on: the suite must fail there, not skip.
pub async fn on_both_engines<F: Future<Output = ()>>(test: impl Fn(Database) -> F) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("engine: {engine:?}");
        let scratch = ScratchDatabase::create(engine).await;
        let database = Database::connect(scratch.url()).await.expect("connect");
        database.migrate().await.expect("migrate");
        test(database.clone()).await;
        database.close().await;
    }
}

/// A database that disappears with its value.
#[derive(Debug)]
pub struct ScratchDatabase {
    url: String,
    directory: Option<std::path::PathBuf>,
}

impl ScratchDatabase {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn create(engine: Engine) -> Self {
        let name = format!(
            "jeton_test_{}",
            OrganizationId::new(&SystemClock).as_uuid().simple()
        );
        match engine {
            Engine::Sqlite => {
                let directory = std::env::temp_dir().join(name);
                std::fs::create_dir(&directory).expect("create a scratch directory");
                let url = format!("sqlite:{}", directory.join("jeton.db").display());
                Self {
                    url,
                    directory: Some(directory),
                }
            }
            Engine::Postgres => {
                let server = postgres_server();
                let database = Database::connect(&server)
                    .await
                    .expect("connect to the test PostgreSQL");
                let mut connection = database.read().await.expect("a connection");
                let Conn::Postgres(connection) = connection.conn() else {
                    unreachable!("a PostgreSQL URL")
                };
                let create = sqlx::AssertSqlSafe(format!("create database {name}"));
                sqlx::query(create)
                    .execute(connection)
                    .await
                    .expect("create a scratch database");
                let url = replace_database(&server, &name);
                Self {
                    url,
                    directory: None,
                }
            }
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        // PostgreSQL's scratch databases go with the server that the suite starts and removes.
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test suite hands the address over in the environment"
)]
fn postgres_server() -> String {
    std::env::var("JETON_TEST_POSTGRES_URL").expect(
        "JETON_TEST_POSTGRES_URL is not set: run ./tests/run NAME, or start a server with tests/postgres.sh",
    )
}

fn replace_database(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("a URL with a database name");
    format!("{base}/{name}")
}
