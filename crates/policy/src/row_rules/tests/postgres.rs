//! The script on a real PostgreSQL, read by a role that is not the owner.

use std::future::Future;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use storage::{Engine, testing::ScratchDatabase};

use super::*;
use crate::row_rules::postgres_ddl;

/// A scratch database with a role of the same name. Roles belong to the whole server, so whoever makes one drops it.
pub(super) struct Server {
    scratch: ScratchDatabase,
}

impl Server {
    pub(super) async fn start() -> Self {
        let server = Self {
            scratch: ScratchDatabase::create(Engine::Postgres).await,
        };
        let role = server.reader();
        run(
            &mut server.connect().await,
            &format!("create role {role} nologin"),
        )
        .await;
        server
    }

    pub(super) fn reader(&self) -> &str {
        self.scratch.url().rsplit('/').next().unwrap()
    }

    pub(super) async fn connect(&self) -> PgConnection {
        PgConnection::connect(self.scratch.url()).await.unwrap()
    }

    pub(super) async fn stop(self) {
        let role = self.reader();
        let sql = format!("drop owned by {role}; drop role {role}");
        run(&mut self.connect().await, &sql).await;
    }
}

/// Runs `test` with a connection and the name of the role, and drops the role even when it fails.
pub(super) async fn on_postgres<F>(test: impl FnOnce(PgConnection, String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = Server::start().await;
    let connection = server.connect().await;
    let outcome = tokio::spawn(test(connection, server.reader().to_owned())).await;
    server.stop().await;
    outcome.unwrap();
}

pub(super) async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// What `sql`, whose rows have one number each, gives `role` with these claims, in a transaction of its own or in a
/// savepoint of the current one.
pub(super) async fn read_as(
    connection: &mut PgConnection,
    role: &str,
    claims: Option<&str>,
    sql: &str,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let set_role = format!("set local role {role}");
    sqlx::query(AssertSqlSafe(set_role))
        .execute(&mut *transaction)
        .await?;
    if let Some(claims) = claims {
        sqlx::query("select set_config('request.jwt.claims', $1, true)")
            .bind(claims)
            .execute(&mut *transaction)
            .await?;
    }
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

const ORDERS: &str = "
    create table orders (id bigint primary key, tenant text, region text, day date);
    insert into orders values
      (1, 'a', 'eu', '2026-01-01'), (2, 'a', 'us', '2026-01-02'), (3, 'b', 'eu', '2026-01-03'),
      (4, 'b', null, null), (5, null, 'eu', '2026-01-05');
    create index orders_tenant on orders (tenant);
    create index orders_region on orders (region);";

/// A viewer sees the rows of the tenant, an auditor the European ones.
fn order_rules() -> CompiledRowRules {
    compiled(json!([
        {"name": "own", "table": "orders", "roles": ["viewer"],
         "where": {"column": "tenant", "operator": "=", "attribute": "tenant_id"}},
        {"name": "regional", "table": "orders", "roles": ["auditor"],
         "where": {"column": "region", "operator": "in", "attribute": "regions"}},
    ]))
}

async fn with_orders(connection: &mut PgConnection, role: &str) {
    run(connection, ORDERS).await;
    run(
        connection,
        &format!("grant select, insert, update, delete on orders to {role}"),
    )
    .await;
    let ddl = postgres_ddl(&order_rules());
    run(connection, &ddl).await;
    // Again: nothing is in its way.
    run(connection, &ddl).await;
}

#[tokio::test]
async fn a_token_sees_its_own_rows() {
    on_postgres(async |mut connection, role| {
        with_orders(&mut connection, &role).await;
        let table: &[(Option<&str>, &[i64])] = &[
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":"a"}}"#), &[1, 2]),
            (Some(r#"{"roles":["editor"],"attributes":{"tenant_id":"b"}}"#), &[3, 4]),
            (
                Some(r#"{"roles":["viewer","auditor"],"attributes":{"tenant_id":"a","regions":["eu"]}}"#),
                &[1, 2, 3, 5],
            ),
            // One rule lacks its attribute; the other still counts.
            (Some(r#"{"roles":["viewer","auditor"],"attributes":{"regions":["us","eu"]}}"#), &[1, 2, 3, 5]),
            (Some(r#"{"roles":["viewer"],"attributes":{"regions":["eu"]}}"#), &[]),
            (Some(r#"{"roles":["viewer"]}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":["tenant_id"]}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":""}}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":null}}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":["a"]}}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":"a' or 'a'='a"}}"#), &[]),
            (Some(r#"{"roles":["auditor"],"attributes":{"regions":"eu"}}"#), &[]),
            (Some(r#"{"roles":["auditor"],"attributes":{"regions":["eu",1]}}"#), &[]),
            (Some(r#"{"roles":["auditor"],"attributes":{"regions":[]}}"#), &[]),
            (Some(r#"{"roles":["ghost"],"attributes":{"tenant_id":"a"}}"#), &[]),
            (Some(r#"{"roles":"viewer","attributes":{"tenant_id":"a"}}"#), &[]),
            (Some(r#"{"roles":{"viewer":1},"attributes":{"tenant_id":"a"}}"#), &[]),
            (Some(r#"{"roles":["viewer",1],"attributes":{"tenant_id":"a"}}"#), &[]),
            (Some(r#"{"attributes":{"tenant_id":"a"}}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":"a"}"#), &[]),
            (Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":"\u0000"}}"#), &[]),
            (Some("null"), &[]),
            (Some("[]"), &[]),
            (Some("'"), &[]),
            (Some(""), &[]),
            (None, &[]),
        ];
        for (claims, expected) in table {
            let seen = read_as(&mut connection, &role, *claims, "select id from orders order by id").await;
            assert_eq!(seen.unwrap(), *expected, "{claims:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn writes_are_refused() {
    on_postgres(async |mut connection, role| {
        with_orders(&mut connection, &role).await;
        let claims = Some(r#"{"roles":["viewer"],"attributes":{"tenant_id":"a"}}"#);
        let insert = "insert into orders values (9, 'a', 'eu', null)";
        assert!(
            read_as(&mut connection, &role, claims, insert)
                .await
                .is_err()
        );
        for changed in [
            "update orders set region = 'x' returning id",
            "delete from orders returning id",
        ] {
            let rows = read_as(&mut connection, &role, claims, changed)
                .await
                .unwrap();
            assert_eq!(rows, [0_i64; 0], "{changed}");
        }
        // The owner is no exception.
        run(
            &mut connection,
            &format!("alter table orders owner to {role}"),
        )
        .await;
        let rows = read_as(&mut connection, &role, None, "select id from orders")
            .await
            .unwrap();
        assert_eq!(rows, [0_i64; 0]);
    })
    .await;
}

#[tokio::test]
async fn plain_indexes_stay_usable() {
    on_postgres(async |mut connection, role| {
        run(&mut connection, ORDERS).await;
        run(&mut connection, "set enable_seqscan = off").await;
        run(
            &mut connection,
            &format!("grant select on orders to {role}"),
        )
        .await;
        let tests = [
            (
                json!({"column": "tenant", "operator": "=", "attribute": "tenant_id"}),
                "orders_tenant",
            ),
            (
                json!({"column": "region", "operator": "in", "attribute": "regions"}),
                "orders_region",
            ),
            (
                json!({"column": "id", "operator": ">=", "attribute": "level"}),
                "orders_pkey",
            ),
        ];
        for (condition, index) in tests {
            run(&mut connection, &postgres_ddl(&compiled(rule(condition)))).await;
            let mut transaction = connection.begin().await.unwrap();
            run(&mut transaction, &format!("set local role {role}")).await;
            let plan: Vec<String> = sqlx::query_scalar("explain (costs off) select * from orders")
                .fetch_all(&mut *transaction)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(
                plan.contains(index) && plan.contains("Index Cond"),
                "{plan}"
            );
            assert!(plan.contains("InitPlan"), "{plan}");
        }
    })
    .await;
}

#[tokio::test]
async fn literals_arrive_unchanged_whatever_the_server_thinks_of_backslashes() {
    let texts = [
        "it's",
        r"\",
        r"\' or true) --",
        "'); drop table orders; --",
        "$1",
        "é\u{200b}🙂",
        "",
    ];
    on_postgres(async move |mut connection, role| {
        run(&mut connection, ORDERS).await;
        run(
            &mut connection,
            &format!("grant select on orders to {role}"),
        )
        .await;
        for conforming in ["on", "off"] {
            run(
                &mut connection,
                &format!("set standard_conforming_strings = {conforming}"),
            )
            .await;
            for (id, text) in (100_i64..).zip(texts) {
                sqlx::query(
                    "insert into orders values ($1, $2, 'eu', null) on conflict do nothing",
                )
                .bind(id)
                .bind(text)
                .execute(&mut connection)
                .await
                .unwrap();
                for (operator, value) in [("=", json!(text)), ("in", json!([text, "no such"]))] {
                    let condition =
                        json!({"column": "tenant", "operator": operator, "value": value});
                    run(&mut connection, &postgres_ddl(&compiled(rule(condition)))).await;
                    let claims = Some(r#"{"roles":["viewer"]}"#);
                    let seen =
                        read_as(&mut connection, &role, claims, "select id from orders").await;
                    assert_eq!(seen.unwrap(), [id], "{text} {conforming}");
                }
            }
        }
    })
    .await;
}
